#!/usr/bin/env bash
# Simulates every architecture and lattice, and succeeds only if no seed raises an alarm. With
# --speed it measures instead: simulated operations a second on one core, checks included.
#
#   scripts/simulate.sh [SEEDS [FIRST [ARCHITECTURE…]]]     # 1000 each, from seed 0; all, or these
#   scripts/simulate.sh --speed
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --quiet
sim=("${CARGO_TARGET_DIR:-target}/release/kvs-bench" sim)

if [ "${1:-}" = --speed ]; then
  for lattice in causal lww; do
    for run in 1 2 3; do
      # User time, since the machine may have other things to do.
      out=$(mktemp)
      user=$({ TIMEFORMAT=%U; time "${sim[@]}" --lattice "$lattice" --seeds 0..500 --jobs 1 --json >"$out"; } 2>&1)
      operations=$(sed -n 's/^  "operations": \([0-9]*\),$/\1/p' "$out")
      rm -f "$out"
      awk -v o="$operations" -v u="$user" -v l="$lattice" -v r="$run" \
        'BEGIN { printf "%-6s run %d: %d operations in %.2f s of CPU, %d a second\n", l, r, o, u, o / u }'
    done
  done
  exit 0
fi

seeds=${1:-1000}
first=${2:-0}
status=0
try() {
  printf '%-45s ' "$*"
  if screen=$("${sim[@]}" "$@" --seeds "$first..$((first + seeds))"); then
    sed -n 's/^verdicts *//p' <<<"$screen"
  else
    echo ALARM
    echo "$screen"
    status=1
  fi
}
alone=("${@:3}")
if [ "${#alone[@]}" -eq 0 ]; then
  alone=(local sharded quorum "quorum(5)" "sharded(2, quorum)" "quorum(3, write-back = off)"
    "quorum(3, r = 1, w = 1)" sloppy "sloppy(5, spares = 1)" raft "raft(5)" "raft(reads = log)" "sharded(2, raft)")
fi
for arch in "${alone[@]}"; do
  try --arch "$arch"
done
if [ "$#" -gt 2 ]; then exit "$status"; fi
for arch in replicated sharded_replicated "replicated(5)" "sharded(2, replicated(2))"; do
  for lattice in causal lww; do
    try --arch "$arch" --lattice "$lattice"
  done
done
exit "$status"
