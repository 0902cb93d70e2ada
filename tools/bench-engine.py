#!/usr/bin/env python3
"""Measures `pipe run` beside ninja, make, snakemake, luigi and dvc and prints a Markdown table.

    bench-engine.py PIPE [--runs N] [--keep DIR] [--only WORDS]... [--quick]

Every program has the same work: `sh` starts, makes a file, and ends; two at a time. All of a scene's programs run in
turn, round after round, so that a machine that is busy for a while is busy for all of them. CPU is that of the whole tree
of processes, memory the highest of any of its processes; each figure is the median over the rounds. After every run
it is looked whether the work was done: all outputs there, none too many made anew.
"""

import argparse
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import apart, install_peers, once, seconds, write

LIMIT_S = 1200
JOBS = "2"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("pipe", type=Path, help="the binary to measure")
    arguments.add_argument("--runs", type=int, help="rounds of each scene (default 5 of short ones, 3, or 1 of long ones)")
    arguments.add_argument("--keep", type=Path, help="work in this folder and leave it there")
    arguments.add_argument("--only", action="append", help="only scenes whose tasks and state begin so; may be given again")
    arguments.add_argument("--quick", action="store_true", help="only pipe and ninja, and nothing with 100,000 tasks")
    options = arguments.parse_args()
    peers = install_peers()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="bench-engine-"))
    try:
        print("| tasks | state | program | CPU | wall | peak memory | CPU, ninja = 1 | wall, ninja = 1 |")
        print("|---|---|---|---|---|---|---|---|")
        for scene in scenes(options.pipe.resolve(), peers):
            if options.only and not any(scene.title.startswith(words) for words in options.only):
                continue
            if options.quick and scene.is_long:
                continue
            programs = [p for p in scene.programs if not options.quick or p.name in ("ninja", "pipe run")]
            report(scene, programs, folder, options.runs or scene.rounds)
    finally:
        if not options.keep:
            shutil.rmtree(folder)


class Scene:
    """Something that is asked of several programs. `settle` makes what must be there before a run and tells its
    folder; `check` gets that after it."""

    def __init__(self, tasks, state, rounds, programs, settle, check, is_long=False):
        self.tasks, self.state, self.rounds, self.programs = tasks, state, rounds, programs
        self.settle, self.check, self.is_long = settle, check, is_long
        self.title = f"{tasks} {state}"


class Program:
    """A program, what it is started with, and what writes its description of the work into a folder."""

    def __init__(self, name, command, project, outputs="out"):
        self.name, self.command, self.project, self.outputs = name, command, project, outputs


def scenes(pipe, peers):
    run = [pipe, "run", "spec.toml", "-j", JOBS]
    ninja = [peers / "ninja", "-j", JOBS]

    def fan(n, more=()):
        return [Program("ninja", ninja, lambda at: ninja_fan(at, n)),
                Program("pipe run", run, lambda at: pipe_fan(at, n)), *more]

    def others(n):
        return [Program("make", ["make", "-j", JOBS, "--silent"], lambda at: make_fan(at, n)),
                Program("snakemake", [peers / "snakemake", "--cores", JOBS, "--quiet", "all"],
                        lambda at: snakemake_fan(at, n)),
                Program("luigi", [peers / "python", "tasks.py"], lambda at: luigi_fan(at, n))]

    yield Scene("1,000", "nothing there", 5, fan(1000), anew, made(1000))
    yield Scene("10,000", "nothing there", 3, fan(10_000), anew, made(10_000))
    copies = [Program("ninja", ninja, lambda at: ninja_copies(at, 10_000)),
              Program("pipe run", run, lambda at: pipe_copies(at, 10_000))]
    yield Scene("10,000 of 4 KiB", "all there", 5, copies, once_full, remade(0, 10_000))
    yield Scene("10,000 of 4 KiB", "one changed", 5, copies, one_changed, remade(1, 10_000))
    chain = [Program("ninja", ninja, lambda at: ninja_chain(at, 10_000)),
             Program("pipe run", run, lambda at: pipe_chain(at, 10_000))]
    yield Scene("chain of 10,000", "nothing there", 1, chain, anew, made(10_000))
    yield Scene("1,000", "nothing there, the others", 1, fan(1000, others(1000)), anew, made(1000), is_long=True)
    dvc = [Program("dvc", [peers / "dvc", "repro", "--quiet"], lambda at: dvc_fan(at, 100, peers))]
    yield Scene("100", "nothing there, the others", 1, fan(100, dvc), anew, made(100), is_long=True)
    yield Scene("100,000", "nothing there", 1, fan(100_000), anew, made(100_000), is_long=True)


