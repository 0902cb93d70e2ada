#!/usr/bin/env python3
"""Measures how frames become tensors beside torchvision, torchcodec, PyAV, OpenCV and Pillow, and prints Markdown tables.

    bench-frames.py BENCH_FRAMES [--rounds N] [--frames N]

One thread each; CPU milliseconds a frame, the median over rounds in which every pipeline runs once, so that a machine that
is busy for a while is busy for all. "pipe = 1" is the median of what each round gave by itself, with the least and the most.

The frames of the first table are noise, 1080p I420, BT.709, ImageNet mean and std: none of these pipelines looks at what it
computes. The second table decodes a video that is made for it (x264 by PyAV's libraries); a clip becomes a tensor of all its
frames, so everybody keeps them until the last is there. All who take part stay in memory and take turns, clip by clip: what is
loaded and made once, and the first clip of each, is not counted, and the kernel tells what each has used. The third takes fewer
of its frames: those that no other is made from are not decoded, and of those in between only key frames are left in the end. The
last two are of two threads, in milliseconds that pass: they say something on a machine of two idle cores.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WIDTH, HEIGHT = 1920, 1080
SIZES = (224, 640)
FRAMES = 240
GROUP = 60
CLIP_ROUNDS = 3


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("program", type=Path, help="the example bench_frames of pipe-video, built with --release")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--frames", type=int, default=30, help="frames a pipeline handles in a round")
    arguments.add_argument("--peer", help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.peer:
        return peer(**json.loads(options.peer))
    from frame_peers import ffmpeg_libraries, install_frame_peers
    python = install_frame_peers()
    os.environ["LD_LIBRARY_PATH"] = str(ffmpeg_libraries(python))
    with tempfile.TemporaryDirectory(prefix="bench-frames-") as folder:
        video = f"{folder}/video.mp4"
        ask(python, {"what": "make", "size": 0, "frames": FRAMES, "video": video})
        pictures(options, python)
        clips(options, python, video)
        fewer(options, video)
        two_threads(options, python, video)


def pictures(options, python):
    ours = {"pipe": "ours", "crates `yuv` + `fast_image_resize`": "crates"}
    theirs = {"torchvision v2, antialias": "torchvision", "Pillow BILINEAR": "pillow", "OpenCV INTER_AREA": "opencv-area",
              "OpenCV INTER_LINEAR (no antialias)": "opencv-linear"}
    rows = {name: {size: [] for size in SIZES} for name in (*ours, *theirs)}
    for _ in range(options.rounds):
        for size in SIZES:
            for name, what in ours.items():
                rows[name][size].append(program(options.program, [what, size], 4 * options.frames))
            for name, what in theirs.items():
                rows[name][size].append(ask(python, {"what": what, "size": size, "frames": options.frames}))
    table("YUV to tensor: CPU ms a frame", rows)


def clips(options, python, video):
    """Turn by turn, since the machine may be another from one minute to the next: who is fast looks slow in a busy one."""
    peers = {"PyAV + torchvision": "pyav", "torchcodec + torchvision": "torchcodec"}
    alone = Asked([options.program, "decode", "0", "asked", video])
    asked = {}
    for size in SIZES:
        asked["pipe", size] = Asked([options.program, "clip", str(size), "asked", video])
        for name, what in peers.items():
            asked[name, size] = Asked(peer_command(python, {"what": what, "size": size, "frames": 0, "video": video}))
    rows = {name: {size: [] for size in SIZES} for name in ("pipe", *peers)}
    decoding = []
    for _ in range(CLIP_ROUNDS * options.rounds):
        decoding.append(alone.clip())
        for (name, size), one in asked.items():
            rows[name][size].append(one.clip())
    for one in (alone, *asked.values()):
        one.end()
    table(f"Decode and YUV to tensor, all {FRAMES} frames: CPU ms a frame", rows)
    share = lambda size: statistics.median(ours / alone - 1 for ours, alone in zip(rows["pipe"][size], decoding))
    print(f"\nDecoding alone, by pipe: {statistics.median(decoding):.2f} ms a frame. Preprocessing, as a share of the decoder's "
          f"CPU: {' and '.join(f'{share(size):.0%} at {size}' for size in SIZES)}.")
    limits = [f"{name} {ratios(rows[name][size], decoding)} at {size}" for name in peers for size in SIZES]
    print(f"Who decodes the same and makes tensors of it for nothing would have the others at: {', '.join(limits)}.")


class Asked:
    """Somebody who makes tensors of a clip when asked, and is there until the end."""

    def __init__(self, command, frames=FRAMES, passes=False):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.child, self.command = subprocess.Popen(command, text=True, **pipes), command
        self.frames, self.passes = frames, passes
        self.clip()

    def clip(self):
        """Ms a frame of one clip, of CPU or of the time that passes. `None`: it does not run."""
        begun = self.used()
        if begun is None:
            return None
        try:
            self.child.stdin.write("\n")
            self.child.stdin.flush()
        except BrokenPipeError:
            pass
        if self.child.stdout.readline():
            return (self.used() - begun) / self.frames * 1000
        print(f"{self.command} does not run: {self.child.stderr.read().strip().splitlines()[-1:]}", file=sys.stderr)
        self.child.wait()
        return None

    def used(self):
        """Seconds so far. The number of a process's clock is what clock_getcpuclockid(3) makes of its own."""
        if self.child.returncode is not None:
            return None
        return time.monotonic() if self.passes else time.clock_gettime(~self.child.pid << 3 | 2)

    def end(self):
        self.child.communicate()


