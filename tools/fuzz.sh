#!/usr/bin/env bash
# Runs every libFuzzer target: tools/fuzz.sh BUILD_DIR SECONDS [RUNS]
# Without RUNS each target runs once for SECONDS. With RUNS each goes on, in slices of SECONDS, until it has run so many
# inputs in all; the tally stands in BUILD_DIR/found/<target>.runs, so that an interrupted sweep goes on where it was.
# FUZZ_TARGETS="csv json" chooses some. New inputs stay in BUILD_DIR/found/<target>; a crash is written there too, and
# ends the run with its path. Commit a crashing input (cut down with -minimize_crash=1) to tests/fuzz/corpus/<target>/
# together with the fix.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?build folder} seconds=${2:?seconds} runs=${3:-0}

# Where throughput is bound by the length of inputs: what a parser does shows in short ones.
max_length() {
  case $1 in
    csv | jsonl | override | dotenv) echo 256 ;;
    tokenizer | yaml | rules | input | source | multipart | http_request) echo 512 ;;
  esac
}

# One slice of at most $2 inputs (0: any number); prints how many were run, seeds left out.
slice() {
  local name=$1 program=$build/tests/fuzz/fuzz_$1 log=$build/found/$1.log length
  length=$(max_length "$name")
  if ! "$program" -max_total_time="$seconds" -runs="$([ "$2" -gt 0 ] && echo $(($2 + 100000)) || echo -1)" -timeout=10 \
    -rss_limit_mb=2048 -print_final_stats=1 -verbosity=1 ${length:+-max_len=$length} \
    -artifact_prefix="$build/found/$name/" "$build/found/$name" "tests/fuzz/corpus/$name" >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    echo "fuzz $name: failed; the input lies in $build/found/$name" >&2
    return 1
  fi
  awk '/INITED/ && !seeds {seeds = substr($1, 2)} /number_of_executed_units/ {n = $2} END {print n - seeds}' "$log"
}

n=0
for program in "$build"/tests/fuzz/fuzz_*; do
  [ -x "$program" ] && [ -f "$program" ] || continue
  name=${program##*/fuzz_}
  [[ " ${FUZZ_TARGETS:-$name} " == *" $name "* ]] || continue
  mkdir -p "$build/found/$name"
  tally=$build/found/$name.runs total=0
  [ "$runs" = 0 ] || total=$(cat "$tally" 2>/dev/null || echo 0)
  while :; do
    [ "$runs" = 0 ] || [ "$total" -lt "$runs" ] || break
    more=$(slice "$name" $((runs > 0 ? runs - total : 0)))
    total=$((total + more))
    [ "$runs" = 0 ] && break
    echo "$total" >"$tally"
  done
  echo "== fuzz $name: $total inputs"
  n=$((n + 1))
done
[ "$n" -gt 0 ] || { echo "no fuzz target in $build" >&2; exit 1; }
echo "fuzz: $n targets, no failure"
