#!/usr/bin/env bash
# How often does `kvs-bench compare` call runs of the same different, on this machine as it is? Runs
# the same again and again, and compares a thousand times ten of them with ten that ran in between.
#   scripts/compare-aa.sh [RUNS] [ARGUMENTS OF kvs-bench run]       (default 120, --arch local)
set -euo pipefail
cd "$(dirname "$0")/.."

runs=${1:-120}
shift || true
[ "$#" -gt 0 ] || set -- --arch local
cargo build --release --quiet --bin kvs-bench
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
for seed in $(seq "$runs"); do
  "${CARGO_TARGET_DIR:-target}/release/kvs-bench" "$@" --duration 1s --warmup 300ms --records 1000 --seed "$seed" \
    --engine direct --results "$results" >/dev/null
done
"${CARGO_TARGET_DIR:-target}/release/kvs-bench" compare "$results" --aa 10
