#!/usr/bin/env bash
# Reproduces what docs/quorums.md shows, one command each, in four minutes: what quorums promise, and
# what clients see when they promise less.
#
#   scripts/exhibits.sh [NAME…]     all of them, or those that are named
#
# Each line ends with the verdict that was expected and the one that came. Exit status: 0 when all came
# as expected, 1 otherwise, 254 when one is named that is not here. An anomaly that depends on timing is
# tried three times.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --quiet --bin kvs-bench
bench=${CARGO_TARGET_DIR:-target}/release/kvs-bench
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
TRIES=3

contended=(--workload contended --duration 3s)
parted=(--workload contended --duration 9s --timeout-ms 500)
cut='nemesis=[{at="2s", for="5s", fault="partition", what="majority", nodes='
kills=(--workload contended --rate 500 --sessions 2000 --nemesis kill --nemesis-targets one
  --nemesis-interval 4s --duration 34s)
wanted=("$@")
tried=0 failed=0

# The verdict of the screen: the one of a run, or of the seeds of a simulation, of which one is enough.
verdict_of() {
  local verdict
  verdict=$(grep -oE '^Verdict +(VALID|INVALID|UNKNOWN)' "$1" | awk '{print $2}' || true)
  if [ -z "$verdict" ] && grep -q '^verdicts .*invalid' "$1"; then verdict=INVALID; fi
  if [ -z "$verdict" ] && grep -qE '^verdicts +valid [0-9]+ *$' "$1"; then verdict=VALID; fi
  echo "${verdict:-nothing}"
}

# The arguments as a shell takes them.
quoted() {
  local argument
  for argument in "$@"; do
    if [[ $argument == *[\ \(]* ]]; then argument="'$argument'"; fi
    printf ' %s' "$argument"
  done
}

# exhibit NAME EXPECTED ARGUMENTS…: expected is VALID or INVALID, which may need a few tries.
exhibit() {
  local name=$1 expected=$2 verdict tries=0 start
  shift 2
  if [ "${#wanted[@]}" -gt 0 ] && [[ " ${wanted[*]} " != *" $name "* ]]; then return; fi
  tried=$((tried + 1)) start=$SECONDS
  local where=(--results "$results")
  if [ "$1" = sim ]; then where=(); fi
  while :; do
    tries=$((tries + 1))
    "$bench" "$@" "${where[@]}" >"$results/screen" 2>&1 || true
    verdict=$(verdict_of "$results/screen")
    # A store that must be valid gets one try: a second would hide a false alarm.
    if [ "$verdict" = "$expected" ] || [ "$expected" = VALID ] || [ "$tries" -ge "$TRIES" ]; then break; fi
  done
  printf '%-28s %3d s  expected %-7s came %s\n' "$name" $((SECONDS - start)) "$expected" "$verdict"
  printf '  kvs-bench%s\n' "$(quoted "$@")"
  grep -E '^(Proof|seed )' -A 7 "$results/screen" | head -8 || true
  # What the exhibit is about when there is nothing to prove: ages of reads, successes around faults.
  grep -E '^Staleness' -A 3 "$results/screen" || true
  grep -E '^Nemesis' -A 2 "$results/screen" || true
  if [ "$verdict" != "$expected" ]; then
    failed=1
    tail -n 25 "$results/screen"
  fi
}

exhibit inversion INVALID --arch 'quorum(3, r = 1, w = 3, write-back = off)' --promise linearizable \
  "${contended[@]}"
exhibit inversion-regular VALID --arch 'quorum(3, r = 1, w = 3, write-back = off)' "${contended[@]}"
exhibit inversion-write-back VALID --arch 'quorum(3, r = 1, w = 3)' --promise linearizable \
  "${contended[@]}"
exhibit inversion-majorities INVALID sim --arch 'quorum(5, write-back = off)' --promise linearizable \
  --keys 1 --sessions 8 --seeds 0..300
exhibit no-inversion VALID sim --arch 'quorum(5)' --promise linearizable --keys 1 --sessions 8 \
  --seeds 0..300
exhibit stale INVALID --arch 'quorum(r = 1, w = 1)' --promise linearizable "${contended[@]}"
exhibit stale-eventual VALID --arch 'quorum(r = 1, w = 1)' "${contended[@]}"
exhibit sloppy INVALID --arch sloppy --promise regular --workload contended --duration 8s
exhibit partition-sloppy INVALID --arch sloppy --promise regular "${parted[@]}" --set "$cut[0, 3]}]"
exhibit partition-eventual VALID --arch sloppy "${parted[@]}" --set "$cut[0, 3]}]"
exhibit partition-quorum VALID --arch quorum "${parted[@]}" --set "$cut[0]}]"
exhibit kill-quorum VALID --arch quorum "${kills[@]}"
exhibit kill-replicated VALID --arch replicated "${kills[@]}"
exhibit kill-local INVALID --arch local "${kills[@]}"
if [ "$tried" -lt "${#wanted[@]}" ] || [ "$tried" = 0 ]; then
  echo "$tried of ${#wanted[@]} exhibits that were named were tried: the others are not here" >&2
  failed=254
fi
exit "$failed"
