#!/usr/bin/env bash
# Runs every planted bug as real processes, with the command that `kvs-bench bugs` prints for it,
# and succeeds only if each of them ends with the exit status of an invalid history.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --quiet
bench=target/release/kvs-bench
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

missed=0
tried=0
while read -r command; do
  status=0
  tried=$((tried + 1))
  # The commands name the installed program; this is the one just built.
  "$bench" ${command#kvs-bench } --results "$results" >"$results/screen.txt" 2>&1 || status=$?
  if [ "$status" -eq 1 ]; then
    printf 'caught  %s\n' "$command"
  else
    printf 'MISSED  %s (exit status %s)\n' "$command" "$status"
    tail -n 30 "$results/screen.txt"
    missed=1
  fi
done < <("$bench" bugs | sed -n 's/^ *caught  //p')
if [ "$tried" -eq 0 ]; then
  echo "no command found in the output of \`kvs-bench bugs\`" >&2
  exit 1
fi
exit "$missed"
