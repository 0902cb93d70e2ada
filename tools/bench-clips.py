#!/usr/bin/env python3
"""Measures cutting clips beside one ffmpeg process for each clip, `ffmpeg -c copy` and smartcut, and prints a Markdown table.

    bench-clips.py CUT [--full] [--scene NAME]... [--clips N] [--only NAME]... [--rounds N] [--keep DIR]

CUT is the example `cut` of the video crate. 12 clips of 4 to 10 s out of 150 s of 1080p30 H.264, with a key frame every 2 s
and B frames; with --full 60 clips out of ten minutes, and 30 s clips with a key frame every 10 s. All programs take turns;
smartcut, which takes as long as the naive way, only with --full or where --only names it.
CPU is that of the whole tree of processes, memory the highest of any of its processes. Every frame carries its number, and
every clip of every program is decoded after it was measured and its numbers and times are compared with those asked for.
"""

import argparse
import math
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import corpus
from measure import install_peers, once, seconds

LIMIT_S = 3600
RATE = 30
SIZE = (1920, 1080)
SMARTCUT = "smartcut==1.7"
THREADS = str(os.cpu_count())
# What `pipe` encodes with unless told.
ENCODE = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "18"]
NAIVE = "ffmpeg, a process a clip"


class Scene:
    """Clips out of one video. `parts`: how often 150 s are repeated; `clips`: pairs of frame numbers, end excluded."""

    def __init__(self, name, gop_s, parts, clips):
        self.name, self.gop_s, self.parts, self.clips = name, gop_s, parts, clips


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("cut", type=Path, help="the example `cut` of the video crate, built for release")
    arguments.add_argument("--full", action="store_true", help="60 clips of ten minutes, and key frames every 10 s")
    arguments.add_argument("--scene", action="append", help="only this scene: 2s, 10s; may be given again")
    arguments.add_argument("--clips", type=int, help="only the first of them")
    arguments.add_argument("--only", action="append", help="only programs whose names begin so; may be given again")
    arguments.add_argument("--rounds", type=int, default=1, help="how often everything is measured (default 1)")
    arguments.add_argument("--keep", type=Path, help="work in this folder and leave it there")
    options = arguments.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="bench-clips-"))
    try:
        for scene in scenes(options.full):
            if options.scene and scene.name not in options.scene:
                continue
            scene.clips = scene.clips[:options.clips]
            programs = [p for p in all_programs(options.cut.resolve()) if is_asked(p, options)]
            report(scene, programs, folder, options)
    finally:
        if not options.keep:
            shutil.rmtree(folder)


def is_asked(program, options):
    if not options.only:
        return options.full or not program.is_long
    return program.name == NAIVE or any(program.name.startswith(only) for only in options.only)


def scenes(full):
    short = Scene("2s", 2, 4 if full else 1, spread(60 if full else 12, 600 if full else 150, 4, 10, 2))
    long = Scene("10s", 10, 1, spread(4, 150, 30, 30, 10))
    return [short, long] if full else [short]


def spread(count, length_s, least_s, most_s, gop_s):
    """Clips over all of a video, off its key frames; every sixth overlaps the one before."""
    dice = random.Random(7)
    clips, step = [], (length_s - most_s) / count
    for i in range(count):
        begin = clips[-1][0] / RATE + dice.uniform(1, 3) if i % 6 == 5 else dice.uniform(i * step, (i + 0.5) * step)
        start = round(begin * RATE)
        start += 7 * (start % (gop_s * RATE) == 0)
        clips.append((start, min(start + round(dice.uniform(least_s, most_s) * RATE), length_s * RATE)))
    return clips


def source(scene):
    """150 s of numbered frames, noisy as a camera's; made once and kept in the cache folder."""
    place = corpus.CACHE / "bench-clips"
    place.mkdir(parents=True, exist_ok=True)
    part, whole = (place / f"gop-{scene.gop_s}s-{parts}.mp4" for parts in (1, scene.parts))
    gop = str(scene.gop_s * RATE)
    if not part.exists():
        print(f"making {part} (two minutes, once)", file=sys.stderr)
        video = ["-c:v", "libx264", "-preset", "superfast", "-b:v", "8M", "-maxrate", "12M", "-bufsize", "16M",
                 "-g", gop, "-keyint_min", gop, "-sc_threshold", "0", "-bf", "3", "-b_strategy", "0", *corpus.TAGS_709]
        unready = part.with_suffix(".part.mp4")
        corpus.draw(unready, "-movflags", "+faststart", size=SIZE, rate=str(RATE), seconds=150, video=video,
                    filters="noise=alls=7:allf=t,format=yuv420p")
        unready.rename(part)
    if not whole.exists():
        parts = place / "parts.txt"
        parts.write_text(f"file '{part.name}'\n" * scene.parts)
        # Joined, the sound's priming moves the pictures off 0: what begins at none of their moments is cut at others by each program.
        corpus.run("-f", "concat", "-i", parts, "-c", "copy", "-bsf:v", "setts=pts=PTS-STARTPTS:dts=DTS-STARTPTS",
                   "-movflags", "+faststart", whole)
    return whole


