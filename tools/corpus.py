#!/usr/bin/env python3
"""Makes small videos that are hard to cut and prints the folder they lie in.

    corpus.py            makes what is missing and prints the folder
    corpus.py seeds DIR  makes the smallest of them, of a few kilobytes, from which tools/fuzz.sh begins
    corpus.py ffmpeg     prints the path of the ffmpeg program it makes them with

The folder lies outside the clone, under the digest of this script. `corpus.tsv` in it has a line for each video: what it
is, the clips to cut, which of them may be refused, and what number a frame must carry. Every frame carries its number as
a row of sixteen squares. The program comes as a wheel from PyPI (30 MB), of another version than the libraries of `pipe`.
"""

import fcntl
import hashlib
import os
import struct
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

WHEEL = "imageio-ffmpeg==0.6.0"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pipe"

# Clips of a video of four seconds at 30 frames a second with a key frame every second: from the beginning, across key
# frames, exactly a group of pictures, one frame, up to the end. Milliseconds.
SPANS = [(0, 700), (1033, 2534), (2000, 3000), (2967, 3001), (3400, 4000)]
X264 = ["-c:v", "libx264", "-preset", "veryfast", "-threads", "1", "-g", "30", "-keyint_min", "30", "-sc_threshold", "0",
        "-bf", "3", "-b_strategy", "0", "-pix_fmt", "yuv420p"]
# Where a transport stream begins that is to follow one of four seconds: the first begins two frames later than 0, since its
# frames wait for two others, and the second does not.
REORDERED = "4.0666667"
TAGS_709 = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"]


@dataclass
class Input:
    """A hard video. `make` gets the path to write; `smart`: copying must be possible; `refused`: a part of the time, in
    milliseconds, whose clips may be refused, or the kind of error that opening it must give; `rate`: the frame shown
    at t seconds carries the number t * rate + zero; `truth`: the whole video that a damaged one was."""
    name: str
    what: str
    make: object
    smart: bool = False
    spans: list = field(default_factory=lambda: SPANS)
    refused: str = "-"
    rate: str = "30"
    zero: int = 0
    truth: str = "-"


