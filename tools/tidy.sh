#!/usr/bin/env bash
# clang-tidy over all sources of src/: tools/tidy.sh BUILD_DIR (which holds compile_commands.json of a clang build)
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?build folder}
git ls-files -z 'src/*.c' | xargs -0 -P "${JOBS:-$(nproc)}" -n 4 clang-tidy-14 -p "$build" --quiet 2>/dev/null
echo "clang-tidy: ok"
