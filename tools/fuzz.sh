#!/usr/bin/env bash
# Runs every libFuzzer target for a while: tools/fuzz.sh BUILD_DIR SECONDS
# New inputs stay in BUILD_DIR/found/<target>; a crash is written there too, and ends the run with its path. Commit a
# crashing input (cut down with -minimize_crash=1) to tests/fuzz/corpus/<target>/ together with the fix.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?build folder} seconds=${2:?seconds}
n=0
for program in "$build"/tests/fuzz/fuzz_*; do
  [ -x "$program" ] && [ -f "$program" ] || continue
  name=${program##*/fuzz_}
  mkdir -p "$build/found/$name"
  echo "== fuzz $name for $seconds s"
  log=$build/found/$name.log
  if ! "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
    -artifact_prefix="$build/found/$name/" "$build/found/$name" "tests/fuzz/corpus/$name" >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    echo "fuzz $name: failed; the input lies in $build/found/$name" >&2
    exit 1
  fi
  grep number_of_executed_units "$log"
  n=$((n + 1))
done
[ "$n" -gt 0 ] || { echo "no fuzz target in $build" >&2; exit 1; }
echo "fuzz: $n targets, no failure"
