#!/usr/bin/env bash
# Measures reading and judging histories of ten thousand to ten million operations, and prints Markdown tables beside
# their targets. About an hour; with --quick, up to a million operations in one shape, under two minutes.
# Then it simulates each store under every kind of fault on eight keys, and judges what was recorded with the store's
# evidence (`valid`) and by what clients saw alone (`no-evidence`): with --quick in the smaller size only.
# --store linearizable|causal|black-box|ccv, or faulted-local, faulted-sharded, faulted-replicated-causal,
# faulted-replicated-lww, faulted-sharded-replicated-causal, faulted-sharded-replicated-lww;
# --variant valid|anomaly|unknown|no-evidence, --operations (steps of the workload under faults: 40000, 100000),
# --sessions and --keys leave the rest out, --all measures every combination.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo bench --quiet --bench checkers -- "$@"
