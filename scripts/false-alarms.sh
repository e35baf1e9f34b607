#!/usr/bin/env bash
# Runs every store of the catalogue without faults, and etcd under every fault that it can take, and
# counts the runs that are not VALID for the store's own promise. A store that keeps its promise must
# never be accused. Needs root (network namespaces) and the stores (scripts/install-stores.sh).
#
#   scripts/false-alarms.sh [RUNS [FIRST SEED [COUNTS]]]
#
# 20 runs of each, seeds from today's date. COUNTS is a file that keeps the counts of earlier days: the
# script adds its own and prints the sums. A run that was not VALID leaves its screen and its history in
# results/false-alarms/, so that a person can tell a find from a false alarm. Exit status: 0 when every
# run was VALID, 1 otherwise, 254 for bad arguments.
set -euo pipefail
cd "$(dirname "$0")/.."

runs=${1:-20} first=${2:-$(date -u +%Y%m%d)000} counts=${3:-}

if ! [[ $runs =~ ^[1-9][0-9]*$ && $first =~ ^[0-9]+$ ]]; then
  echo "runs and seeds are numbers, and there is at least one run: see the head of $0" >&2
  exit 254
fi
cargo build --release --quiet --bin kvs-bench
bench=${CARGO_TARGET_DIR:-target}/release/kvs-bench
kept=results/false-alarms
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
failed=0

# held NAME ARGUMENTS…: so many runs, one line.
held() {
  local name=$1 valid=0 seed verdict
  shift
  for ((seed = first; seed < first + runs; seed++)); do
    "$bench" "$@" --seed "$seed" --results "$results" >"$results/screen" 2>&1 || true
    verdict=$(grep -oE '^Verdict +(VALID|INVALID|UNKNOWN)' "$results/screen" | awk '{print $2}' || true)
    if [ "$verdict" = VALID ]; then
      valid=$((valid + 1))
    else
      failed=1
      mkdir -p "$kept/$name-$seed"
      cp "$results/screen" "$kept/$name-$seed/"
      cp -rL "$results/latest/." "$kept/$name-$seed/" 2>/dev/null || true
      echo "$name, seed $seed: ${verdict:-no verdict}, kept in $kept/$name-$seed" >&2
    fi
    find "$results" -mindepth 1 -delete
  done
  if [ -n "$counts" ]; then
    printf '%s\t%s\t%s\n' "$name" "$valid" "$runs" >>"$counts"
    read -r valid_sum runs_sum < <(awk -F'\t' -v n="$name" '$1 == n {v += $2; r += $3} END {print v, r}' "$counts")
    printf '%-20s %3d of %3d VALID, %d of %d in all\n' "$name" "$valid" "$runs" "$valid_sum" "$runs_sum"
  else
    printf '%-20s %3d of %3d VALID\n' "$name" "$valid" "$runs"
  fi
}

plain=(--workload contended --duration 3s --warmup 500ms --records 1000)
broken=(--workload contended --host netns --rate 1000 --nemesis-interval 3s --records 1000)
held redis --store redis "${plain[@]}"
held redis-replicated --store redis-replicated "${plain[@]}"
held redis-sentinel --store redis-sentinel "${plain[@]}"
held etcd --store etcd "${plain[@]}"
held etcd-serializable --store etcd --set store.consistency=serializable "${plain[@]}"
for fault in kill pause partition packet; do
  held "etcd-$fault" --store etcd --nemesis "$fault" --duration 12s "${broken[@]}"
done
held etcd-all --store etcd --nemesis all --duration 18s "${broken[@]}"
exit "$failed"