def fewer(options, video):
    """The same video with fewer frames wanted, at 224."""
    steps = {f"every frame of {FRAMES}": 1, "every second": 2, "every fourth": 4, "every eighth": 8,
             f"every {GROUP}th: key frames alone": GROUP}
    rows = {name: [] for name in (*steps, "8, spread evenly")}
    for _ in range(options.rounds):
        for name, step in steps.items():
            rows[name].append(program(options.program, ["every", 224, video, step], 1, per_file=True))
        rows["8, spread evenly"].append(program(options.program, ["sparse", 224, video], 1, per_file=True))
    print("\n| frames wanted, at 224 | frames | CPU ms a clip | of all | CPU ms a frame taken |\n|---|---|---|---|---|")
    whole = statistics.median(rows[f"every frame of {FRAMES}"])
    for name, figures in rows.items():
        taken = -(-FRAMES // steps[name]) if name in steps else 8
        clip = statistics.median(figures)
        print(f"| {name} | {taken} | {clip:.0f} | {clip / whole:.2f} | {clip / taken:.2f} |", flush=True)


def two_threads(options, python, video):
    """The time that passes with one thread and with two. `pipe` gives each thread pictures, or a clip, of its own."""
    names = ("pipe", "pipe, two threads", "torchvision v2, two threads")
    rows = {name: {size: [] for size in SIZES} for name in names}
    peers = {"PyAV + torchvision, two threads": "pyav", "torchcodec + torchvision, two threads": "torchcodec"}
    films = {name: {size: [] for size in SIZES} for name in (*names[:2], *peers)}
    asked = {}
    for size in SIZES:
        for count, name in enumerate(names[:2], start=1):
            command = [options.program, "clips", str(size), "asked", video, str(count)]
            asked[name, size] = Asked(command, count * FRAMES, passes=True)
        for name, what in peers.items():
            question = {"what": what, "size": size, "frames": 0, "video": video, "threads": 2}
            asked[name, size] = Asked(peer_command(python, question), passes=True)
    for _ in range(options.rounds):
        for size in SIZES:
            for count, name in enumerate(names[:2], start=1):
                figure = program(options.program, ["threads", size, count], 4 * options.frames, clock=wall) / count
                rows[name][size].append(figure)
            question = {"what": "torchvision", "size": size, "frames": options.frames, "threads": 2}
            rows[names[2]][size].append(ask(python, question))
        for (name, size), one in asked.items():
            films[name][size].append(one.clip())
    for one in asked.values():
        one.end()
    table("YUV to tensor: ms a frame that pass", rows)
    table("Decode and YUV to tensor: ms a frame that pass", films)


def table(title, rows):
    print(f"\n| {title} | 224 | pipe = 1 | 640 | pipe = 1 |\n|---|---|---|---|---|")
    for name, figures in rows.items():
        cells = []
        for size in SIZES:
            known = [figure for figure in figures[size] if figure is not None]
            compared = "1" if name == "pipe" else ratios(figures[size], rows["pipe"][size])
            cells += [f"{statistics.median(known):.2f}", compared] if known else ["does not run", ""]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def ratios(theirs, ours):
    """How many times ours: the median of the rounds, the least and the most."""
    each = [their / our for their, our in zip(theirs, ours) if their is not None]
    return f"{statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})" if each else "unknown"


def used_cpu(_, used):
    return used.ru_utime + used.ru_stime


def wall(passed, _):
    return passed


def program(path, arguments, frames, per_file=False, clock=used_cpu):
    """Ms a frame, of CPU unless another clock is asked for: the time of one run with the work less that of one without."""
    what, size, *rest = arguments
    def seconds(repeat):
        begun = time.monotonic()
        child = subprocess.Popen([path, what, str(size), str(repeat), *map(str, rest)], stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = status
        if status:
            sys.exit(f"{path} {what} failed")
        return clock(time.monotonic() - begun, used)
    times = 1 if per_file else frames
    return (seconds(times) - seconds(0)) / frames * 1000


def ask(python, question):
    """A figure from a pipeline in Python, which measures itself: its imports take seconds and are nobody's fault."""
    answer = subprocess.run(peer_command(python, question), capture_output=True, text=True)
    if answer.returncode:
        sys.exit(answer.stderr)
    return float(answer.stdout.split()[-1])


def peer_command(python, question):
    return [python, __file__, "-", "--peer", json.dumps(question)]


def peer(what, size, frames, video=None, threads=1):
    import numpy as np
    if what == "make":
        make(video, frames)
        return print(0.0)
    work = pipelines(size, video, threads)[what]
    if video:
        for _ in sys.stdin:
            print(len(work(None)), flush=True)
        return None
    clock = cpu if threads == 1 else time.monotonic
    pixels = np.random.default_rng(1).integers(0, 256, (HEIGHT * 3 // 2, WIDTH), dtype=np.uint8)
    work(pixels)
    begun = clock()
    for _ in range(frames):
        work(pixels)
    print((clock() - begun) / frames * 1000)


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def make(video, frames):
    """Soft moving shapes and some noise at about 8 Mb/s, key frames every two seconds, three B frames."""
    import av
    import numpy as np
    random = np.random.default_rng(3)
    with av.open(video, "w") as out:
        stream = out.add_stream("libx264", rate=30, options={"preset": "veryfast", "b": "8M", "bf": "3", "g": str(GROUP)})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.colorspace, stream.codec_context.color_range = 1, 1
        y, x = np.mgrid[0:HEIGHT * 3 // 2, 0:WIDTH].astype(np.float32)
        for number in range(frames):
            pixels = 128 + 60 * np.sin((x + 9 * number) / 90) * np.cos((y - 5 * number) / 70)
            pixels += random.integers(-6, 7, (HEIGHT * 3 // 2 // 4, WIDTH // 4)).repeat(4, 0).repeat(4, 1)[: len(pixels)]
            frame = av.VideoFrame.from_ndarray(np.clip(pixels, 16, 235).astype(np.uint8), "yuv420p")
            out.mux(stream.encode(frame))
        out.mux(stream.encode())


def pipelines(size, video, threads):
    import av
    import cv2
    import numpy as np
    import torch
    from PIL import Image
    from torchvision.transforms.v2 import functional as F
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    np_mean, np_std = np.array(mean, np.float32), np.array(std, np.float32)

    def rgb(pixels):
        frame = av.VideoFrame.from_ndarray(pixels, "yuv420p")
        return frame.to_ndarray(format="rgb24", src_colorspace="ITU709", dst_colorspace="ITU601")

    def normalise(small):
        return ((small.astype(np.float32) / 255 - np_mean) / np_std).transpose(2, 0, 1).copy()

    def tensor(chw):
        small = F.resize(chw, [size, size], antialias=True)
        return F.normalize(F.to_dtype(small, torch.float32, scale=True), mean, std)

    def of_array(array):
        return tensor(torch.from_numpy(array).permute(2, 0, 1))

    def pyav(_):
        with av.open(video) as container:
            stream = container.streams.video[0]
            stream.thread_type = "NONE" if threads == 1 else "AUTO"
            stream.codec_context.thread_count = threads
            return [of_array(frame.to_ndarray(format="rgb24", src_colorspace="ITU709", dst_colorspace="ITU601"))
                    for frame in container.decode(stream)]

    def torchcodec(_):
        from torchcodec.decoders import VideoDecoder
        return [tensor(frame) for frame in VideoDecoder(video, num_ffmpeg_threads=threads, seek_mode="approximate")]

    return {
        "torchvision": lambda pixels: of_array(rgb(pixels)),
        "pillow": lambda pixels: normalise(np.asarray(Image.fromarray(rgb(pixels)).resize((size, size), Image.BILINEAR))),
        "opencv-area": lambda pixels: normalise(cv2.resize(rgb(pixels), (size, size), interpolation=cv2.INTER_AREA)),
        "opencv-linear": lambda pixels: normalise(cv2.resize(rgb(pixels), (size, size))),
        "pyav": pyav,
        "torchcodec": torchcodec,
    }


if __name__ == "__main__":
    main()
