#!/bin/sh
# torture.sh [ARGUMENTS...]   builds `pipe` with fail points and plays every scene of torture/ with it
#
# 200 random kills over runs of 500 tasks and ten at each fail point: half an hour on two cores. With --short a minute.
# --seed N plays other random moments, --scene NAME one scene. Full disk, read-only disk and power cut want root.
set -eu
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/pipe/target}"
# Built without optimisation, which the fail points insist on, and without video, which no scene needs.
cargo build --quiet -p pipe -p pipe-torture --no-default-features --features pipe/failpoints
exec "$CARGO_TARGET_DIR/debug/torture" "$@"
