#!/usr/bin/env bash
# Explores the models that are too large for every commit (or, with `small` or `all`, the others)
# and prints the table of models/README.md. Fails when a property does not hold, when what has to
# happen does not, when a model has another number of states than is pinned, or when a planted bug
# is not caught by its model.
#
#   scripts/models.sh [large|small|all]
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --quiet --bin kvs-models
models=${CARGO_TARGET_DIR:-target}/release/kvs-models
size=()
if [ "${1:-large}" != all ]; then
  size=(--size "${1:-large}")
fi
status=0
"$models" table ${size[@]+"${size[@]}"} || status=1

echo
while read -r bug model; do
  caught=0
  "$models" bugs --check "$bug" >/dev/null || caught=$?
  if [ "$caught" -eq 1 ]; then
    echo "caught  $bug by $model"
  else
    echo "MISSED  $bug by $model (exit status $caught)"
    status=1
  fi
done < <("$models" bugs)
exit "$status"
