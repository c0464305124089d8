#!/usr/bin/env bash
# Builds the `topn` that runs on nodes: one static musl file per architecture, in target/node/ARCH/topn.
#
# Each file is checked before it counts as built: it names no interpreter and no shared library; in an empty root directory
# (x86_64) and under user-mode QEMU (aarch64) it gives the same bytes as the native build for every text of data/, in every
# mode. It installs what it needs: the targets by rustup, QEMU by apt.
#
#   deploy/build-node.sh [x86_64|aarch64]...        default: both
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"

architectures=("$@")
((${#architectures[@]} > 0)) || architectures=(x86_64 aarch64)
modes=(unicode whitespace alpha tutorial)
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

fail() { echo "build-node: $*" >&2; exit 1; }

as_root() {
  if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

need_package() {  # PROGRAM PACKAGE
  command -v "$1" >/dev/null && return
  as_root apt-get install -y -qq "$2" >/dev/null || { as_root apt-get update -qq && as_root apt-get install -y -qq "$2" >/dev/null; }
  command -v "$1" >/dev/null || fail "$1 is missing and package $2 does not bring it"
}

need_target() {
  local attempt
  for attempt in 1 2 3; do
    rustup target list --installed | grep -qx "$1" && return
    rustup target add "$1" || echo "build-node: attempt $attempt of 3 to add $1 failed" >&2
  done
  rustup target list --installed | grep -qx "$1" || fail "target $1 cannot be installed"
}

build() {  # ARCH: leaves target/node/ARCH/topn
  local target="$1-unknown-linux-musl" name
  name="${target//-/_}"
  need_target "$target"
  # The linker that comes with the compiler does for both; debug information and paths of this machine stay out of the file.
  env "CARGO_TARGET_${name^^}_LINKER=rust-lld" \
    "CARGO_TARGET_${name^^}_RUSTFLAGS=-C strip=debuginfo --remap-path-prefix=$PWD=. --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo" \
    cargo build --locked --profile node --package fanout-kernel --bin topn --target "$target"
  mkdir -p "target/node/$1"
  install -m 0755 "target/$target/node/topn" "target/node/$1/topn"
}

check_static() {
  if readelf --program-headers --wide "$1" | grep -q INTERP; then fail "$1 asks for an interpreter"; fi
  if readelf --dynamic --wide "$1" | grep -q NEEDED; then fail "$1 asks for shared libraries"; fi
}

answers() {  # FOLDER RUNNER...: the whole answer of each mode as RUNNER gives it
  local folder="$1" mode
  shift
  mkdir -p "$folder"
  for mode in "${modes[@]}"; do
    "$@" --words "$mode" -n 0 -o tsv data > "$folder/$mode.tsv"
    [[ -s $folder/$mode.tsv ]] || fail "no answer in mode $mode from: $*"
  done
}

same_answers() {  # ARCH FOLDER
  diff -rq "$scratch/native" "$2" >/dev/null || fail "$1 counts otherwise than the native build"
}

in_empty_root() {  # ROOT ARGUMENTS...
  local root="$1"
  shift
  if ((EUID == 0)); then chroot "$root" /topn "$@"; else unshare --map-root-user chroot "$root" /topn "$@"; fi
}

check_x86_64() {
  local root="$scratch/root"
  mkdir "$root"
  cp target/node/x86_64/topn "$root/topn"
  cp -r data "$root/data"
  answers "$scratch/x86_64" in_empty_root "$root"
  same_answers x86_64 "$scratch/x86_64"
}

check_aarch64() {
  need_package qemu-aarch64-static qemu-user-static
  answers "$scratch/aarch64" qemu-aarch64-static target/node/aarch64/topn
  same_answers aarch64 "$scratch/aarch64"
}

need_package readelf binutils
cargo build --locked --workspace --bin topn   # the same features as the tests build
answers "$scratch/native" target/debug/topn
for architecture in "${architectures[@]}"; do
  case "$architecture" in
    x86_64 | aarch64) ;;
    *) fail "unknown architecture $architecture: x86_64 or aarch64" ;;
  esac
  build "$architecture"
  check_static "target/node/$architecture/topn"
  "check_$architecture"
done
echo
for architecture in "${architectures[@]}"; do
  file="target/node/$architecture/topn"
  echo "$file  $(stat -c %s "$file") bytes  sha256 $(sha256sum < "$file" | cut -d' ' -f1)  static, same answers"
done
