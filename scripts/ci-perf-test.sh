#!/usr/bin/env bash
# Tests scripts/ci-perf.sh: an identical commit must pass, and a commit with a planted slowdown of
# about 15 % must be refused, TRIALS times each (default 10). One cell, ten rounds of a second: a
# trial takes about a minute. Before that, two rounds, which decide nothing, must be neither.
#   scripts/ci-perf-test.sh [TRIALS]
# SPIN_NS is how long the slow node spins for each request; the slowdown that it made is printed.
set -euo pipefail
cd "$(dirname "$0")/.."

trials=${1:-10}
spin=${SPIN_NS:-1100}
work=$(mktemp -d)
trap 'git worktree remove --force "$work/slow" 2>/dev/null || true; rm -rf "$work"; git worktree prune' EXIT
export ROUNDS=${ROUNDS:-10} DURATION=${DURATION:-1s}
export CELLS=${CELLS:---arch local --workload zipf}

git worktree add --quiet --detach "$work/slow" HEAD
# Where a node counts a request it also spins.
sed -i "s|^\( *\)service.counters.borrow_mut().requests += 1;|&\n\1let until = std::time::Instant::now() + std::time::Duration::from_nanos($spin);\n\1while std::time::Instant::now() < until {}|" \
  "$work/slow/crates/node/src/node/service.rs"
if git -C "$work/slow" diff --quiet; then
  echo "the slowdown could not be planted: crates/node/src/node/service.rs is not as this script expects"
  exit 255
fi
git -C "$work/slow" -c user.name=test -c user.email=test@localhost commit --quiet --all --message "A planted slowdown"
slow=$(git -C "$work/slow" rev-parse HEAD)

wrong=0
status=0
ROUNDS=2 DURATION=300ms scripts/ci-perf.sh HEAD HEAD "$work/out" >"$work/screen" 2>&1 || status=$?
mark=ok
if [ "$status" != 2 ]; then
  mark=WRONG
  wrong=1
  cat "$work/screen"
fi
echo "$mark two rounds: exit status $status; $(grep -m1 'too few runs' "$work/screen")"
for trial in $(seq "$trials"); do
  for case in same slow; do
    head=HEAD
    [ "$case" = same ] || head=$slow
    status=0
    scripts/ci-perf.sh HEAD "$head" "$work/out" >"$work/screen" 2>&1 || status=$?
    expected=0
    [ "$case" = same ] || expected=1
    mark=ok
    if [ "$status" != "$expected" ]; then
      mark=WRONG
      wrong=$((wrong + 1))
      cat "$work/screen"
    fi
    echo "$mark trial $trial, $case: exit status $status; $(grep -m1 ' throughput ' "$work/screen")"
  done
done
echo "$wrong of $((trials * 2 + 1)) answers are wrong"
[ "$wrong" = 0 ]
