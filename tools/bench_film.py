"""The film that benchmarks cut and decode: a camera's, as far as a program can draw one."""

import corpus

SIZE, RATE = (1920, 1080), 30


def draw(out, seconds, group_s, audio=True):
    """1080p30 H.264 at 8 Mb/s and no more than 12, numbered frames under a camera's noise, three B frames, a key frame every
    `group_s` seconds."""
    group = str(group_s * RATE)
    video = ["-c:v", "libx264", "-preset", "superfast", "-b:v", "8M", "-maxrate", "12M", "-bufsize", "16M",
             "-g", group, "-keyint_min", group, "-sc_threshold", "0", "-bf", "3", "-b_strategy", "0", *corpus.TAGS_709]
    unready = out.with_suffix(".part.mp4")
    corpus.draw(unready, "-movflags", "+faststart", size=SIZE, rate=str(RATE), seconds=seconds, video=video, audio=audio,
                filters="noise=alls=7:allf=t,format=yuv420p")
    unready.rename(out)
