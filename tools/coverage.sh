#!/bin/sh
# coverage.sh   which lines of the spec reader, the planner and the cutter the kept corpus of fuzz/ reaches, file by file
#
# Fails when that is less than PIPE_COVERAGE percent of engine/src/spec, 85 unless told, or less than PIPE_COVERAGE_CUT
# percent of video/src/cut, 70 unless told. The compiler's own counters are
# used; they are read with the tools of the LLVM it was built with, which come from Debian.
set -eu
cd "$(dirname "$0")/.."
wanted="${PIPE_COVERAGE:-85}"
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

llvm=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
if ! command -v "llvm-cov-$llvm" > /dev/null; then
    echo "coverage: installing llvm-$llvm from Debian (19 MB)" >&2
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "llvm-$llvm" > /dev/null
fi

# A build folder of its own: the flag reaches every crate.
export CARGO_TARGET_DIR="${XDG_CACHE_HOME:-$HOME/.cache}/pipe/target-coverage"
export RUSTFLAGS="-Cinstrument-coverage"
counters=$(mktemp -d)
trap 'rm -r "$counters"' EXIT
# Build scripts and macros count too; what they leave is not looked at.
export LLVM_PROFILE_FILE="$counters/build-%p.profraw"
tools/timed.sh "build of the corpus test with counters" cargo test --quiet -p pipe-fuzz --test replay --no-run
program=$(cargo test -p pipe-fuzz --test replay --no-run 2>&1 | sed -n 's/^ *Executable.*(\(.*\))$/\1/p')
case "$program" in /*) ;; *) program="$PWD/$program" ;; esac
cd fuzz
LLVM_PROFILE_FILE="$counters/replay-%p.profraw" "$program" --quiet > "$counters/said" 2>&1 || {
    cat "$counters/said" >&2
    exit 1
}
cd ..
"llvm-profdata-$llvm" merge --sparse "$counters"/replay-*.profraw -o "$counters/merged"
# What fails when less of a folder is reached, in percent.
least() {
    case "$1" in
        engine/src/spec) echo "$wanted" ;;
        video/src/cut) echo "${PIPE_COVERAGE_CUT:-70}" ;;
        *) echo 0 ;;
    esac
}

enough=true
for part in engine/src/spec engine/src/plan video/src/cut; do
    "llvm-cov-$llvm" report --instr-profile "$counters/merged" "$program" --sources "$part" \
        --show-region-summary=false --show-branch-summary=false > "$counters/lines"
    awk -v part="$part" 'NF >= 7 && $1 != "Filename" {
        name = part ($1 == "TOTAL" ? "" : "/" $1)
        printf "%-34s %5d lines %6.1f %%\n", ($1 == "TOTAL" ? "all of " : "") name, $5, 100 * ($5 - $6) / $5
    }' "$counters/lines"
    awk -v part="$part" -v least="$(least "$part")" '$1 == "TOTAL" && 100 * ($5 - $6) < least * $5 {
        print "the kept corpus reaches less than " least " % of " part ": let tools/fuzz.sh look for more"
        exit 1
    }' "$counters/lines" >&2 || enough=false
done
$enough
