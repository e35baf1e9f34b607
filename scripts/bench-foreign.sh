#!/usr/bin/env bash
# How fast kvs-bench drives Redis, beside redis-benchmark: the same server, values and mix, as many
# operations outstanding, interleaved, histories on.
#
#   scripts/bench-foreign.sh [--quick]
#
# The last line is `ratio R at 64: met|missed`; exit status 1 when missed. Targets: at 1 and 16
# outstanding at least 0.9 of redis-benchmark's throughput, at 64 and 256 at least 0.8.
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=5 seconds=5s requests=1500000
if [ "${1:-}" = --quick ]; then rounds=2 seconds=2s requests=400000; fi

cargo build --release --quiet --bin kvs-bench
bench=${CARGO_TARGET_DIR:-target}/release/kvs-bench
work=$(mktemp -d)
port=7391
redis-server --port $port --save "" --appendonly no --dir "$work" >"$work/log" &
server=$!
trap 'kill $server 2>/dev/null; rm -rf "$work"' EXIT
until redis-cli -p $port ping >/dev/null 2>&1; do kill -0 $server || exit 1; done

# Half reads and half writes of 100 bytes: redis-benchmark runs one kind at a time, so its rate is the
# harmonic mean of both.
theirs() {
  local outstanding=$1 n=$requests
  if [ "$outstanding" -lt 16 ]; then n=$((requests / 20)); fi
  redis-benchmark -p $port -t set,get -n "$n" -d 100 -r 10000 -c 1 -P "$outstanding" --csv 2>/dev/null |
    awk -F'","|"' '/^"(SET|GET)"/ {inverse += 1 / $3; kinds++} END {print kinds / inverse}'
}
ours() {
  "$bench" --store redis --endpoints 127.0.0.1:$port --workload zipf --set distribution=uniform \
    --value-size 100 --sessions "$1" --duration $seconds --warmup 500ms --budget 0.1 --json \
    --results "$work" 2>/dev/null |
    python3 -c 'import json,sys; print(json.load(sys.stdin)["statistics"]["throughput"]["achieved_per_s"])'
}

status=0 at64=
for outstanding in 1 16 64 256; do
  target=0.9
  if [ "$outstanding" -ge 64 ]; then target=0.8; fi
  ratios=()
  for _ in $(seq $rounds); do
    t=$(theirs $outstanding) o=$(ours $outstanding)
    ratios+=("$(awk -v o="$o" -v t="$t" 'BEGIN {printf "%.3f", o / t}')")
  done
  sorted=$(printf '%s\n' "${ratios[@]}" | sort -n)
  median=$(sed -n "$(((rounds + 1) / 2))p" <<<"$sorted")
  word=met
  if awk -v m="$median" -v t=$target 'BEGIN {exit !(m < t)}'; then word=missed status=1; fi
  echo "$outstanding outstanding: $median of redis-benchmark's $(printf '%.0f' "$t") a second" \
    "(from $(head -n 1 <<<"$sorted") to $(tail -n 1 <<<"$sorted")), target $target: $word"
  if [ "$outstanding" = 64 ]; then at64="ratio $median at 64: $word"; fi
done
echo "$at64"
exit $status
