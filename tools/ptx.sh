#!/bin/sh
# Compiles video/kernels/frames.cu to the PTX that is committed beside it and lies in the binary.
#
#   tools/ptx.sh          writes it anew; installs Debian's clang-16 (195 MB) if it is missing
#   tools/ptx.sh check    compares; installs the compiler, too
#   tools/ptx.sh known    compares if the compiler is there, and says so if it is not
#   tools/ptx.sh registers   what NVIDIA's assembler makes of it on each architecture; loads it from PyPI (40 MB) once
#
# clang and no toolkit of NVIDIA's: its PTX 6.3 is taken by every driver since 10.0, where the toolkit's own text asks for
# the driver of its day. sm_75 is the oldest GPU it is for. Nothing is fused or approximated, so results are exact.
set -eu
cd "$(dirname "$0")/../video/kernels"
ptx=frames.ptx

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

compile() {
    clang-16 -x cuda frames.cu --cuda-device-only --cuda-gpu-arch=sm_75 -nocudainc -nocudalib -std=c++17 -O3 \
        -ffp-contract=off -fno-unroll-loops -Wall -Wextra -Wno-unused-parameter -Wno-unknown-cuda-version \
        -Xclang -target-feature -Xclang +ptx63 -S -o "$1"
}

registers() {
    cache=${XDG_CACHE_HOME:-$HOME/.cache}/pipe/ptxas-12.9.86
    if [ ! -x "$cache/ptxas" ]; then
        mkdir -p "$cache"
        python3 -m pip download --quiet --no-deps --dest "$cache" nvidia-cuda-nvcc-cu12==12.9.86
        python3 -m zipfile -e "$cache"/*.whl "$cache/wheel"
        find "$cache/wheel" -name ptxas -exec mv {} "$cache/ptxas" \;
        rm -r "$cache/wheel" "$cache"/*.whl
        chmod +x "$cache/ptxas"
    fi
    for sm in 75 80 86 89 90 100 120; do
        "$cache/ptxas" -v -arch=sm_$sm "$ptx" -o /dev/null 2>&1 | awk -v sm=$sm '
            /Compiling entry/ { split($0, part, "\047"); kernel = part[2] }
            /spill stores/ { spill = $5 }
            /Used/ { printf "sm_%-4s %-14s %s registers, %s bytes spilled\n", sm, kernel, $5, spill }'
    done
}

if [ "${1:-}" = registers ]; then registers; exit; fi
if ! command -v clang-16 > /dev/null; then
    if [ "${1:-}" = known ]; then
        echo "ptx: clang-16 is not installed, so $ptx was not compiled anew; tools/ptx.sh check does it" >&2
        exit 0
    fi
    echo "ptx: installing clang-16 from Debian (44 MB to load, 195 MB on disk)" >&2
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends clang-16 > /dev/null
fi

case "${1:-}" in
    check | known)
        fresh=$(mktemp)
        trap 'rm -f "$fresh"' EXIT
        compile "$fresh"
        if ! cmp -s "$fresh" "$ptx"; then
            diff "$fresh" "$ptx" | head -20 >&2
            echo "video/kernels/$ptx is not what its source compiles to: run tools/ptx.sh and commit the result" >&2
            exit 1
        fi
        ;;
    *) compile "$ptx" ;;
esac
