#!/usr/bin/env bash
# A long run under every fault, at moderate load: memory and file descriptors must stay flat, and the
# promise kept. Prints them each minute, and the last quarter relative to the second.
#   scripts/endurance.sh [DURATION] [MORE ARGUMENTS OF kvs-bench]         (default 1h)
set -euo pipefail
cd "$(dirname "$0")/.."

duration=${1:-1h}
shift || true
cargo build --release --quiet --bin kvs-bench
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

"${CARGO_TARGET_DIR:-target}/release/kvs-bench" --arch sharded_replicated --workload contended --records 1000 \
  --durability disk --nemesis all --rate 1k --timeout-ms 500 --duration "$duration" \
  --results "$results" "$@" >"$results/screen" 2>&1 &
bench=$!

children() { cat "/proc/$1/task/$1/children" 2>/dev/null || true; }
kib() { awk '/^VmRSS/ { sum += $2 } END { print sum + 0 }' "$@" 2>/dev/null || true; }
fds() { find "$@" -mindepth 1 2>/dev/null | wc -l; }
printf '%8s %14s %12s %14s %10s\n' minute harness-KiB harness-fds nodes-KiB nodes-fds
minute=0
while kill -0 "$bench" 2>/dev/null; do
  nodes=$(for agent in $(children "$bench"); do children "$agent"; done)
  status=() open=()
  for node in $nodes; do
    status+=("/proc/$node/status")
    open+=("/proc/$node/fd")
  done
  [ "${#status[@]}" = 0 ] || printf '%8s %14s %12s %14s %10s\n' "$minute" \
    "$(kib "/proc/$bench/status")" "$(fds "/proc/$bench/fd")" "$(kib "${status[@]}")" "$(fds "${open[@]}")"
  minute=$((minute + 1))
  for _ in $(seq 60); do
    kill -0 "$bench" 2>/dev/null || break
    sleep 1
  done
done | tee "$results/samples"
status=0
wait "$bench" || status=$?

awk 'NR > 1 { harness[NR] = $2; fds[NR] = $3; nodes[NR] = $4; n = NR }
  END {
    from = int(n / 4) + 1; middle = int(n / 2); last = int(3 * n / 4) + 1
    for (i = from; i <= middle; i++) { a += harness[i]; b += nodes[i]; f += fds[i]; k++ }
    for (i = last; i <= n; i++) { c += harness[i]; d += nodes[i]; g += fds[i]; m++ }
    if (k && m) printf "last quarter / second quarter: harness memory %.2f, nodes memory %.2f, harness descriptors %.2f\n",
      c / m / (a / k), d / m / (b / k), g / m / (f / k)
  }' "$results/samples"
cat "$results/screen"
exit "$status"
