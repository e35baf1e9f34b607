#!/usr/bin/env bash
# Unpacks a tarball of scripts/package.sh in an empty folder and runs the main command there, with
# an empty PATH and an empty environment: the program must need nothing but itself.
set -euo pipefail

archive=$(realpath "${1:?usage: scripts/package-test.sh ARCHIVE.tar.gz}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar -C "$work" -xzf "$archive"
programs=("$work"/*/kvs-bench)
mkdir "$work/empty"
cd "$work/empty"
env -i PATH= "${programs[0]}" --arch replicated --workload zipf --duration 1s --warmup 200ms --records 1000
# The run left its record and its page, and they can be read again.
env -i PATH= "${programs[0]}" check results/latest >/dev/null
test -s results/latest/report.html