# The same work for every program. Outputs lie in `out/`, in whatever folders the program makes there.

def pipe_spec(at, text):
    write(at / "spec.toml", f'version = 1\nname = "bench"\n{text}')
    (at / ".pipe").mkdir(exist_ok=True)


def pipe_fan(at, n):
    # 1,000 values at most stand in one axis of a matrix.
    b = min(n, 1000)
    pipe_spec(at, f"""
[stages.work]
kind = "command"
matrix = {{ a = "{{{{ range({n // b}) }}}}", b = "{{{{ range({b}) }}}}" }}
argv = ["sh", "-c", "true > $PIPE_OUTPUT/made"]
outputs = ["made"]
""")


def pipe_copies(at, n):
    pipe_spec(at, f"""
[stages.copy]
kind = "command"
matrix = {{ i = "{{{{ range({n}) }}}}" }}
argv = ["sh", "-c", "cat $PIPE_INPUT_DATA > $PIPE_OUTPUT/made"]
inputs = {{ data = {{ file = "in/{{{{ i }}}}" }} }}
outputs = ["made"]
""")
    inputs(at, n)


def pipe_chain(at, n):
    # In few words, since a spec has at most a megabyte, and each in its own: what does the same to the same is made once.
    needs = ["", *(f', inputs.a.stage = "s{i - 1}"' for i in range(1, n))]
    stages = (f's{i} = {{ kind = "command", shell = "true {i} > $PIPE_OUTPUT/made"{needs[i]} }}' for i in range(n))
    pipe_spec(at, "[stages]\n" + "\n".join(stages) + "\n")


def ninja_rule(at, command, builds):
    write(at / "build.ninja", f"rule work\n  command = {command}\n" + "".join(f"build {b}\n" for b in builds))


def ninja_fan(at, n):
    ninja_rule(at, "true > $out", (f"out/{i}: work" for i in range(n)))


def ninja_copies(at, n):
    ninja_rule(at, "cat $in > $out", (f"out/{i}: work in/{i}" for i in range(n)))
    inputs(at, n)


def ninja_chain(at, n):
    ninja_rule(at, "true > $out", (f"out/{i}: work" + (f" out/{i - 1}" if i else "") for i in range(n)))


def make_fan(at, n):
    write(at / "Makefile", f"all: {' '.join(f'out/{i}' for i in range(n))}\nout/%:\n\t@true > $@\n")
    (at / "out").mkdir()


def snakemake_fan(at, n):
    write(at / "Snakefile", f"""
rule all:
    input: expand("out/{{i}}", i=range({n}))

rule work:
    output: "out/{{i}}"
    shell: "true > {{output}}"
""")


def luigi_fan(at, n):
    write(at / "tasks.py", f"""
import subprocess, sys
import luigi

class Work(luigi.Task):
    i = luigi.IntParameter()
    def output(self):
        return luigi.LocalTarget(f"out/{{self.i}}")
    def run(self):
        subprocess.run(["sh", "-c", f"true > out/{{self.i}}"], check=True)

class All(luigi.WrapperTask):
    def requires(self):
        return [Work(i) for i in range({n})]

sys.exit(not luigi.build([All()], workers={JOBS}, local_scheduler=True, log_level="ERROR"))
""")
    (at / "out").mkdir()


