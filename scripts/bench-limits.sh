#!/usr/bin/env bash
# Measures this store against what the machine allows, and prints Markdown tables of ratios beside their targets:
# 1. its nodes against a bare quinn echo, plain TCP, and Redis where redis-server is installed;
# 2. the harness itself: what recording costs, what replication and quorums cost and how fast updates spread, bytes a key.
# Under nine minutes; with --quick under three. Only ratios within one run mean anything.
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=5 seconds=2s records=1000000
for argument in "$@"; do
  if [ "$argument" = --quick ]; then rounds=3 seconds=1s records=200000; fi
done

cargo bench --quiet --bench limits -- "$@"

cargo build --release --quiet
bench=${CARGO_TARGET_DIR:-$PWD/target}/release/kvs-bench
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

# Runs the store and leaves its record in $results/run.json. Without a history the verdict is unknown (2).
run() {
  status=0
  "$bench" "$@" --results "$results" --json >"$results/run.json" || status=$?
  [ "$status" -eq 0 ] || [ "$status" -eq 2 ]
}
# The first value of a field, after the line that names the block it is in.
field() { sed -n "/\"$1\": {/,\$p" "$results/run.json" | sed -n "s/.*\"$2\": \([0-9.]*\).*/\1/p" | head -n 1; }
# The median of the numbers on standard input, then the least and the largest.
spread() { sort -g | awk '{ v[NR] = $1 } END { printf "%.2f (%.2f to %.2f)\n", v[int((NR + 1) / 2)], v[1], v[NR] }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { print a / b }'; }

measured=(--warmup 300ms --duration "$seconds" --budget 0)
load=(--workload ycsb-a "${measured[@]}")
gets=(--workload ycsb-c "${measured[@]}")
puts=(--workload ycsb-a --set mix.read=0 --set mix.update=1 "${measured[@]}")
for ((round = 0; round < rounds; round++)); do
  run --arch local --sessions 64 "${load[@]}"
  on=$(field throughput achieved_per_s)
  run --arch local --sessions 64 "${load[@]}" --no-history
  off=$(field throughput achieved_per_s)
  ratio "$on" "$off" >>"$results/recording"
  run --arch replicated --sessions 64 "${load[@]}" --no-history
  replicated=$(field throughput achieved_per_s)
  ratio "$replicated" "$off" >>"$results/replicated"
  half=$(awk -v rate="$replicated" 'BEGIN { printf "%d", rate / 2 }')
  run --arch replicated --sessions 64 "${load[@]}" --rate "$half"
  awk -v ns="$(field visibility_lag_ns p99)" 'BEGIN { print ns / 1e6 }' >>"$results/lag"
  echo "$half" >>"$results/half"
  for kind in gets puts; do
    only=("${gets[@]}")
    if [ "$kind" = puts ]; then only=("${puts[@]}"); fi
    run --arch local --sessions 64 "${only[@]}" --no-history
    alone=$(field throughput achieved_per_s)
    run --arch quorum --sessions 64 "${only[@]}" --no-history
    ratio "$(field throughput achieved_per_s)" "$alone" >>"$results/quorum-$kind"
  done
done
run --arch replicated --sessions 64 --workload ycsb-c --records "$records" --operations 1000 --warmup 0ms --no-history
overhead=$(sed -n 's/.*"overhead_bytes_per_key": \([0-9.]*\).*/\1/p' "$results/run.json" | head -n 1)

printf '\n| the harness, 64 sessions, half gets where nothing else is said, unpinned | median (range) | target |\n|---|---|---|\n'
printf '| throughput recorded / not recorded, local | %s | 0.95 |\n' "$(spread <"$results/recording")"
printf '| throughput of replicated causal / local | %s | |\n' "$(spread <"$results/replicated")"
for kind in gets puts; do
  printf '| throughput of quorum / local, %s alone | %s | 0.4 |\n' "$kind" "$(spread <"$results/quorum-$kind")"
done
printf '| visibility lag p99 at half load (%s operations/s), ms | %s | at most 5 |\n' \
  "$(sort -g "$results/half" | head -n 1)" "$(spread <"$results/lag")"
printf '| bytes a key beyond key and value, causal, %s keys | %.0f | at most 150 |\n' "$records" "$overhead"
