#!/usr/bin/env bash
# How fast kvs-bench drives Redis, beside redis-benchmark: the same server, values and mix, as many
# operations outstanding, interleaved, histories on. Then what an operation costs the client in CPU,
# and the stall test: a generator that is honest shows in full that Redis stood still for two seconds.
#
#   scripts/bench-foreign.sh [--quick]
#
# The last line is `ratio R at 64: met|missed`; exit status 1 when anything is missed. Targets: at 1
# and 16 outstanding at least 0.9 of redis-benchmark's throughput, at 64 and 256 at least 0.8; at 64 at
# most 1.3 times its CPU an operation; of the stall p90 1.0 s, p95 1.5 s, p99 1.9 s, within a quarter.
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=5 seconds=5 requests=1500000
if [ "${1:-}" = --quick ]; then rounds=2 seconds=2 requests=400000; fi
CPU_TIMES_MAX=1.3

cargo build --release --quiet --bin kvs-bench
bench=${CARGO_TARGET_DIR:-target}/release/kvs-bench
work=$(mktemp -d)
port=7391
redis-server --port $port --save "" --appendonly no --dir "$work" >"$work/log" &
server=$!
trap 'kill -CONT $server 2>/dev/null; kill $server 2>/dev/null; rm -rf "$work"' EXIT
until redis-cli -p $port ping >/dev/null 2>&1; do kill -0 $server || exit 1; done

TIMEFORMAT='%U %S'
# Half reads and half writes of 100 bytes: redis-benchmark runs one kind at a time, so its rate is the
# harmonic mean of both.
theirs() {
  local outstanding=$1 n=$requests
  if [ "$outstanding" -lt 16 ]; then n=$((requests / 20)); fi
  redis-benchmark -p $port -t set,get -n "$n" -d 100 -r 10000 -c 1 -P "$outstanding" --csv 2>/dev/null |
    awk -F'","|"' '/^"(SET|GET)"/ {inverse += 1 / $3; kinds++} END {print kinds / inverse}'
}
# ours OUTSTANDING SECONDS FIELD: what run.json says of a run.
ours() {
  "$bench" --store redis --endpoints 127.0.0.1:$port --workload zipf --set distribution=uniform \
    --value-size 100 --sessions "$1" --duration "$2s" --warmup 500ms --budget 0.1 --json \
    --results "$work" 2>/dev/null |
    python3 -c 'import json,sys; print(json.load(sys.stdin)["statistics"]["throughput"][sys.argv[1]])' "$3"
}
# spread RATIO…: the median in `middle`, and the ends in `ends`.
spread() {
  local sorted
  sorted=$(printf '%s\n' "$@" | sort -n)
  middle=$(sed -n "$((($# + 1) / 2))p" <<<"$sorted")
  ends="(from $(head -n 1 <<<"$sorted") to $(tail -n 1 <<<"$sorted"))"
}
status=0
# judged IS_MET: the word for it, and the exit status.
judged() { if [ "$1" = 1 ]; then word=met; else word=missed status=1; fi; }

at64=
for outstanding in 1 16 64 256; do
  target=0.9
  if [ "$outstanding" -ge 64 ]; then target=0.8; fi
  ratios=()
  for _ in $(seq $rounds); do
    t=$(theirs $outstanding) o=$(ours $outstanding $seconds achieved_per_s)
    ratios+=("$(awk -v o="$o" -v t="$t" 'BEGIN {printf "%.3f", o / t}')")
  done
  spread "${ratios[@]}"
  judged "$(awk -v m="$middle" -v t=$target 'BEGIN {print (m >= t)}')"
  echo "$outstanding outstanding: $middle of redis-benchmark's $(printf '%.0f' "$t") a second" \
    "$ends, target $target: $word"
  if [ "$outstanding" = 64 ]; then at64="ratio $middle at 64: $word"; fi
done

# The client's CPU an operation: that of a longer command, less that of a shorter one, so that what
# comes once does not count. Recording the history counts. Judging it does not, since redis-benchmark
# judges nothing: what `check` takes for the same history is taken off, and said beside it.
cpu_of() { { time "$@" >"$work/out"; } 2>&1 | awk '{print $1 + $2}'; }
# driven SECONDS: CPU seconds of a run, those of judging its history, and its operations.
driven() {
  local run judging operations
  run=$(cpu_of ours 64 "$1" operations) operations=$(cat "$work/out")
  judging=$(cpu_of "$bench" check "$work/latest" --budget 0.1)
  echo "$run $judging $operations"
}
# Driving and recording, and the same with judging, in µs an operation.
our_cost() {
  local short long
  short=$(driven 1) long=$(driven "$((1 + seconds))")
  awk -v short="$short" -v long="$long" 'BEGIN {
    split(short, s); split(long, l)
    operations = l[3] - s[3]
    all = 1e6 * (l[1] - s[1]) / operations
    print all - 1e6 * (l[2] - s[2]) / operations, all
  }'
}
their_cost() {
  local cpu
  cpu=$(cpu_of redis-benchmark -p $port -t set,get -n "$requests" -d 100 -r 10000 -c 1 -P 64 --csv)
  awk -v c="$cpu" -v n="$requests" 'BEGIN {print 1e6 * c / (2 * n)}'
}
costs=() judged_costs=()
for _ in $(seq $rounds); do
  t=$(their_cost)
  read -r o all <<<"$(our_cost)"
  costs+=("$(awk -v o="$o" -v t="$t" 'BEGIN {printf "%.2f", o / t}')")
  judged_costs+=("$(awk -v o="$all" -v t="$t" 'BEGIN {printf "%.2f", o / t}')")
done
spread "${judged_costs[@]}"
with_judging="$middle $ends"
spread "${costs[@]}"
judged "$(awk -v m="$middle" -v t=$CPU_TIMES_MAX 'BEGIN {print (m <= t)}')"
echo "client CPU at 64 outstanding: $middle times redis-benchmark's $(printf '%.2f' "$t") µs an operation" \
  "$ends, target $CPU_TIMES_MAX: $word; with judging $with_judging"

# A thousand operations a second for ten seconds; Redis stands still for two of them.
"$bench" --store redis --endpoints 127.0.0.1:$port --workload zipf --rate 1000 --arrivals constant \
  --duration 10s --warmup 0s --timeout-ms 5000 --records 1000 --json --results "$work" \
  >"$work/stalled" 2>"$work/screen" &
run=$!
sleep 4
kill -STOP $server
sleep 2
kill -CONT $server
ended=0
wait $run || ended=$?
# 2 is a verdict that is unknown or numbers that are void: the stall itself may do that.
if [ $ended != 0 ] && [ $ended != 2 ]; then
  echo "the run with a stall ended with $ended:" >&2
  cat "$work/screen" >&2
  exit 1
fi
stall=$(python3 - "$work/stalled" <<'PYTHON'
import json, sys
response = json.load(open(sys.argv[1]))["statistics"]["response"]
wanted = {"p90": 1.0, "p95": 1.5, "p99": 1.9}
shown = {name: response[name] / 1e9 for name in wanted}
print(int(all(abs(shown[name] / wanted[name] - 1) <= 0.25 for name in wanted)), end=" ")
print(", ".join(f"{name} {shown[name]:.2f} s of {wanted[name]} s" for name in wanted))
PYTHON
)
judged "${stall%% *}"
echo "a stall of 2 s in 10 s: ${stall#* }: $word"
echo "$at64"
exit $status
