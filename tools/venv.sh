#!/usr/bin/env bash
# Python packages for the tests, pinned, in build/venv: tools/venv.sh light [heavy]
# tests/requirements.txt lists every package with its dependencies, so pip resolves nothing (--no-deps). Its heavy part
# begins at the line "# --- heavy". A part is installed again when its lines change. Nothing is compiled ahead: of the
# heavy part's modules most are never imported, and compiling all of them took longer than the rest of the set-up.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=build/venv
mkdir -p build
[ -x $venv/bin/python ] || python3 -m venv $venv
for part in "$@"; do
  case $part in
    light) sed '/^# --- heavy/,$d' tests/requirements.txt >$venv/light.new ;;
    heavy) sed '1,/^# --- heavy/d' tests/requirements.txt >$venv/heavy.new ;;
    *) echo "tools/venv.sh: no such part: $part (light, heavy)" >&2; exit 2 ;;
  esac
  if cmp -s $venv/$part.new $venv/$part.txt; then
    rm $venv/$part.new
    continue
  fi
  echo "+ pip install, the $part part of tests/requirements.txt, into $venv"
  $venv/bin/pip install --quiet --disable-pip-version-check --no-compile --no-deps --only-binary :all: -r $venv/$part.new
  mv $venv/$part.new $venv/$part.txt
done
