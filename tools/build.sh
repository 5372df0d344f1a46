#!/usr/bin/env bash
# Configures a preset once and builds it: tools/build.sh PRESET [TARGET …]
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:?preset}
shift
if [ ! -e "build/$preset/build.ninja" ]; then
  cmake --preset "$preset" --log-level=STATUS >"/tmp/fn-configure.$$" 2>&1 || {
    cat "/tmp/fn-configure.$$" >&2
    rm -f "/tmp/fn-configure.$$"
    exit 1
  }
  sed -n '/^-- fakenews /,/^-- Configuring/{/^-- Configuring/d;s/^-- //;p}' "/tmp/fn-configure.$$"
  rm -f "/tmp/fn-configure.$$"
fi
cmake --build "build/$preset" ${JOBS:+-j "$JOBS"} ${1:+--target "$@"}
