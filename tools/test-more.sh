#!/bin/sh
# The long checks: many more seeds of the core's simulation and many more kills of the journal and the engine.
set -eu
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/pipe/target}"
tools/setup.sh test
PIPE_TEST_SEEDS=${PIPE_TEST_SEEDS:-10000} exec tools/timed.sh "more seeds and kills" \
    cargo nextest run --release -p pipe-engine --cargo-quiet --final-status-level slow
