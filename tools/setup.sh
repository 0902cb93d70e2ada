#!/bin/sh
# Brings a Debian 12 machine with Rust and make to where the workspace builds. Says what it installs, and is
# silent and quick when nothing is missing.
set -eu
cd "$(dirname "$0")/.."

say() { echo "setup: $*" >&2; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# build-essential, pkg-config   C for SQLite and the native libraries
# git                           what a run records, and `--at`
# dpkg-dev, nasm, meson, ninja  FFmpeg, x264 and dav1d from Debian's source packages
# python3-venv                  the ffmpeg program that makes hard videos for the tests is a Python wheel, and Google's
#                               definitions of its services come in another
# libclang1, libclang-common    the FFmpeg bindings are generated from its headers
packages="build-essential pkg-config git dpkg-dev nasm meson ninja-build python3-venv libclang1-14 libclang-common-14-dev"

missing=""
for package in $packages; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
    say "installing from Debian (about 40 MB, under a minute):$missing"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing > /dev/null
fi

if ! command -v cargo > /dev/null; then
    say "cargo is missing: install Rust 1.95 or newer from https://rustup.rs and run this again"
    exit 1
fi
if [ "${1:-}" = test ] && ! cargo nextest --version > /dev/null 2>&1; then
    say "installing cargo-nextest from crates.io (about 5 minutes on two cores, once)"
    cargo install --locked --quiet cargo-nextest
fi

if [ "${1:-}" = test ]; then
    tools/google.sh > /dev/null
fi

# The libraries stay outside the clone; .cargo/config.toml finds them through this link.
native=$(tools/native.sh)
if [ "$(readlink .native 2>/dev/null || true)" != "$native" ]; then
    ln -sfn "$native" .native
    # Cargo sees the same path as before, and would go on with the libraries that it led to.
    for profile in dev release; do
        cargo clean --quiet --profile "$profile" -p ffmpeg-sys-next
    done
fi

# Clones may share a build folder, so that a fresh one starts warm. Cargo tells sources by their times and would take
# an older clone's for those it has just built, so the sources of a clone that takes over are given new times.
target=${CARGO_TARGET_DIR:-$PWD/target}
if [ "$(cat "$target/clone" 2>/dev/null || true)" != "$PWD" ]; then
    mkdir -p "$target"
    find . -name target -prune -o \( -name '*.rs' -o -name Cargo.toml \) -exec touch {} +
    echo "$PWD" > "$target/clone"
fi