def dvc_fan(at, n, peers):
    write(at / "dvc.yaml", f"""
stages:
  work:
    matrix:
      i: {list(range(n))}
    cmd: true > out/${{item.i}}
    outs: ["out/${{item.i}}"]
""")
    (at / "out").mkdir()
    subprocess.run([peers / "dvc", "init", "--no-scm", "--force", "--quiet"], cwd=at, check=True)


def inputs(at, n):
    for i in range(n):
        write(at / f"in/{i}", f"{i}\n".ljust(4096, "."))


# What is there before a run.

def anew(program, at, round=0):
    # Each round has a folder of its own and none is removed before the end: ext4 gives no inode that was freed in the last
    # seconds to a new file, and to search past them costs more than all that is measured here.
    # Two scenes may ask the same of one program.
    names = (at.with_name(f"{at.name}-{n}") for n in itertools.count(round))
    at = next(name for name in names if not name.exists())
    at.mkdir(parents=True)
    apart(lambda: program.project(at))
    os.sync()
    return at


def once_full(program, at, _round=0):
    """The result of one run of everything, and one more, so that whatever is remembered is remembered."""
    if not at.with_name(f"{at.name}-0").exists():
        there = anew(program, at)
        for _ in range(2):
            once(program.command, there, LIMIT_S)
        os.sync()
    return mark(at.with_name(f"{at.name}-0"))


def one_changed(program, at, _round=0):
    at = once_full(program, at)
    once(program.command, at, LIMIT_S)
    path = at / "in/4711"
    path.write_text(f"{os.urandom(8).hex()}\n".ljust(4096, "."))
    return mark(at)


def mark(at):
    """What is newer than this file was made by the run that is measured."""
    (at / "mark").write_text("")
    return at


# What must be there after it.

def outputs(at):
    """Files that tasks made: those of ninja and the like lie in `out/` itself, those of pipe under `out/data/`."""
    data = at / "out/data"
    root = data if data.exists() else at / "out"
    return [Path(folder) / name for folder, _, names in os.walk(root) for name in names if not name.startswith(".")]


def made(n):
    def check(at):
        there = len(outputs(at))
        return None if there == n else f"{there} outputs instead of {n}"
    return check


def remade(n, of):
    def check(at):
        files = [path.stat().st_mtime_ns for path in outputs(at)]
        new = sum(time > (at / "mark").stat().st_mtime_ns for time in files)
        return None if new == n and len(files) >= of else f"{new} of {len(files)} outputs made anew instead of {n} of {of}"
    return check


def report(scene, programs, root, rounds):
    figures = {program.name: [] for program in programs}
    for round in range(rounds):
        for program in programs:
            at = root / f"{scene.tasks}-{program.name}".replace(" ", "-").replace(",", "")
            at = scene.settle(program, at, round)
            figure = once(program.command, at, LIMIT_S)
            wrong = f"over {LIMIT_S} s" if figure is None else scene.check(at)
            if wrong:
                sys.exit(f"{program.name}, {scene.title}: {wrong}")
            figures[program.name].append(figure)
    yardstick = figures["ninja"]
    for program in programs:
        cpu, wall, memory = (statistics.median(column) for column in zip(*figures[program.name]))
        # Ratios are taken within a round: then the machine was the same for both.
        ratio = [statistics.median(ours[i] / theirs[i] for ours, theirs in zip(figures[program.name], yardstick))
                 for i in (0, 1)]
        line = [scene.tasks, scene.state, f"`{program.name}`", seconds(cpu), seconds(wall), f"{memory:.0f} MB",
                *(f"{r:.2f}" for r in ratio)]
        print(f"| {' | '.join(line)} |", flush=True)


if __name__ == "__main__":
    main()