class Program:
    """What cuts clips. `command` gets the source, the clips and the folder for them; `is_exact`: whether it is to give
    exactly the frames that were asked for; `measured`: whether its pictures are compared with the source's; `is_long`:
    whether it has its turn only where it is asked for."""

    def __init__(self, name, command, is_exact=True, measured=True, is_long=False):
        self.name, self.command, self.is_exact, self.measured, self.is_long = name, command, is_exact, measured, is_long


def all_programs(cut):
    def ours(mode):
        def command(source, clips, folder):
            table = folder / "clips.txt"
            # The next millisecond is behind the frame's moment only if that is not whole; ends are excluded likewise.
            table.write_text("".join(f"{ms(start)} {ms(end)}\n" for start, end in clips))
            return [cut, source, table, folder, mode, THREADS]
        return command

    def each(line):
        """A process for each clip, one after another."""
        def command(source, clips, folder):
            lines = [line(source, start / RATE, end / RATE, folder / f"c{n:03}.mp4")
                     for n, (start, end) in enumerate(clips)]
            script = folder / "all.sh"
            script.write_text("set -e\n" + "".join(" ".join(f"'{word}'" for word in words) + "\n" for words in lines))
            return ["sh", script]
        return command

    ffmpeg = [corpus.ffmpeg(), "-hide_banner", "-loglevel", "error", "-nostdin", "-y"]
    naive = each(lambda source, start, end, out: [
        *ffmpeg, "-ss", f"{start:.6f}", "-to", f"{end:.6f}", "-i", source, *ENCODE, "-c:a", "aac", "-movflags",
        "+faststart", out])
    copy = each(lambda source, start, end, out: [
        *ffmpeg, "-ss", f"{start:.6f}", "-to", f"{end:.6f}", "-i", source, "-c", "copy", "-movflags", "+faststart", out])
    peer = each(lambda source, start, end, out: [install_peers([SMARTCUT]) / "smartcut", source, out, "--keep", f"{start:.6f},{end:.6f}"])
    return [Program(NAIVE, naive), Program("smart", ours("smart")), Program("encode", ours("encode")),
            Program("copy", ours("copy"), is_exact=False, measured=False),
            Program("ffmpeg -c copy", copy, is_exact=False, measured=False),
            Program("smartcut", peer, is_exact=False, measured=False, is_long=True)]


def ms(frame):
    """A moment in whole milliseconds that splits the frames as `frame` does: not after its time, and after the one before."""
    return frame * 1000 // RATE


# What is in the clips.

def numbers(clip, *reader):
    """The number and the time of every frame that a reader shows."""
    width, height = SIZE
    bars = f"crop={round(width * 0.8)}:{round(height * 8 / 180)}:{round(width * 0.1)}:{round(height * 164 / 180)}"
    done = subprocess.run(
        [corpus.ffmpeg(), "-hide_banner", "-nostdin", "-threads", "1", "-skip_loop_filter", "all", *reader, "-i",
         clip, "-map", "0:v:0", "-fps_mode", "passthrough",
         "-vf", f"{bars},scale=16:1:flags=area,format=gray,showinfo", "-f", "rawvideo", "-"], capture_output=True)
    times = [float(line.split("pts_time:")[1].split()[0]) for line in done.stderr.decode().splitlines()
             if "pts_time:" in line]
    pixels = done.stdout
    read = [sum((pixels[at + bit] > 126) << bit for bit in range(16)) for at in range(0, len(pixels), 16)]
    return read, times


def is_exact(read, times, start, end):
    wanted = [number % (150 * RATE) for number in range(start, end)]
    in_step = all(abs(time - n / RATE) < 0.002 for n, time in enumerate(times))
    return read == wanted and len(times) == len(wanted) and in_step