def ffmpeg():
    place = CACHE / ("ffmpeg-" + WHEEL.replace("==", ""))
    if not (place / "ready").exists():
        print(f"installing {WHEEL} into {place}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        subprocess.run([place / "bin/pip", "install", "--quiet", "--disable-pip-version-check", WHEEL], check=True)
        (place / "ready").touch()
    return next(place.glob("lib/python*/site-packages/imageio_ffmpeg/binaries/ffmpeg-*"))


def run(*arguments):
    command = [ffmpeg(), "-hide_banner", "-loglevel", "error", "-nostdin", "-y", *map(str, arguments)]
    done = subprocess.run(command, stderr=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stderr.decode()}")


def draw(out, *more, size=(320, 180), rate="30", seconds=4, first=0, video=X264, audio=True, filters="", pixels=""):
    """Draws numbered frames over a moving picture, with a tone, and encodes them. `pixels`: those of the moving picture, whose
    sides are even where chroma has half of them."""
    width, height = size
    frames = int(seconds * eval(rate) + 0.5)
    bars = out.with_suffix(".bars")
    bars.write_bytes(bytes(235 if number >> bit & 1 else 16
                           for number in range(first, first + frames) for bit in range(16)))
    square = f"scale={round(width * 0.8)}:{round(height * 16 / 180)}:flags=neighbor,format=yuv444p"
    graph = (f"[1:v]{square}[b];[0:v][b]overlay={round(width * 0.1)}:{round(height * 160 / 180)}:format=yuv444"
             f"{',' + filters if filters else ''}[v]")
    sound = ["-f", "lavfi", "-i", f"sine=f=440:b=4:r=48000:d={seconds}"] if audio else []
    maps = ["-map", "[v]", *(["-map", "2:a", "-c:a", "aac", "-b:a", "64k"] if audio else [])]
    moving = f"testsrc2=s={width}x{height}:r={rate}:d={seconds}{',format=' + pixels if pixels else ''}"
    run("-f", "lavfi", "-i", moving, "-f", "rawvideo", "-pix_fmt", "gray", "-s", "16x1", "-r", rate, "-i", bars, *sound,
        "-filter_complex", graph, *maps, "-frames:v", frames, "-fflags", "+bitexact", "-flags:v", "+bitexact", *video, *more,
        out)
    bars.unlink()


def drawn(*more, **how):
    return lambda out: draw(out, *more, **how)


def copied(*before, after=(), base="plain.mp4"):
    """The packets of another input in other clothes."""
    return lambda out: run(*before, "-i", out.parent / base, "-map", "0", "-c", "copy", *after, out)


def surgery(base, change):
    """The bytes of another input, changed."""
    def make(out):
        data = bytearray((out.parent / base).read_bytes())
        out.write_bytes(change(data))
    return make


def joined(*parts):
    """Transport streams one after another. Each part: what `draw` takes."""
    def make(out):
        with open(out, "wb") as whole:
            for number, (more, how) in enumerate(parts):
                part = out.with_name(f"{out.stem}-part{number}.ts")
                draw(part, *more, **how)
                whole.write(part.read_bytes())
                part.unlink()
    return make


def x264(*more, base=X264):
    return [*base, *more]


def noise(count, seed=7):
    for _ in range(count):
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        yield seed >> 16 & 0xFF


def garbage(data, start, share=0.05):
    """Noise over a part of the file, beginning at a share of its length."""
    at, length = int(len(data) * start), int(len(data) * share)
    data[at:at + length] = bytes(noise(length))
    return data


def without_pts(data):
    """Takes the times off two in three pictures of a transport stream: the flag is cleared, the bytes become stuffing."""
    seen = 0
    for at in range(0, len(data) - 187, 188):
        starts, has_field = data[at + 1] & 0x40, data[at + 3] & 0x20
        body = at + 4 + (1 + data[at + 4] if has_field else 0)
        if not starts or data[body:body + 3] != b"\0\0\1" or not 0xE0 <= data[body + 3] <= 0xEF:
            continue
        seen += 1
        if seen % 3 != 1:
            length = data[body + 8]
            data[body + 7] &= 0x3F
            data[body + 9:body + 9 + length] = b"\xff" * length
    return data


def boxes(data, start, end):
    while start + 8 <= end:
        size = struct.unpack_from(">I", data, start)[0]
        yield bytes(data[start + 4:start + 8]), start, start + size
        start += max(size, 8)


def box(data, path):
    """Where the box of a path lies, such as `moov/trak/edts/elst`: its header's first byte and its end. The first of each."""
    start, end = 0, len(data)
    for name in path.split("/"):
        at = next((b, e) for kind, b, e in boxes(data, start, end) if kind == name.encode())
        start, end = at[0] + 8, at[1]
    return at


def two_edits(data):
    """The first track plays its second second, and then its fourth: an edit list of two parts. The file's other boxes
    stay where they are: the two edits take the place of the one edit and of the box after it, in free space."""
    _, moov_end = box(data, "moov")
    edts, edts_end = box(data, "moov/trak/edts")
    scale = struct.unpack_from(">I", data, box(data, "moov/trak/mdia/mdhd")[0] + 20)[0]
    movie = struct.unpack_from(">I", data, box(data, "moov/mvhd")[0] + 20)[0]
    shift = struct.unpack_from(">i", data, box(data, "moov/trak/edts/elst")[0] + 20)[0]
    entries = b"".join(struct.pack(">IiHH", movie, shift + scale * second, 1, 0) for second in (1, 3))
    elst = struct.pack(">I4sII", 16 + len(entries), b"elst", 0, 2) + entries
    new = struct.pack(">I4s", 8 + len(elst), b"edts") + elst
    grown = len(new) - (edts_end - edts)
    trak = box(data, "moov/trak")[0]
    for at in (box(data, "moov")[0], trak):
        struct.pack_into(">I", data, at, struct.unpack_from(">I", data, at)[0] + grown)
    assert moov_end == len(data), "the index must be the last box, so that nothing behind it moves"
    return data[:edts] + new + data[edts_end:]


def no_frames(out):
    """An MP4 whole in every box, in which no frame lies."""
    run("-f", "lavfi", "-i", "testsrc2=s=64x36:r=30", "-frames:v", "0", *X264, out)


def with_cover(out):
    cover = out.with_suffix(".jpg")
    run("-f", "lavfi", "-i", "testsrc2=s=640x360", "-frames:v", "1", cover)
    run("-i", cover, "-i", out.parent / "plain.mp4", "-map", "0", "-map", "1", "-c", "copy", "-disposition:v:0",
        "attached_pic", out)
    cover.unlink()


def nothing(out):
    out.write_bytes(b"")


def all_inputs():
    ts = ["-f", "mpegts"]
    hdr = ["-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc", "-color_range", "tv",
           "-pix_fmt", "yuv420p10le"]
    x265 = ["-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1", "-x265-params"]
    closed = "log-level=error:keyint=30:min-keyint=30:scenecut=0:open-gop=0:pools=1:frame-threads=1"
    plain = x264(*TAGS_709)
    return [
        Input("plain.mp4", "H.264 in MP4, closed groups of a second, three B frames, AAC", drawn(
            "-movflags", "+faststart", video=plain), smart=True),
        Input("moov-at-end.mp4", "the index behind the pictures", copied(after=["-movflags", "0"]), smart=True),
        Input("ntsc.mp4", "30000/1001 frames a second", drawn(rate="30000/1001", video=plain), smart=True,
              rate="30000/1001"),
        Input("ntsc.mkv", "30000/1001 frames a second, times rounded to milliseconds", drawn(
            rate="30000/1001", video=plain), rate="-"),
        Input("gop-10s.mp4", "a key frame every ten seconds", drawn(
            rate="15", seconds=24, video=x264("-g", "150", "-keyint_min", "150", *TAGS_709)), smart=True, rate="15",
            spans=[(1_033, 3_000), (8_500, 21_111), (10_000, 20_000), (23_000, 24_000)]),
        Input("one-key-frame.mp4", "one key frame in the file", drawn(video=x264("-g", "999", "-keyint_min", "999"))),
        Input("all-key-frames.mp4", "key frames only", drawn(video=x264("-g", "1", "-bf", "0"))),
        Input("vfr.mp4", "variable frame rate", drawn(
            "-fps_mode", "vfr", filters="select='lt(t,1.5)+not(mod(n,3))'", video=plain),
              spans=[*SPANS[:-1], (3_400, 3_800)]),
        Input("gap.mp4", "the clock jumps 100 seconds ahead", copied(
            after=["-bsf:v", "setts=pts=PTS+gte(N\\,60)*100/TB:dts=DTS+gte(N\\,60)*100/TB", "-an"]), rate="-",
            spans=[(0, 700), (1033, 2000), (101_999, 103_001), (1_500, 102_500), (50_000, 51_000)], refused="2100-101900"),
        Input("rotated.mp4", "turned by a quarter", copied("-display_rotation", "90"), smart=True),
        Input("mirrored.mp4", "mirrored by its display matrix", copied("-display_rotation", "0", "-display_hflip"),
              smart=True),
        Input("wide-pixels.mp4", "non-square pixels", drawn(filters="setsar=4/3", video=plain), smart=True),
        Input("full-range.mp4", "full range, BT.709", drawn(
            filters="scale=out_range=pc,format=yuvj420p", video=x264("-pix_fmt", "yuvj420p", *TAGS_709[:-1], "pc")),
            smart=True),
        Input("bt601.mp4", "BT.601 tags", drawn(video=x264(
            "-colorspace", "smpte170m", "-color_primaries", "smpte170m", "-color_trc", "smpte170m", "-color_range", "tv"))),
        Input("untagged.mp4", "no colour tags", drawn(video=X264)),
        Input("hdr10.mp4", "HEVC, ten bits, BT.2020, PQ", drawn(video=[*x265, closed + ":hdr10=1:repeat-headers=1", *hdr])),
        Input("hevc-open.mp4", "HEVC with open groups: pictures that lead a key frame", drawn(
            video=[*x265, closed.replace("open-gop=0", "open-gop=1:bframes=4"), "-pix_fmt", "yuv420p"])),
        Input("h264-10-bit.mp4", "H.264, ten bits", drawn(video=x264("-pix_fmt", "yuv420p10le"))),
        Input("h264-422.mp4", "H.264, 4:2:2", drawn(video=x264("-pix_fmt", "yuv422p"))),
        Input("h264-422-10-bit.mp4", "H.264, 4:2:2, ten bits", drawn(video=x264("-pix_fmt", "yuv422p10le"))),
        Input("h264-444-odd.mp4", "H.264, 4:4:4, 321x181", drawn(
            size=(321, 181), pixels="yuv444p", video=x264("-pix_fmt", "yuv444p"))),
        Input("interlaced.mp4", "interlaced, top field first", drawn(
            rate="60", filters="tinterlace=interleave_top,fieldorder=tff",
            video=x264("-flags", "+ildct+ilme", "-r", "30", "-frames:v", "120")), rate="-"),
        Input("interlaced-mpeg2.ts", "MPEG-2 in MPEG-TS, interlaced", drawn(
            *ts, rate="60", filters="tinterlace=interleave_top,fieldorder=tff",
            video=["-c:v", "mpeg2video", "-flags", "+ildct+ilme", "-q:v", "2", "-g", "15", "-bf", "2", "-r", "30",
                   "-frames:v", "120"]), rate="-"),
        Input("no-sound.mp4", "no sound", drawn(video=plain, audio=False), smart=True),
        Input("two-sounds.mp4", "two tracks of sound", lambda out: run(
            "-i", out.parent / "plain.mp4", "-f", "lavfi", "-i", "sine=f=880:r=44100:d=4", "-map", "0:v", "-map", "0:a",
            "-map", "1:a", "-c:v", "copy", "-c:a", "aac", out), smart=True),
        Input("late-sound.mp4", "sound begins 0.7 s late and ends early", lambda out: run(
            "-i", out.parent / "plain.mp4", "-itsoffset", "0.7", "-i", out.parent / "plain.mp4", "-map", "0:v",
            "-map", "1:a", "-c", "copy", "-t", "3", out), spans=[(0, 700), (1033, 2534), (2500, 2900)]),
        Input("drifting-sound.mp4", "sound whose clock runs 1 % fast", copied(
            after=["-bsf:a", "setts=pts=PTS*1.01:dts=DTS*1.01"]), smart=True),
        Input("opus.mkv", "Opus sound in Matroska", lambda out: run(
            "-i", out.parent / "plain.mp4", "-c:v", "copy", "-c:a", "libopus", out), rate="-"),
        Input("pcm.mov", "PCM sound in QuickTime", lambda out: run(
            "-i", out.parent / "plain.mp4", "-c:v", "copy", "-c:a", "pcm_s16le", out)),
        Input("edit-hides.mp4", "an edit list hides 1.3 s at the front", copied("-ss", "1.3", after=["-t", "2.6"]),
              zero=39, spans=[(0, 700), (733, 1_534), (1_700, 2_500)]),
        Input("edit-delays.mp4", "an edit list delays the pictures by 0.5 s", lambda out: run(
            "-itsoffset", "0.5", "-i", out.parent / "plain.mp4", "-i", out.parent / "plain.mp4", "-map", "0:v",
            "-map", "1:a", "-c", "copy", out), zero=-15, spans=[(500, 1200), (1_033, 2_534), (3_400, 4_400), (0, 800)]),
        Input("edit-twice.mp4", "an edit list of two parts", surgery("moov-at-end.mp4", two_edits), rate="-",
              spans=[(0, 500), (500, 1500), (1200, 1900)]),
        Input("no-edit.mp4", "pictures begin after 0: reordering without an edit list", copied(
            after=["-use_editlist", "0", "-an"]), rate="-", spans=[(0, 700), (1_033, 2_534), (2_000, 3_000)]),
        Input("negative.mp4", "pictures decoded before 0: negative offsets, no edit list", copied(
            after=["-movflags", "+negative_cts_offsets", "-an"]), smart=True),
        Input("negative-start.mkv", "the first frames lie before 0", copied(
            "-itsoffset", "-0.5", after=["-avoid_negative_ts", "disabled"]), rate="-",
            spans=[(0, 700), (1_033, 2_534), (2_800, 3_400)]),
        Input("open-gop.mp4", "open groups: B frames before a key frame need the group before", drawn(
            video=x264("-x264-params", "open-gop=1"))),
        Input("open-gop-cut.ts", "begins in the middle of an open group", surgery(
            "open-gop.ts", lambda data: data[188 * 400:]), rate="-", spans=[(300, 700), (733, 1_534), (1_200, 1_900)]),
        Input("intra-refresh.mp4", "no key frame after the first: a column of fresh blocks wanders", drawn(
            video=x264("-x264-params", "intra-refresh=1", "-bf", "0"))),
        Input("b-frames.avi", "B frames in AVI, which has no display times", drawn(
            video=plain, audio=False), rate="-"),
        Input("raw.h264", "a bare stream without any times", copied(after=["-bsf:v", "h264_mp4toannexb"], base="no-sound.mp4")),
        Input("no-pts.ts", "two in three pictures without a time", surgery("no-sound.ts", without_pts)),
        Input("same-time.mkv", "two pictures at the same time", copied(
            after=["-bsf:v", "setts=pts=if(eq(N\\,52)\\,PTS-33\\,PTS)"]), rate="-"),
        Input("fragmented.mp4", "fragments without an index", copied(
            after=["-movflags", "frag_keyframe+empty_moov+default_base_moof"]), rate="-"),
        Input("plain.ts", "MPEG-TS", copied(after=ts), rate="-"),
        Input("open-gop.ts", "MPEG-TS with open groups", drawn(*ts, video=x264("-x264-params", "open-gop=1")), rate="-",
              spans=[*SPANS, (907, 1_678)]),
        Input("open-gop.mkv", "Matroska with open groups", copied(base="open-gop.mp4"), rate="-"),
        Input("hevc-open.ts", "HEVC with open groups in MPEG-TS", copied(after=ts, base="hevc-open.mp4"), rate="-"),
        Input("intra-refresh.ts", "MPEG-TS without key frames behind the first", copied(after=ts, base="intra-refresh.mp4"),
              rate="-"),
        Input("plain.mpg", "MPEG-2 in a program stream", drawn(
            "-f", "vob", video=["-c:v", "mpeg2video", "-q:v", "2", "-g", "15", "-bf", "2"], audio=False), rate="-"),
        Input("no-sound.ts", "MPEG-TS without sound", copied(after=ts, base="no-sound.mp4")),
        Input("wrap.ts", "MPEG-TS whose 33-bit clock wraps", copied(
            after=["-output_ts_offset", "95440", *ts], base="no-sound.mp4")),
        Input("restart.ts", "MPEG-TS whose clock begins anew", joined(
            (ts, {"audio": False}), (ts, {"audio": False, "first": 120})), spans=[(1_033, 2_534), (5_033, 6_534)]),
        Input("plain.flv", "Flash video", copied(), rate="-"),
        Input("no-cues.mkv", "Matroska without cues", copied(after=["-live", "1"]), rate="-"),
        Input("no-index.mp4", "cut off before its index", surgery(
            "moov-at-end.mp4", lambda data: data[:len(data) * 6 // 10]), refused="NotAVideo"),
        Input("truncated.mp4", "index whole, the last 40 % missing", surgery(
            "plain.mp4", lambda data: data[:len(data) * 6 // 10]), refused="1900-", truth="plain.mp4"),
        Input("truncated.ts", "MPEG-TS, the last 40 % missing", surgery(
            "plain.ts", lambda data: data[:len(data) * 6 // 10]), refused="1900-", truth="plain.ts", rate="-"),
        Input("truncated.mkv", "Matroska, the last 40 % missing", surgery(
            "opus.mkv", lambda data: data[:len(data) * 6 // 10]), refused="1900-", truth="opus.mkv", rate="-"),
        Input("garbage-open.ts", "noise over 5 % of an MPEG-TS with open groups", surgery(
            "open-gop.ts", lambda data: garbage(data, 0.5)), refused="1700-3200", truth="open-gop.ts", rate="-"),
        Input("truncated.avi", "AVI, the last 40 % missing", surgery(
            "b-frames.avi", lambda data: data[:len(data) * 6 // 10]), refused="1900-", truth="b-frames.avi", rate="-"),
        Input("truncated.flv", "Flash video, the last 40 % missing", surgery(
            "plain.flv", lambda data: data[:len(data) * 6 // 10]), refused="1900-", truth="plain.flv", rate="-"),
        Input("truncated-fragments.mp4", "fragments, the last 40 % missing", surgery(
            "fragmented.mp4", lambda data: data[:len(data) * 6 // 10]), refused="1900-", truth="fragmented.mp4", rate="-"),
        Input("garbage.h264", "noise over 5 % of a bare stream", surgery(
            "raw.h264", lambda data: garbage(data, 0.5)), refused="1700-", truth="raw.h264"),
        Input("garbage.mp4", "noise over 5 % of the pictures", surgery(
            "plain.mp4", lambda data: garbage(data, 0.5)), refused="1700-3000", truth="plain.mp4"),
        Input("garbage.ts", "noise over 5 % of an MPEG-TS", surgery(
            "plain.ts", lambda data: garbage(data, 0.5)), refused="1700-3000", truth="plain.ts", rate="-"),
        Input("garbage.mkv", "noise over 5 % of a Matroska", surgery(
            "opus.mkv", lambda data: garbage(data, 0.5)), refused="1700-", truth="opus.mkv", rate="-"),
        Input("size-change.ts", "the pictures shrink after four seconds", joined(
            (ts, {"audio": False}),
            (["-output_ts_offset", REORDERED, *ts], {"audio": False, "first": 120, "size": (160, 90)})),
            spans=[(1_033, 2_534), (5_033, 6_534), (3_500, 4_500)]),
        Input("new-parameters.ts", "the parameter sets change, not the size", joined(
            (ts, {"audio": False}),
            (["-output_ts_offset", REORDERED, *ts],
             {"audio": False, "first": 120, "video": x264("-coder", "0", "-refs", "1")})),
            spans=[(1_033, 2_534), (5_033, 6_534), (3_500, 4_500)]),
        Input("two-videos.mp4", "two tracks of pictures", lambda out: run(
            "-i", out.parent / "plain.mp4", "-i", out.parent / "untagged.mp4", "-map", "0:v", "-map", "0:a",
            "-map", "1:v", "-c", "copy", out)),
        Input("cover.mp4", "a cover picture beside the pictures", with_cover),
        Input("timecode.mov", "a timecode track", copied(after=["-timecode", "01:00:00:00"])),
        Input("one-frame.mp4", "one frame", drawn(seconds=1 / 30, audio=False), spans=[(0, 33)]),
        Input("empty.mp4", "no byte", nothing, refused="NotAVideo"),
        Input("no-frames.mp4", "an MP4 without a frame", no_frames, refused="any", spans=[(0, 700)]),
        Input("sound-only.mp4", "no video stream", lambda out: run(
            "-i", out.parent / "plain.mp4", "-vn", "-c", "copy", out), refused="NoVideoStream"),
        Input("four-hours.mp4", "four hours", drawn(
            size=(96, 54), rate="1", seconds=14_400, audio=False, video=x264("-preset", "ultrafast", "-g", "60")), rate="1",
            spans=[(0, 20_000), (7_199_500, 7_261_000), (14_300_000, 14_400_000)]),
        Input("mjpeg.mov", "MJPEG", drawn(
            filters="scale=out_range=pc,format=yuvj420p", video=["-c:v", "mjpeg", "-q:v", "3"])),
        Input("mpeg4.mp4", "MPEG-4 part 2 with B frames", drawn(
            video=["-c:v", "mpeg4", "-q:v", "2", "-g", "30", "-bf", "2", "-pix_fmt", "yuv420p"])),
        Input("xvid.avi", "MPEG-4 part 2 in AVI", drawn(
            video=["-c:v", "libxvid", "-q:v", "2", "-g", "30", "-bf", "2", "-pix_fmt", "yuv420p"], audio=False), rate="-"),
        Input("vp9.webm", "VP9 with hidden frames", drawn(
            "-ac", "1", "-c:a", "libopus",
            video=["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "30", "-b:v", "600k",
                   "-auto-alt-ref", "1", "-lag-in-frames", "10", "-pix_fmt", "yuv420p"]), rate="-"),
        Input("av1.mp4", "AV1", drawn(
            video=["-c:v", "libaom-av1", "-usage", "realtime", "-cpu-used", "8", "-g", "30", "-b:v", "600k",
                   "-pix_fmt", "yuv420p"])),
        Input("prores.mov", "ProRes, 4:2:2, ten bits", drawn(
            video=["-c:v", "prores_ks", "-profile:v", "1", "-pix_fmt", "yuv422p10le"])),
    ]


def seeds(folder):
    """Videos of a second and a bit, 64x36, in each container: small enough to be changed byte by byte."""
    folder.mkdir(parents=True, exist_ok=True)
    small = {"size": (64, 36), "rate": "15", "seconds": 1.2}
    video = x264("-g", "6", "-keyint_min", "6", "-crf", "40")
    draw(folder / "base.mp4", "-b:a", "8k", "-movflags", "+faststart", video=video, **small)
    draw(folder / "open.mp4", video=[*video, "-x264-params", "open-gop=1"], audio=False, **small)
    draw(folder / "ten-bit.mp4", video=[*video, "-pix_fmt", "yuv420p10le"], audio=False, **small)
    draw(folder / "interlaced.mp4", video=[*video, "-flags", "+ildct+ilme"], audio=False, **small)
    draw(folder / "mpeg4.avi", video=["-c:v", "mpeg4", "-q:v", "20", "-g", "6", "-bf", "1"], audio=False, **small)
    draw(folder / "vp9.webm", audio=False, video=["-c:v", "libvpx-vp9", "-deadline", "realtime", "-b:v", "30k", "-g", "6"],
         **small)
    base = folder / "base.mp4"
    run("-i", base, "-c", "copy", folder / "base.mkv")
    run("-i", base, "-c", "copy", "-f", "mpegts", folder / "base.ts")
    run("-i", base, "-c", "copy", "-movflags", "frag_keyframe+empty_moov+default_base_moof", folder / "fragments.mp4")
    run("-ss", "0.5", "-i", base, "-c", "copy", folder / "edit.mp4")
    run("-display_rotation", "90", "-i", base, "-c", "copy", "-an", folder / "turned.mp4")
    damaged = bytearray(base.read_bytes())
    (folder / "cut-off.mp4").write_bytes(damaged[:len(damaged) * 7 // 10])
    (folder / "damaged.mp4").write_bytes(garbage(damaged, 0.6, 0.1))
    for seed in folder.iterdir():
        seed.rename(folder / hashlib.sha1(seed.read_bytes()).hexdigest()[:12])


def make_all(folder):
    inputs = all_inputs()
    # An input that is made of another one may stand before it in the list.
    waiting = list(inputs)
    by_name = {each.name: each for each in inputs}
    parts = {"open-gop-cut.ts": ["open-gop.ts"], "two-videos.mp4": ["untagged.mp4"], "no-pts.ts": ["no-sound.ts"]}
    while waiting:
        each = waiting.pop(0)
        late = [by_name[part] for part in parts.get(each.name, []) if by_name[part] in waiting]
        if late:
            waiting = late + [each] + [other for other in waiting if other not in late]
            continue
        each.make(folder / each.name)
    with open(folder / "corpus.tsv", "w") as table:
        for each in inputs:
            spans = " ".join(f"{start}-{end}" for start, end in each.spans)
            cells = [each.name, each.what, "smart" if each.smart else "-", spans, each.refused, each.rate, str(each.zero),
                     each.truth]
            print("\t".join(cells), file=table)


def main():
    if sys.argv[1:] == ["ffmpeg"]:
        return print(ffmpeg())
    if sys.argv[1:2] == ["seeds"]:
        return seeds(Path(sys.argv[2]))
    digest = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
    folder = CACHE / "corpus" / digest
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        # Two that start at once make it once: the second waits and finds the result.
        with open(folder.with_suffix(".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "complete").exists():
                print(f"making hard videos in {folder} (about a minute, once)", file=sys.stderr)
                make_all(folder)
                (folder / "complete").touch()
    print(folder)


if __name__ == "__main__":
    main()
