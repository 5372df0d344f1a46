#!/usr/bin/env bash
# Removes what `cmake --install BUILD` wrote last, and the folders of its own that are empty then: tools/uninstall.sh BUILD
# DESTDIR must be as it was then.
set -euo pipefail
manifest=${1:?build folder}/install_manifest.txt
[ -e "$manifest" ] || { echo "tools/uninstall.sh: no $manifest: nothing was installed from there" >&2; exit 2; }
while read -r path || [ -n "$path" ]; do
  rm -f -- "${DESTDIR:-}$path"
  folder=$(dirname "$path")
  while [[ $folder == */share/doc/fakenews* || $folder == */share/fakenews || $folder == */include/fakenews ]]; do
    rmdir -- "${DESTDIR:-}$folder" 2>/dev/null || break
    folder=$(dirname "$folder")
  done
done <"$manifest"
