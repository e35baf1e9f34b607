#!/usr/bin/env bash
# What CI runs, and what to run before a commit: format, lints, tests, a short run of every
# architecture and lattice with its verdict required, and the licences of the dependencies.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; }

step "format"
cargo fmt --all --check

step "lints"
cargo clippy --release --all-targets -- -D warnings

step "documentation of the code"
RUSTDOCFLAGS="-D warnings" cargo doc --release --no-deps --quiet

step "tests"
cargo test --release

step "the checker alone: without its features, and as a library for tests of other stores"
cargo test --release -p kvs-check --no-default-features
cargo run --release --quiet -p kvs-check --example threads
cargo run --release --quiet -p kvs-check --example tokio

step "the main command, for every architecture and lattice"
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
short=(--duration 1s --warmup 200ms --records 1000 --results "$results")
for arch in local sharded quorum sloppy raft; do
  cargo run --release --quiet -- --arch "$arch" --workload zipf "${short[@]}"
done
for arch in replicated sharded_replicated; do
  for lattice in causal lww; do
    cargo run --release --quiet -- --arch "$arch" --lattice "$lattice" --workload zipf "${short[@]}"
  done
done

step "a fresh replica does what each node of a run did"
cargo run --release --quiet -- --arch replicated --workload contended --trace "${short[@]}"
cargo run --release --quiet -- check --trace "$results/latest"

# A killed node loses what its memory alone held, which is rightly called a lost write: kills are
# for stores on disks here. (The matrix and the planted bugs judge kills of memory, by theory.)
step "faults: every kind, in the socket and in the kernel; kills on disks alone"
faults=(--workload contended --nemesis-interval 1s --duration 8s --timeout-ms 500 --results "$results")
cargo run --release --quiet -- --arch replicated --nemesis partition,pause,packet,clock "${faults[@]}"
cargo run --release --quiet -- --arch sharded_replicated --durability disk --nemesis all "${faults[@]}"
command -v nft >/dev/null || apt-get install -y -qq nftables >/dev/null 2>&1 || true
if command -v nft >/dev/null && ip netns add kvs-ci 2>/dev/null && ip netns delete kvs-ci; then
  cargo run --release --quiet -- --arch replicated --host netns --durability disk --nemesis all "${faults[@]}"
else
  echo "not run with --host netns: no network namespace, or no nftables, can be had here"
fi

# Each store is held to its own promise, without faults: anything but valid is a false alarm, or a
# find that somebody has to look at.
step "foreign stores"
if scripts/install-stores.sh; then
  for store in redis redis-replicated redis-sentinel etcd; do
    cargo run --release --quiet -- --store "$store" --workload contended "${short[@]}"
  done
else
  echo "Redis and etcd are not run: they cannot be had here"
fi
if command -v python3 >/dev/null; then
  cargo run --release --quiet -- --store examples/adapters/http-store.toml --workload contended "${short[@]}"
fi
scripts/check-adapters.sh

step "the examples"
cargo run --release --quiet --example local
cargo run --release --quiet --example replicated -- --lattice causal
cargo run --release --quiet --example replicated -- --lattice lww
cargo run --release --quiet --example quorum
cargo run --release --quiet --example raft
cargo run --release --quiet --example sharded
cargo run --release --quiet --example sharded_replicated

step "a hundred simulated seeds of every architecture and lattice"
scripts/simulate.sh 100

step "the planted bugs: caught by two views each, and no false alarm without them"
cargo build --release --quiet --bins
cargo run --release --quiet -- bugs run all

step "report pages in a browser, and the comparison of two sets of runs"
command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium; } >/dev/null 2>&1 || true
if command -v chromium >/dev/null; then
  scripts/page-test.sh
else
  echo "not run: no Chromium can be had here"
fi
for set in A B; do
  for seed in 1 2; do
    cargo run --release --quiet -- --arch local --seed "$seed" --duration 1s --warmup 200ms --records 1000 \
      --results "$results/$set" >/dev/null
  done
done
# Two runs a side can decide nothing: the gate must say so, and be neither green nor a refusal.
status=0
cargo run --release --quiet -- compare "$results/A" "$results/B" --gate --ci "$results/ci" || status=$?
[ "$status" = 2 ] || { echo "a comparison of two runs a side ended with $status, not 2"; exit 1; }

step "a program without a compiler: the tarball, unpacked where there is nothing else"
tarball=$(scripts/package.sh --out "$results/package" | tail -n 1)
scripts/package-test.sh "$tarball"

step "licences, bans and sources of the dependencies"
if ! command -v cargo-deny >/dev/null; then
  cargo install --locked --quiet cargo-deny
fi
cargo deny check licenses bans sources
