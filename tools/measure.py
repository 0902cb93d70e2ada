"""What the benchmarks share: other programs to compare with, and one run of a program in figures."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PEERS = ["ninja==1.13.2", "snakemake==9.27.1", "dvc==3.67.1", "luigi==3.8.1"]


def install_peers(peers=PEERS):
    """The `bin` folder of a virtual environment with the peers. Installed once, in a minute or two."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pipe"
    place = cache / ("bench-" + "-".join(peer.replace("==", "") for peer in peers))
    if not (place / "ready").exists():
        print(f"installing {', '.join(peers)} into {place}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        subprocess.run([place / "bin/pip", "install", "--quiet", "--disable-pip-version-check", *peers], check=True)
        (place / "ready").touch()
    return place / "bin"


def apart(work):
    """Works in a process of its own: a measured program's peak memory is never less than that of who starts it."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        sys.exit("preparing the folders failed")


def once(command, folder, limit):
    """CPU seconds of the whole tree, wall seconds and the peak memory of any of its processes in MB.

    `None` when it takes longer than `limit` seconds."""
    begun = time.monotonic()
    child = subprocess.Popen(command, cwd=folder, env=quiet(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, start_new_session=True)
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(child.pid, signal.SIGKILL))
    signal.alarm(limit)
    said = child.stderr.read()
    _, status, used = os.wait4(child.pid, 0)
    signal.alarm(0)
    wall = time.monotonic() - begun
    child.returncode = status
    if wall >= limit:
        return None
    if status != 0:
        sys.exit(f"{' '.join(map(str, command))} in {folder} failed:\n{said.decode()}")
    return used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024


def quiet():
    """No reports to strangers' servers while we measure."""
    return os.environ | {"DVC_NO_ANALYTICS": "1", "SNAKEMAKE_OUTPUT_CACHE": ""}


def seconds(value):
    return f"{value * 1000:.1f} ms" if value < 0.1 else f"{value:.2f} s"


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
