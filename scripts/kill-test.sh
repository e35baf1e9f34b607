#!/usr/bin/env bash
# Hundreds of SIGKILLs under load, of nodes that keep what they acknowledge on disk: each store must
# keep its promise and lose nothing. Prints a line a store; fails when one is not valid.
#   scripts/kill-test.sh [SECONDS A STORE]        (default 30: about four kills a second)
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-30}
cargo build --release --quiet --bin kvs-bench
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

failed=0
for store in "local" "sharded" "replicated --lattice causal" "replicated --lattice lww" \
  "sharded_replicated --lattice causal" "sharded_replicated --lattice lww"; do
  status=0
  # shellcheck disable=SC2086  # a store is an architecture and its lattice
  "${CARGO_TARGET_DIR:-target}/release/kvs-bench" --arch $store --durability disk --workload contended --records 500 \
    --sessions 16 --timeout-ms 300 --nemesis kill --nemesis-interval 250ms \
    --nemesis-targets one,minority,majority,all --duration "${seconds}s" \
    --results "$results" >"$results/screen" 2>&1 || status=$?
  kills=$(grep -c '"outcome":"installed"' "$results"/latest/nemesis.jsonl || true)
  lives=$(cat "$results"/latest/nodes/*.log | grep -c 'serves at' || true)
  printf '%-36s exit %s, %s rounds of kills, %s lives of nodes: %s\n' "$store" "$status" "$kills" \
    "$lives" "$(grep -h '^Verdict' "$results/screen" || head -1 "$results/screen")"
  [ "$status" = 0 ] || failed=1
  rm -rf "${results:?}"/*
done
exit "$failed"
