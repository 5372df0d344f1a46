#!/usr/bin/env bash
# Line coverage of the unit tests: tools/coverage.sh BUILD_DIR → BUILD_DIR/report/index.html, and a table on the screen
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?build folder}
find "$build" -name '*.gcda' -delete
tests/run.sh --build "$build" unit
mkdir -p "$build/report"
gcovr --root . --filter src/ --object-directory "$build" --html-details "$build/report/index.html" --txt "$build/report.txt" \
  --exclude-unreachable-branches "$build"
tail -n 3 "$build/report.txt"
echo "details: $build/report/index.html"
