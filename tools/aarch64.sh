#!/usr/bin/env bash
# The arm64 libraries that a cross build links, in build/aarch64-root: tools/aarch64.sh
# They come from the Debian mirrors that this machine uses, through an apt whose state lies in that folder too: the
# packages and settings of the machine stay as they are, and no root is needed. Made again when the list of packages in
# tools/deps.sh changes.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD/build/aarch64-root
read -ra packages <<<"$(NO_INSTALL=1 tools/deps.sh build test | grep -o ' lib[^ ]*-dev\| zlib1g-dev' | tr -d '\n')"
[ "$(cat "$root/packages" 2>/dev/null)" = "${packages[*]}" ] && exit 0

echo "+ arm64 packages into build/aarch64-root: ${packages[*]}"
rm -rf "$root"
apt=$root/var/apt
mkdir -p "$apt"/{state/lists,cache/archives}/partial
touch "$apt/state/status"
cat >"$apt/apt.conf" <<END
Dir::State "$apt/state";
Dir::State::status "$apt/state/status";
Dir::Cache "$apt/cache";
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "";
END
export APT_CONFIG=$apt/apt.conf
run() { # quiet unless it fails
  "$@" >"$apt/log" 2>&1 || {
    cat "$apt/log" >&2
    echo "tools/aarch64.sh: failed: $*" >&2
    exit 1
  }
}
run apt-get update
run apt-get install -y --no-install-recommends --download-only "${packages[@]}"
for package in "$apt"/cache/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
rm -rf "$apt"
# Links to absolute paths would lead out of the root.
find "$root" -type l -lname '/*' | while read -r link; do
  ln -snf "$(realpath -ms --relative-to="$(dirname "$link")" "$root$(readlink "$link")")" "$link"
done
echo "${packages[*]}" >"$root/packages"
