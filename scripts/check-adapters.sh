#!/usr/bin/env bash
# Tries each adapter of examples/adapters/ against the protocol, with the store that it speaks to. What
# is not installed is said, and its adapter is left out.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --quiet --bin kvs-bench --example adapter
bench=target/release/kvs-bench

# check PORT STORE -- ADAPTER: starts the store, waits until it serves, and checks its adapter.
check() {
  local port=$1 store=$2 pid status=0
  shift 3
  $store >/dev/null 2>&1 &
  pid=$!
  for _ in $(seq 200); do
    (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    sleep 0.05
  done
  "$bench" adapter check --endpoints "127.0.0.1:$port" -- "$@" || status=$?
  kill "$pid"
  wait "$pid" 2>/dev/null || true
  return "$status"
}

if ! command -v python3 >/dev/null; then
  echo "the adapters in Python are not checked: python3 is not installed"
  exit 0
fi
check 18765 "python3 examples/adapters/server.py 18765" -- python3 examples/adapters/http_adapter.py
check 18766 "python3 examples/adapters/server.py 18766" -- target/release/examples/adapter
if ! command -v redis-server >/dev/null; then
  echo "the adapter for Redis is not checked: redis-server is not installed"
  exit 0
fi
redis="redis-server --port 18767 --bind 127.0.0.1 --save --appendonly no"
check 18767 "$redis" -- python3 examples/adapters/redis_adapter.py
