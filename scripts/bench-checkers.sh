#!/usr/bin/env bash
# Measures reading and judging histories of ten thousand to ten million operations, and prints Markdown tables beside
# their targets. About an hour; with --quick, up to a million operations in one shape, under two minutes.
# --store linearizable|causal|black-box|ccv, --variant valid|anomaly|unknown, --operations, --sessions and --keys leave the
# rest out, --all measures every combination.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo bench --quiet --bench checkers -- "$@"
