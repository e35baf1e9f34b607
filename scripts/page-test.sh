#!/usr/bin/env bash
# Opens report pages in headless Chromium at two widths, as a reader would: tests/page says what is
# asked of them. The page of an hour is made from a made-up course of 3,600 seconds and 12 nodes.
#   scripts/page-test.sh [SCREENSHOTS]        (default: a temporary directory)
set -euo pipefail
cd "$(dirname "$0")/.."

results=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$results"' EXIT
screenshots=${1:-$results/screenshots}
if ! command -v chromium >/dev/null; then
  apt-get update -qq >/dev/null && apt-get install -y -qq chromium >/dev/null
fi
cargo build --release --quiet --bin kvs-bench
(cd tests/page && CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-../../target} cargo build --quiet)
bench=${CARGO_TARGET_DIR:-target}/release/kvs-bench

# Runs kvs-bench with some arguments, whatever the verdict: on a busy machine the numbers of an open loop may be void,
# which is a page too.
bench() {
  local status=0
  "$bench" "$@" >"$results/screen" || status=$?
  if [ "$status" -gt 2 ]; then
    cat "$results/screen"
    echo "ended with $status: kvs-bench $*" >&2
    exit 1
  fi
}
# Leaves the page of a run with the rest of the arguments in $results/NAME.
run() {
  local name=$1
  shift
  bench --results "$results/all" "$@"
  cp -r "$(readlink -f "$results/all/latest")" "$results/$name"
}
# On disks: what a killed node alone held in memory is lost by right, and the run is invalid.
run valid --arch sharded_replicated --workload contended --nemesis partition,kill --nemesis-interval 2s \
  --durability disk --duration 10s --timeout-ms 500 --slo 'p99<10s'
run open-loop --arch local --rate 1k --duration 2s --warmup 200ms
run invalid --arch replicated --lattice lww --workload contended --bug overwriting-merge --duration 1s
# A run of one point in time is a page too; at this one, charts once ended when they were zoomed.
cp -r "$results/open-loop" "$results/point"
awk -F, -v OFS=, 'NR == 1 { print } NR == 2 { first = $1 } NR > 1 && $1 == first { $1 = "0.548"; $2 = "1.551"; print }' \
  "$results/open-loop/timeseries.csv" >"$results/point/timeseries.csv"
bench report --html "$results/point"
run nothing --arch local --no-history --duration 1s --warmup 0s --records 10

cp -r "$results/valid" "$results/hour"
awk 'BEGIN {
  srand(1); OFS = ","
  print "start_s,end_s,kind,operations,operations_per_s,errors,offered,late,response_p50_ns,response_p90_ns,response_p99_ns,response_p999_ns,response_max_ns,service_p50_ns,service_p90_ns,service_p99_ns,service_p999_ns,service_max_ns,available"
  split("all read update insert read-modify-write", kinds, " ")
  for (s = 0; s < 3600; s++) for (k = 1; k <= 5; k++) {
    n = int(90000 * rand() / k); ns = int(100000 + 400000 * rand())
    print s, s + 1, kinds[k], n, n, int(3 * rand()), "", 0, "", "", "", "", "", ns, ns * 2, ns * 3, ns * 9, ns * 80, 0.999
  }
}' >"$results/hour/timeseries.csv"
awk 'BEGIN {
  srand(2); OFS = ","
  print "start_s,end_s,scope,id,operations,operations_per_s,errors,p50_ns,p99_ns,p999_ns,max_ns"
  for (s = 0; s < 3600; s++) for (i = 0; i < 16; i++) {
    n = int(9000 * rand()); ns = int(100000 + 400000 * rand())
    print s, s + 1, i < 12 ? "node" : "group", i % 12, n, n, 0, ns, ns * 3, ns * 9, ns * 80
  }
}' >"$results/hour/nodes.csv"
bench report --html "$results/hour"

"$bench" serve "$results/all" --port 0 >"$results/served" &
server=$!
for _ in $(seq 100); do
  grep -q http "$results/served" && break
  sleep 0.1
done
url=$(grep -o 'http://[^ ]*/' "$results/served")
runs=$(cd "$results/all" && ls -d 2*)
first=$(sed -n 1p <<<"$runs")
second=$(sed -n 2p <<<"$runs")

"${CARGO_TARGET_DIR:-target}/debug/kvs-zoo-page-test" "$screenshots" \
  "$results/valid/report.html=VALID" "$results/open-loop/report.html=VALID" \
  "$results/point/report.html=VALID" "$results/invalid/report.html=INVALID" "$results/nothing/report.html=UNKNOWN" \
  "$results/hour/report.html=VALID" \
  "$url=Runs" "${url}runs/$first/=VALID" "${url}compare?run=$first&run=$second=NOTHING" \
  "${url}compare?run=$first&run=$first=TOO FEW"
