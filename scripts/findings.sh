#!/usr/bin/env bash
# Reproduces what docs/findings.md says, one command each, in under ten minutes: what kvs-bench finds
# in Redis and etcd, and what it must not find. Needs root (network namespaces) and the
# stores (scripts/install-stores.sh).
#
#   scripts/findings.sh [NAME…]     all of them, or those that are named
#
# Each line ends with the verdict that was expected and the one that came. Exit status: 0 when all came
# as expected, 1 otherwise, 254 when one is named that is not here. A finding that depends on timing is
# tried three times. `either` stands where no loss was found in many runs, and where a loss would be no
# surprise.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --quiet --bin kvs-bench
bench=${CARGO_TARGET_DIR:-target}/release/kvs-bench
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
TRIES=3

cut=(--workload write-once --host netns --nemesis partition --nemesis-targets primary
  --nemesis-interval 8s --duration 16s --rate 2000 --sessions 16)
wanted=("$@")
tried=0 failed=0

# finding NAME EXPECTED ARGUMENTS…: expected is VALID, INVALID, which may need a few tries, or either.
finding() {
  local name=$1 expected=$2 verdict= tries=0 start
  shift 2
  if [ "${#wanted[@]}" -gt 0 ] && [[ " ${wanted[*]} " != *" $name "* ]]; then return; fi
  tried=$((tried + 1)) start=$SECONDS
  while :; do
    tries=$((tries + 1))
    "$bench" "$@" --results "$results" >"$results/screen" 2>&1 || true
    verdict=$(grep -oE '^Verdict +(VALID|INVALID|UNKNOWN)' "$results/screen" | awk '{print $2}' || true)
    [ "$verdict" = "$expected" ] && break
    if [ "$expected" = either ] && [[ $verdict == VALID || $verdict == INVALID ]]; then break; fi
    # A store that must be valid gets one try: a second would hide a false alarm.
    if [ "$expected" = VALID ] || [ "$tries" -ge "$TRIES" ]; then break; fi
  done
  printf '%-28s %3d s  expected %-7s came %s\n' "$name" $((SECONDS - start)) "$expected" "${verdict:-nothing}"
  printf '  kvs-bench %s\n' "$*"
  grep -E '^Proof' -A 7 "$results/screen" | head -8 || true
  if [ "$verdict" != "$expected" ] && ! [[ $expected == either && $verdict == *VALID ]]; then
    failed=1
    tail -n 25 "$results/screen"
  fi
}

finding redis-stale-replica INVALID --store redis-replicated --promise linearizable --workload contended
finding sentinel-lost-writes INVALID --store redis-sentinel "${cut[@]}"
finding sentinel-min-replicas INVALID --store redis-sentinel --set store.min-replicas=1 "${cut[@]}"
finding sentinel-wait either --store redis-sentinel --set store.wait=1 "${cut[@]}"
finding etcd-stale-serializable INVALID --store etcd --set store.consistency=serializable \
  --promise linearizable --workload contended
finding etcd-linearizable VALID --store etcd --workload contended --host netns \
  --nemesis kill,pause,partition --nemesis-interval 3s --duration 18s
if [ "$tried" -lt "${#wanted[@]}" ] || [ "$tried" = 0 ]; then
  echo "$tried of ${#wanted[@]} findings that were named were tried: the others are not here" >&2
  failed=254
fi
exit "$failed"
