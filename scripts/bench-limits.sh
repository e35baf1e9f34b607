#!/bin/sh
# Measures this store against what the machine allows: a bare quinn echo, plain TCP, and Redis where
# redis-server is installed. Prints a Markdown table of ratios beside their targets.
# Under five minutes; with --quick under one. Only ratios within one run mean anything.
set -eu
cd "$(dirname "$0")/.."
exec cargo bench --quiet --bench limits -- "$@"
