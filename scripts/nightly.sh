#!/usr/bin/env bash
# What takes too long for every commit: every model's checkers against a brute force that
# enumerates its definition, on many random histories, and a table of how many were valid and
# invalid; 1,000 simulated seeds of every architecture and lattice, 100,000 of quorums and Raft; the large protocol models,
# explored to the end (scripts/models.sh); twenty runs of each store of the catalogue
# (scripts/false-alarms.sh), whose counts results/false-alarms.tsv adds up over the nights; then each
# fuzz target for some minutes, where cargo-fuzz is installed. Fails when two checkers disagree (the
# history, shrunk, is printed as JSON lines), when a simulated store breaks its promise, when a model
# is broken, when a run of a store is not valid, or when a target crashes.
#
#   scripts/nightly.sh [HISTORIES [SEED [MINUTES]]]
#
# 100,000 histories a model, seeds from today's date, 10 minutes a fuzz target.
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

echo "1,000 simulated seeds of every architecture and lattice, from $KVS_ORACLE_SEED"
scripts/simulate.sh 1000 "$KVS_ORACLE_SEED"
echo "100,000 simulated seeds of every kind of quorum and of Raft, from $KVS_ORACLE_SEED"
scripts/simulate.sh 100000 "$KVS_ORACLE_SEED" quorum "quorum(5)" "quorum(3, write-back = off)" \
  "quorum(3, r = 1, w = 1)" sloppy raft "raft(5)" "raft(reads = log)"

echo "the large protocol models"
scripts/models.sh large

echo "twenty runs of every store of the catalogue: each must be VALID"
if scripts/install-stores.sh; then
  mkdir -p results
  scripts/false-alarms.sh 20 "$(date -u +%Y%m%d)000" results/false-alarms.tsv
else
  echo "Redis and etcd are not run: they cannot be had here"
fi

if ! command -v cargo-fuzz >/dev/null; then
  echo "not fuzzed: cargo install cargo-fuzz"
  exit 0
fi
for target in jsonl arrow imports checkers; do
  echo "fuzzing $target for ${3:-10} minutes"
  mkdir -p "fuzz/corpus/$target"
  RUSTC_BOOTSTRAP=1 cargo fuzz run "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
    -max_total_time="$((${3:-10} * 60))" -max_len=4096 -verbosity=0
done