def in_all(clip):
    """The frames that readers see which ignore edit lists."""
    return numbers(clip, "-ignore_editlist", "1")[0]


def likeness(source, clip, start, end):
    """The mean likeness in dB of the frames that are not the source's to the bit, and how many of all are."""
    frames = end - start
    step = f"setpts=N/{RATE}/TB,settb=1/{RATE}"
    done = subprocess.run(
        [corpus.ffmpeg(), "-hide_banner", "-loglevel", "error", "-nostdin", "-ss", f"{start / RATE - 0.001:.6f}", "-i", source,
         "-i", clip, "-lavfi", f"[0:v]trim=end_frame={frames},{step}[a];[1:v]{step}[b];[a][b]psnr=stats_file=-:shortest=1",
         "-f", "null", "-"], capture_output=True)
    errors = [float(line.split("mse_avg:")[1].split()[0]) for line in done.stdout.decode().splitlines()
              if "mse_avg:" in line]
    return errors


def report(scene, programs, root, options):
    video = source(scene)
    frames = sum(end - start for start, end in scene.clips)
    print(f"\n{len(scene.clips)} clips, {frames} frames, of {scene.parts * 150} s with a key frame every {scene.gop_s} s:\n")
    figures = {program.name: [] for program in programs}
    for _ in range(options.rounds):
        for program in programs:
            folder = root / f"{scene.name}-{program.name}".replace(" ", "-").replace(",", "")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            # Nothing that is not a clip may lie there when the sizes are added.
            figure = once(program.command(video, scene.clips, folder), folder, LIMIT_S)
            if figure is None:
                sys.exit(f"{program.name} took more than {LIMIT_S} s")
            figures[program.name].append(figure)
            program.folder = folder
    print("| program | CPU | wall | peak memory | CPU, naive = 1 | wall, naive = 1 | bytes | exact | to the bit | PSNR of the others |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    wrong, lines = [], []
    for program in programs:
        wrong += row(program, scene, video, figures, lines)
    print()
    print("\n".join(lines))
    if wrong:
        sys.exit("\n".join(wrong))


def row(program, scene, video, figures, lines):
    """Prints what is said of a program. Returns what is wrong with its clips."""
    cpu, wall, memory = (statistics.median(column) for column in zip(*figures[program.name]))
    # Ratios are taken within a round: then the machine was the same for both.
    ratio = [statistics.median(mine[i] / naive[i] for mine, naive in zip(figures[program.name], figures[NAIVE]))
             for i in (0, 1)]
    clips = [(program.folder / f"c{n:03}.mp4", start, end) for n, (start, end) in enumerate(scene.clips)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        read = list(pool.map(lambda clip: numbers(clip[0]), clips))
        whole = list(pool.map(lambda clip: in_all(clip[0]), clips if program.name == "copy" else []))
    exact = [is_exact(*read, start, end) for read, (_, start, end) in zip(read, clips)]
    size = sum(clip.stat().st_size for clip, _, _ in clips)
    same = like = ""
    if program.measured:
        # Every fourth: to decode all twice would take longer than all that is measured.
        errors = [error for clip in clips[::4] for error in likeness(video, *clip)]
        others = [error for error in errors if error > 0]
        same = f"{1 - len(others) / len(errors):.0%}"
        like = f"{statistics.mean(10 * math.log10(255 ** 2 / error) for error in others):.2f} dB" if others else ""
    cells = [f"`{program.name}`", seconds(cpu), seconds(wall), f"{memory:.0f} MB", f"{ratio[0]:.3f}", f"{ratio[1]:.3f}",
             f"{size / 1e6:.1f} MB", f"{sum(exact)}/{len(exact)}", same, like]
    print(f"| {' | '.join(cells)} |", flush=True)
    if program.name in ("smart", "encode", "copy"):
        lines.append(f"{program.name} cpu_ratio={ratio[0]:.3f} wall_ratio={ratio[1]:.3f} peak_mb={memory:.0f}")
    wrong = [f"{program.name}: clip {n} is not exact" for n, right in enumerate(exact) if program.is_exact and not right]
    wrong += [f"copy: {clip} hides frames behind an edit list"
              for (clip, _, _), (seen, _), there in zip(clips, read, whole) if seen != there]
    return wrong


if __name__ == "__main__":
    main()
