#!/usr/bin/env bash
# Installs the stores of stores/*.toml from the distribution's packages, as far as they are missing.
# Needs root and apt; without them it says what is missing.
set -euo pipefail

packages=(redis-server redis-sentinel etcd-server nftables iproute2)
programs=(redis-server redis-sentinel etcd nft ip)

missing=()
for at in "${!programs[@]}"; do
  command -v "${programs[$at]}" >/dev/null || [ -x "/usr/sbin/${programs[$at]}" ] || missing+=("${packages[$at]}")
done
if [ "${#missing[@]}" -eq 0 ]; then
  echo "every store is installed"
  exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "missing: ${missing[*]} (install them with: sudo apt-get install ${missing[*]})" >&2
  exit 1
fi
# Nothing is to start by itself: kvs-bench starts what it needs.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
echo "installed: ${missing[*]}"
