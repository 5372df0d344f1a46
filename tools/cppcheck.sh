#!/usr/bin/env bash
# cppcheck over src/: tools/cppcheck.sh BUILD_DIR. Suppressions with their reasons stand in tools/cppcheck.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?build folder}
cppcheck --quiet --enable=warning,performance,portability --inline-suppr --suppressions-list=tools/cppcheck.txt \
  --error-exitcode=1 --std=c11 --library=posix -j "${JOBS:-$(nproc)}" -I src -D__GNUC__ -D__x86_64__ -D__SSE2__ -DFN_NODISCARD= \
  --include=tools/cppcheck.h \
  -DFN_REVISION='""' -DFN_VERSION='""' -DFN_BUILD_TYPE='""' src
echo "cppcheck: ok"
