#!/bin/sh
# fuzz.sh [SECONDS [TARGET...]]   looks for hostile input that breaks a promise of fuzz/src/lib.rs
#
# 60 seconds for each target unless told. What is new goes into a folder outside the clone; what broke something is left
# there too, and its path is printed. `fuzz.sh keep` puts what reaches more into the kept corpus, as small as can be.
#
# libFuzzer needs three things of the compiler: counters, comparisons and a main of its own. LLVM's pass for them is
# there on the stable toolchain; only its sanitizers are not, and outside `video` there is no unsafe code of ours for
# them to watch.
set -eu
cd "$(dirname "$0")/.."
cache="${XDG_CACHE_HOME:-$HOME/.cache}/pipe"
found="${PIPE_FUZZ_FOUND:-$cache/fuzz}"
target=$(rustc -vV | sed -n 's/^host: //p')
# A build folder of its own: these flags reach every crate.
export CARGO_TARGET_DIR="$cache/target-libfuzzer"
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1 \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
bin="$CARGO_TARGET_DIR/$target/fuzz"

build() {
    tools/timed.sh "build of the fuzz targets" \
        cargo build --quiet -p pipe-fuzz --profile fuzz --features libfuzzer --target "$target"
}

# A second is the limit of a single input; the machine may be busy, so five.
common="-timeout=5 -rss_limit_mb=1024 -max_len=16384 -print_final_stats=1"

look() {
    mkdir -p "$found/$1" "$found/broken"
    echo "fuzz-$1 for $seconds s" >&2
    words=""
    [ ! -f "fuzz/words/$1.txt" ] || words="-dict=fuzz/words/$1.txt"
    # shellcheck disable=SC2086
    "$bin/fuzz-$1" $common -max_total_time="$seconds" $words \
        -artifact_prefix="$found/broken/$1-" "$found/$1" "fuzz/corpus/$1" 2> "$found/$1.log" || {
        tail -n 40 "$found/$1.log" >&2
        echo "fuzz-$1 broke; the input is the last of $found/broken/$1-*" >&2
        return 1
    }
    grep -E '^stat::number_of_executed_units|^stat::average_exec|DONE' "$found/$1.log" >&2
}

# The smallest files that together reach all that is reached.
keep() {
    mkdir -p "$found/$1" "fuzz/corpus/$1"
    less=$(mktemp -d)
    "$bin/fuzz-$1" -merge=1 "$less" "fuzz/corpus/$1" "$found/$1" 2> "$found/$1.log"
    for file in "$less"/*; do
        cp "$file" "fuzz/corpus/$1/$(basename "$file" | cut -c1-12)"
    done
    rm -r "$less"
}

seconds="${1:-60}"
[ $# = 0 ] || shift
targets="${*:-toml yaml template plan clips}"
build
for name in $targets; do
    if [ "$seconds" = keep ]; then keep "$name"; else look "$name"; fi
done
