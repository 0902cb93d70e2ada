#!/bin/sh
# Joined clips of hard videos in Chromium, which comes from Debian (100 MB): does it play and seek them?
set -eu
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/pipe/target}"
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

if ! command -v node > /dev/null; then
    echo "node is missing: install Node.js 18 or newer and run this again" >&2
    exit 1
fi
if ! command -v chromium-headless-shell > /dev/null; then
    echo "play: installing chromium-headless-shell from Debian (100 MB)" >&2
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium-headless-shell > /dev/null
fi

hard=$(tools/corpus.py)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# Starts and ends in frames of videos that are joined; the numbers of the frames follow from them.
for name in plain moov-at-end ntsc wide-pixels full-range two-sounds no-sound one-key-frame; do
    rate=30/1
    [ $name != ntsc ] || rate=30000/1001
    printf '0 700\n1033 2534\n2000 3000\n1900 4000\n' > "$scratch/clips.txt"
    mkdir "$scratch/$name"
    cargo run --quiet -p pipe-video --example cut -- "$hard/$name.mp4" "$scratch/clips.txt" "$scratch/$name" smart 2 \
        > "$scratch/$name.told" || { cat "$scratch/$name.told" >&2; exit 1; }
    awk -v name=$name -v rate=$rate 'BEGIN { split("0 31 60 57", first) } {
        file = sprintf("%s-%d.mp4", name, $1)
        printf "%s\t%d\t%d\t%s\n", file, first[$1 + 1], $3, rate
    }' "$scratch/$name.told" >> "$scratch/clips.tsv"
    for clip in 0 1 2 3; do mv "$scratch/$name/c00$clip.mp4" "$scratch/$name-$clip.mp4"; done
done
if ! grep -q ' smart ' "$scratch/plain.told"; then
    echo "no clip was joined:" >&2
    cat "$scratch/plain.told" >&2
    exit 1
fi
node tools/play.mjs chromium-headless-shell "$scratch"
