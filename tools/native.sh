#!/bin/sh
# Builds FFmpeg, x264 and dav1d as static libraries from Debian's source packages, once per machine.
#
#   tools/native.sh        builds what is missing and prints the folder that holds lib/pkgconfig
#   tools/native.sh path   prints that folder and builds nothing
#
# The folder lies outside the clone, under the digest of this script: a changed script is a new build and
# every clone on the machine shares it. PIPE_NATIVE_CACHE moves it.
set -eu

digest=$(sha256sum "$0" | cut -c1-16)
root=${PIPE_NATIVE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pipe/native}/$digest
if [ "${1:-}" = path ]; then echo "$root"; exit 0; fi
if [ -f "$root/complete" ]; then echo "$root"; exit 0; fi

jobs=$(nproc)
work=$root.build
mkdir -p "$work/parts" "$work/lists/partial" "$work/src"

# Two clones that start at once build once: the second waits and finds the result.
exec 9> "$work/lock"
flock 9
if [ -f "$root/complete" ]; then echo "$root"; exit 0; fi

say() { echo "native: $*" >&2; }
run() { "$@" >> "$work/log" 2>&1 || { tail -n 40 "$work/log" >&2; say "'$*' failed; the whole log is $work/log"; exit 1; }; }

# Source packages need a list of their own; the system's lists stay as they are.
sources() {
    sed -s 's/^Types:.*/Types: deb deb-src/' /etc/apt/sources.list.d/debian.sources > "$work/parts/src.sources"
    apt="apt-get -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts=$work/parts -o Dir::State::lists=$work/lists"
    run $apt update
    cd "$work/src"
    rm -rf ffmpeg-*/ x264-*/ dav1d-*/
    run $apt source ffmpeg x264 dav1d
    run $apt download libffmpeg-nvenc-dev
}

# Headers alone (60 kB): what NVIDIA's libraries are called with. FFmpeg looks for these at run time and needs none to run.
nvidia() {
    cd "$work/src"
    rm -rf nvidia
    run dpkg-deb -x libffmpeg-nvenc-dev_*.deb nvidia
    mkdir -p "$root/include" "$root/lib/pkgconfig"
    cp -r nvidia/usr/include/ffnvcodec "$root/include/"
    sed "s|^prefix=.*|prefix=$root|" nvidia/usr/share/pkgconfig/ffnvcodec.pc > "$root/lib/pkgconfig/ffnvcodec.pc"
}

# x264's AVX-512 code for its macroblock tree reads past the last macroblock of a row that is no multiple of eight long,
# and rounds other sums elsewhere: bytes that depend on what the memory held before. Its AVX2 code gives what that for
# SSE4.2 gives, and takes no time that could be measured. The rest of AVX-512 stays: encoding takes 5 % less with it.
x264() {
    cd "$work"/src/x264-*/
    run grep -q 'pf->mbtree_propagate_list = mbtree_propagate_list_avx512;' common/x86/mc-c.c
    run sed -i '/pf->mbtree_.*_avx512;/d' common/x86/mc-c.c
    run ./configure --prefix="$root" --enable-static --enable-pic --disable-cli --disable-opencl \
        --disable-avs --disable-swscale --disable-lavf --disable-ffms --disable-gpac --disable-lsmash
    run make -j"$jobs"
    run make install-lib-static
}

dav1d() {
    cd "$work"/src/dav1d-*/
    run meson setup build --default-library=static --buildtype=release --prefix="$root" --libdir=lib \
        -Denable_tools=false -Denable_tests=false
    run ninja -C build install
}

# Every decoder and demuxer is kept, since any video may come in. Of what writes, only what pipe writes is
# kept: less to build, less to attack. On a GPU only those codecs are decoded whose standards tell every bit of a picture.
ffmpeg() {
    cd "$work"/src/ffmpeg-*/
    run env PKG_CONFIG_PATH="$root/lib/pkgconfig" ./configure --prefix="$root" \
        --enable-gpl --enable-libx264 --enable-libdav1d \
        --enable-static --disable-shared --enable-pic --pkg-config-flags=--static \
        --disable-programs --disable-doc --disable-autodetect --disable-debug --disable-network \
        --disable-avdevice --disable-avfilter --disable-postproc \
        --disable-encoders --enable-encoder=libx264,aac,png,h264_nvenc,hevc_nvenc \
        --disable-muxers --enable-muxer=mp4,null,framehash \
        --disable-protocols --enable-protocol=file \
        --disable-filters --disable-devices --disable-hwaccels \
        --enable-ffnvcodec --enable-cuda --enable-nvenc --enable-nvdec --enable-hwaccel=h264_nvdec,hevc_nvdec,vp8_nvdec,vp9_nvdec
    run make -j"$jobs"
    run make install
}

say "building FFmpeg, x264 and dav1d (about 8 minutes on two cores, once on this machine) in $root"
begun=$(date +%s)
for part in sources nvidia x264 dav1d ffmpeg; do
    from=$(date +%s)
    ( "$part" )
    say "$part done in $(( $(date +%s) - from )) s"
done
touch "$root/complete"
rm -rf "$work/src" "$work/lists" "$work/parts"
say "done in $(( $(date +%s) - begun )) s"
echo "$root"
