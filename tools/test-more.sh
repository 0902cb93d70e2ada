#!/bin/sh
# The long checks: the kernels compiled anew (installs clang-16) and compared with the CPU over 10,000 more cases (PIPE_TEST_FRAMES);
# many more seeds of the core's simulation, many more kills of the journal and the engine, more years of
# slots, many more specs with parts changed (PROPTEST_CASES, 20,000 unless told), and hostile input: FUZZ_SECONDS for each
# target, 60 unless told, and what the kept input reaches; more clips of hard videos; clips of a video that is larger
# than the disk; the recipes for CI; the container image (installs buildah); editors; clips in a browser; stores and videos in an
# S3 server that is not ours; the engine killed 100 times (PIPE_TEST_KILLS) at each point around jobs elsewhere, the whole
# quickstart as such jobs, and 24 videos of 10 GB.
set -eu
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/pipe/target}"
tools/setup.sh test
PIPE_TEST_SEEDS=${PIPE_TEST_SEEDS:-10000} tools/timed.sh "more seeds and kills" \
    cargo nextest run --release -p pipe-engine --cargo-quiet --final-status-level slow
PROPTEST_CASES=${PROPTEST_CASES:-20000} tools/timed.sh "more specs with parts changed" \
    cargo nextest run -p pipe --cargo-quiet --final-status-level slow -E 'test(/^mutants::/)'
PIPE_TEST_SEEDS=${PIPE_TEST_YEARS:-200} tools/timed.sh "more years of slots" \
    cargo nextest run --release -p pipe-clock --cargo-quiet --final-status-level slow
PIPE_TEST_CLIPS=${PIPE_TEST_CLIPS:-40} tools/timed.sh "more clips of hard videos" \
    cargo nextest run -p pipe-video --cargo-quiet --final-status-level slow -E 'test(/^corpus::/)'
PIPE_TEST_CLIP_MB=${PIPE_TEST_CLIP_MB:-2048} tools/timed.sh "2 GB of clips of a 10 GB video, on a disk of 512 MB" \
    cargo nextest run -p pipe-stages --cargo-quiet --final-status-level slow -E 'test(/^far::more_is_cut/)'
PIPE_TEST_KILLS=${PIPE_TEST_KILLS:-100} tools/timed.sh "the engine killed at each point around jobs elsewhere" \
    cargo nextest run -p pipe --cargo-quiet --success-output final -E 'test(/^killed::/)'
PIPE_TEST_PARITY=whole tools/timed.sh "the whole quickstart in a folder, from a bucket, as jobs elsewhere" \
    cargo nextest run -p pipe --cargo-quiet --final-status-level slow -E 'test(/^parity::/)'
PIPE_TEST_FILMS=1 tools/timed.sh "six games of four 10 GB videos as jobs elsewhere, with 512 MB of scratch each" \
    cargo nextest run -p pipe --cargo-quiet --success-output final -E 'test(/^films::/)'
tools/timed.sh "kernels against their source" tools/ptx.sh check
PIPE_TEST_SEEDS=${PIPE_TEST_FRAMES:-10000} tools/timed.sh "more frames, CPU against kernels" \
    cargo nextest run -p pipe-video --cargo-quiet --final-status-level slow -E 'test(/^cuda::tests::agreement::/)'
tools/fuzz.sh "${FUZZ_SECONDS:-60}"
tools/coverage.sh
tools/timed.sh "recipes for CI against their schemas" tools/check-recipes.sh
tools/timed.sh "the release binary" cargo build --release --quiet -p pipe -p pipe-testdata -p pipe-standin
tools/timed.sh "the image that tasks elsewhere run in, built and run" tools/image.sh
tools/timed.sh "specs in the language servers of editors" tools/editors.sh
tools/timed.sh "joined clips in Chromium" tools/play.sh
tools/timed.sh "stores and videos in moto's S3" tools/moto.sh
