#!/usr/bin/env bash
# Runs tests and says which part failed: tests/run.sh [--build DIR] [--label LABEL] PART …
#   unit   ctest in DIR (default build/dev): unit tests, fuzz corpora
#   meta, cli, light, judge, or any folder: pytest on tests/PART with the program and the tools of DIR
# FN_PYTHON: another Python than that of build/venv. Exit status 1 when a test failed, and also when a part ran no test at all.
set -uo pipefail
cd "$(dirname "$0")/.."
build=build/dev filter=()
while :; do
  case ${1:-} in
    --build) build=${2:?folder} ;;
    --label) filter=(-L "${2:?label}") ;; # of ctest: only the unit tests that have it
    *) break ;;
  esac
  shift 2
done
[ $# -gt 0 ] || { sed -n '2,5p' "$0"; exit 2; }

python=${FN_PYTHON:-build/venv/bin/python}
export FN_BIN=${FN_BIN:-$PWD/$build/fakenews} FN_TOOLS=${FN_TOOLS:-$PWD/$build/tests/tools}
export PYTHONPYCACHEPREFIX=$PWD/build/pycache FN_STRICT=1

failed=()
for part in "$@"; do
  echo "== $part"
  case $part in
    unit)
      ctest --test-dir "$build" "${filter[@]}" --output-on-failure --no-tests=error --progress -j "${JOBS:-$(nproc)}" || failed+=("$part")
      ;;
    *)
      folder=tests/$part
      [ -d "$folder" ] || folder=$part
      # Files of tests run side by side, but for those that measure or fill the memory.
      beside=()
      case $part in cli | meta | light | judge) beside=(-n "${JOBS:-$(nproc)}" --dist loadfile) ;; esac
      $python -m pytest -q -p no:cacheprovider -rs "${beside[@]}" "$folder" || failed+=("$part")
      ;;
  esac
done
if [ ${#failed[@]} -gt 0 ]; then
  echo "FAILED: ${failed[*]}"
  exit 1
fi
echo "passed: $*"
