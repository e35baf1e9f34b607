#!/usr/bin/env bash
# Every architecture, lattice and durability under every fault: one table, which must be as theory
# has it. Then each planted bug of the fault kind, whose row must turn red, for the right reason.
#   scripts/fault-matrix.sh [TIME A CELL] [MORE ARGUMENTS OF kvs-bench matrix]
# The default of 20 s a cell takes about 40 minutes. Writes results/fault-matrix.md.
set -euo pipefail
cd "$(dirname "$0")/.."

duration=${1:-20s}
shift || true

cargo build --release --quiet --bin kvs-bench
bench=${CARGO_TARGET_DIR:-target}/release/kvs-bench
mkdir -p results

echo "== the matrix, $duration a cell"
"$bench" matrix --duration "$duration" --out results/fault-matrix.md "$@"

echo "== the planted bugs: each must turn its row red"
missed=0
must_turn_red() {
  local bug=$1 words=$2 log status=0
  log=$(mktemp)
  "$bench" matrix --bug "$bug" --only "$words" --duration "$duration" "${@:3}" >"$log" 2>&1 || status=$?
  if [ "$status" = 1 ]; then
    echo "red    $bug: $(grep -m1 '^RED' "$log")"
  else
    echo "MISSED $bug in \"$words\" (exit status $status)"
    cat "$log"
    missed=1
  fi
  rm -f "$log"
}
must_turn_red ack-before-sync "local disk kill" --interval 1s
must_turn_red stale-after-pause "replicated causal memory partition"
must_turn_red clock-not-carried "replicated lww memory clock"
must_turn_red forgotten-context-on-failover "replicated causal memory partition" --rate 20k
# A restart that reuses dots shows where a node comes back alone, which is a schedule of its own.
"$bench" bugs run restart-reuses-dots --view real
exit "$missed"
