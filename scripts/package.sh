#!/usr/bin/env bash
# Makes what runs without a compiler: a tarball of one self-contained program, and, where docker is,
# a container image with nothing else in it. The last line of output is the tarball's path.
#
#   scripts/package.sh [--target TRIPLE] [--out FOLDER] [--image]
#
# The target is by default this machine's, with musl, so that the program needs no library of the
# system that it is run on. `--image` makes the image too, and fails where it cannot.
set -euo pipefail
cd "$(dirname "$0")/.."

# The program, stripped, has to stay below this.
bytes_max=30000000

target=$(uname -m)-unknown-linux-musl
out=target/package
image=
while (($#)); do
  case $1 in
    --target) target=${2:?--target takes a target triple}; shift 2 ;;
    --out) out=${2:?--out takes a folder}; shift 2 ;;
    --image) image=1; shift ;;
    *) echo "there is no option $1: see the head of scripts/package.sh" >&2; exit 254 ;;
  esac
done

if ! rustup target list --installed 2>/dev/null | grep -qx "$target"; then
  rustup target add "$target" >&2 || {
    echo "the target $target is missing and cannot be had: rustup target add $target" >&2
    exit 1
  }
fi
# Cryptography is C and assembly: it needs a compiler for musl.
if [[ $target == *-musl ]] && ! command -v musl-gcc >/dev/null && [[ -z ${TARGET_CC:-} ]]; then
  { apt-get update -qq && apt-get install -y -qq musl-tools; } >/dev/null 2>&1 || {
    echo "musl-gcc is missing: install the package musl-tools" >&2
    exit 1
  }
fi

version=$(cargo metadata --no-deps --format-version 1 | sed -n 's/.*"name":"kvs-zoo","version":"\([^"]*\)".*/\1/p')
cargo build --profile dist --locked --target "$target" --bin kvs-bench >&2
program=${CARGO_TARGET_DIR:-target}/$target/dist/kvs-bench

bytes=$(stat -c %s "$program")
if ((bytes >= bytes_max)); then
  echo "kvs-bench has $bytes bytes, and at most $bytes_max are allowed" >&2
  exit 1
fi
if ldd "$program" 2>&1 | grep -q '=>'; then
  echo "kvs-bench needs libraries of this system:" >&2
  ldd "$program" >&2
  exit 1
fi

name=kvs-bench-$version-$target
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir -p "$out" "$stage/$name"
cp "$program" LICENSE-MIT LICENSE-APACHE README.md "$stage/$name/"
tar -C "$stage" --owner=0 --group=0 --sort=name -czf "$out/$name.tar.gz" "$name"
echo "kvs-bench: $bytes bytes, static" >&2

if [[ -n $image ]]; then
  cp "$program" "$stage/kvs-bench"
  cp scripts/package/Dockerfile "$stage/Dockerfile"
  docker build --quiet --tag "kvs-bench:$version" "$stage" >&2
  echo "image: kvs-bench:$version" >&2
fi
realpath "$out/$name.tar.gz"
