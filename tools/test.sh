#!/bin/sh
# Every check that a change must pass, with the time of each part. Stops at the first that fails.
set -eu
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/pipe/target}"
begun=$(date +%s)

part() { tools/timed.sh "$@"; }

same_schemas() {
    fresh=$(mktemp -d)
    "$CARGO_TARGET_DIR/release/pipe" schema --write "$fresh" 2> /dev/null
    if ! diff -r "$fresh" schemas; then
        echo "schemas/ differs from the types: run make schemas and commit the result" >&2
        return 1
    fi
    rm -r "$fresh"
}

# A binary that drags FFmpeg's shared libraries along starts 40 times slower and runs only where they are.
links_little() {
    needed=$(ldd "$CARGO_TARGET_DIR/release/pipe" | sed -E 's/^[[:space:]]*([^ ]+).*/\1/')
    strange=$(printf '%s\n' "$needed" | grep -vE '^(linux-vdso|/lib.*/ld-linux|libc\.|libm\.|libgcc_s\.|libstdc\+\+\.)' || true)
    if [ -n "$strange" ]; then
        echo "the release binary links $strange" >&2
        return 1
    fi
}

# What the demo says is read when it did not come to its end.
demo_cloud() {
    told=$(mktemp)
    "$CARGO_TARGET_DIR/release/make-testdata" --out testdata > "$told" 2>&1 &&
        tools/demo-cloud.sh "$CARGO_TARGET_DIR/release" --small >> "$told" 2>&1 || { cat "$told" >&2; return 1; }
    rm "$told"
}

# The table is read when something did not hold.
fire() {
    told=$(mktemp)
    if ! tools/torture.sh --short > "$told" 2>&1; then
        cat "$told" >&2
        return 1
    fi
    grep ': skipped: ' "$told" >&2 || true
    rm "$told"
}

case "${1:-all}" in
    schemas) same_schemas; exit ;;
    ldd) links_little; exit ;;
    fire) fire; exit ;;
    demo-cloud) demo_cloud; exit ;;
esac

part "set-up" tools/setup.sh test
part "format" cargo fmt --all --check
part "clippy" cargo clippy --workspace --all-targets --quiet -- --deny warnings
part "clippy of the smallest build" \
    cargo clippy -p pipe -p pipe-stages --no-default-features --all-targets --quiet -- --deny warnings
part "release build" cargo build --release --quiet -p pipe -p pipe-testdata -p pipe-standin
part "ldd of the release binary" tools/test.sh ldd
part "demo of the cloud, small" tools/test.sh demo-cloud
part "build of the tests" cargo nextest run --workspace --no-run --cargo-quiet
part "tests" cargo nextest run --workspace --cargo-quiet --status-level fail --final-status-level slow --no-fail-fast
part "kills, power cuts, full disks" tools/test.sh fire
part "doc tests" cargo test --workspace --doc --quiet
part "schemas" tools/test.sh schemas
part "kernels against their source" tools/ptx.sh known
printf '%-60s done in %d s\n' "all checks" "$(( $(date +%s) - begun ))" >&2
