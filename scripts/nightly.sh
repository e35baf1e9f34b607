#!/usr/bin/env bash
# What takes too long for every commit. So far: every model's checkers against a brute force that
# enumerates its definition, on many random histories, and a table of how many were valid and
# invalid. Fails when two of them disagree; the history, shrunk, is then printed as JSON lines.
#
#   scripts/nightly.sh [HISTORIES [SEED]]     100,000 histories a model, seeds from today's date
set -euo pipefail
cd "$(dirname "$0")/.."

# Both are part of the build: checkers read no environment.
export KVS_ORACLE_HISTORIES=${1:-100000}
export KVS_ORACLE_SEED=${2:-$(date -u +%Y%m%d)000000}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "every model on $KVS_ORACLE_HISTORIES histories, seeds from $KVS_ORACLE_SEED"
status=0
cargo test --release --quiet --lib checker::tests -- --nocapture >"$log" 2>&1 || status=$?
if [ "$status" -ne 0 ]; then
  cat "$log"
  exit "$status"
fi
# The lines of other tests stand between those of the table.
grep -o 'oracle  .*' "$log" | sed 's/^oracle  //' | sort
