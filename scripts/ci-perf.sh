#!/usr/bin/env bash
# Compares the performance of two commits: builds both, runs them interleaved on this machine
# (A B B A A B …) over a small matrix, and writes what CI services read. Exits with 1 when something
# is both largely and certainly worse or a promise broke, and with 2 when something was not decided: a
# run is void, say, or nobody can tell whether it kept its promise.
#   scripts/ci-perf.sh BASE HEAD [OUTPUT]                     (default output: results/ci-perf)
# ROUNDS=10 runs of each commit and cell, DURATION=2s each; CELLS as below. The working tree is left
# alone. In a GitHub job, the summary is appended to the job's.
set -euo pipefail
cd "$(dirname "$0")/.."

base=$(git rev-parse --verify "${1:?usage: scripts/ci-perf.sh BASE HEAD [OUTPUT]}^{commit}")
head=$(git rev-parse --verify "${2:?usage: scripts/ci-perf.sh BASE HEAD [OUTPUT]}^{commit}")
output=${3:-results/ci-perf}
rounds=${ROUNDS:-10}
duration=${DURATION:-2s}
cells=${CELLS:-"--arch local --workload zipf
--arch replicated --workload zipf
--arch sharded_replicated --lattice lww --workload contended"}

mkdir -p "$output"
output=$(cd "$output" && pwd)
rm -rf "$output/A" "$output/B"
work=$(mktemp -d)
trap 'git worktree remove --force "${tree:-}" 2>/dev/null || true; rm -rf "$work"' EXIT

# Both are built in one place, so that what they have in common is built once, dependencies included;
# what was built is kept by its commit.
target=${CARGO_TARGET_DIR:-$PWD/target}
tree=$target/ci-perf/tree
build() {
  local program=$target/ci-perf/kvs-bench-$2
  if [ ! -x "$program" ]; then
    git worktree prune
    [ -d "$tree" ] || git worktree add --quiet --detach "$tree" "$2"
    git -C "$tree" checkout --quiet --detach "$2"
    (cd "$tree" && CARGO_TARGET_DIR="$target" cargo build --release --quiet --bin kvs-bench)
    cp "$target/release/kvs-bench" "$program"
  fi
  cp "$program" "$work/$1"
}
mkdir -p "$target/ci-perf"
build A "$base"
build B "$head"

# One run of a program in a cell. A broken promise, and a run that is void, are the comparison's
# business.
run() {
  local program=$1 seed=$2 status=0
  shift 2
  "$work/$program" "$@" --duration "$duration" --warmup 300ms --records 1000 --seed "$seed" \
    --engine direct --results "$output/$program" >/dev/null 2>>"$output/errors.txt" || status=$?
  if [ "$status" -gt 2 ]; then
    echo "error: a run of $program has no result (exit status $status): $(tail -1 "$output/errors.txt")" >&2
    exit 255
  fi
}
: >"$output/errors.txt"
for round in $(seq "$rounds"); do
  order="A B"
  [ $((round % 2)) = 1 ] || order="B A"
  while read -r cell; do
    for program in $order; do
      # shellcheck disable=SC2086
      run "$program" "$round" $cell
    done
  done <<<"$cells"
done

# The head's comparison judges both.
status=0
"$work/B" compare "$output/A" "$output/B" --gate --ci "$output" || status=$?
if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
  cat "$output/summary.md" >>"$GITHUB_STEP_SUMMARY"
fi
echo "summary.md, compare.html, benchmark-*.json, bencher.json and junit.xml are in $output"
exit "$status"
