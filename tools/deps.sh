#!/usr/bin/env bash
# Installs Debian packages: tools/deps.sh build|test|judge|check|coverage|lambda|aarch64 …   (make deps, make test, make check call it)
# Prints the apt line, then runs it, unless all is there already. NO_INSTALL=1 only prints.
set -euo pipefail

[ $# -gt 0 ] || { sed -n '2,3p' "$0"; exit 2; }
packages=()
for part in "$@"; do
  case $part in
    build) packages+=(cmake ninja-build gcc libc6-dev pkg-config git
                      libjansson-dev libyaml-dev libxxhash-dev zlib1g-dev libdnnl-dev
                      libcurl4-openssl-dev libzip-dev libzstd-dev libmicrohttpd-dev libsqlite3-dev libpq-dev ca-certificates) ;;
    test) packages+=(libcmocka-dev g++ make locales python3 python3-venv mandoc groff-base zsh fish curl
                     postgresql openssl systemd) ;;
    judge) packages+=(chromium fonts-dejavu-core prometheus) ;;
    check) packages+=(clang-14 clang-format-14 clang-tidy-14 cppcheck libclang-rt-14-dev llvm-14) ;;
    coverage) packages+=(gcovr) ;;
    lambda) packages+=(zip) ;;
    aarch64) packages+=(gcc-aarch64-linux-gnu qemu-user) ;;
    *) echo "tools/deps.sh: no such part: $part (build, test, judge, check, coverage, lambda, aarch64)" >&2; exit 2 ;;
  esac
done

missing=()
for package in "${packages[@]}"; do
  if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
    missing+=("$package")
  fi
done

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  echo "This is no Debian: install what your system calls these packages of Debian 12, then go on with NO_INSTALL=1:" >&2
  echo "  ${packages[*]}" >&2
  [ -n "${NO_INSTALL:-}" ] && exit 0
  exit 1
fi

sudo=""
[ "$(id -u)" = 0 ] || sudo="sudo "
line="${sudo}apt-get install -y --no-install-recommends"
if [ -n "${NO_INSTALL:-}" ]; then
  echo "$line ${packages[*]}"
  exit 0
fi
if [ ${#missing[@]} = 0 ]; then
  exit 0
fi
if [ -n "$sudo" ] && ! command -v sudo >/dev/null; then
  echo "These packages are missing and there is no sudo; run this as root:" >&2
  echo "  apt-get install -y --no-install-recommends ${missing[*]}" >&2
  exit 1
fi

echo "+ $line ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
run() { # quiet unless it fails
  if ! "$@" >"$log" 2>&1; then
    cat "$log" >&2
    echo "tools/deps.sh: failed: $*" >&2
    exit 1
  fi
}
# shellcheck disable=SC2086  # words are wanted
run ${sudo}apt-get update
# shellcheck disable=SC2086
run ${sudo}env DEBIAN_FRONTEND=noninteractive ${line#"$sudo"} "${missing[@]}"
