#!/usr/bin/env python3
"""Measures `pipe plan` beside `ninja -n`, `snakemake -n` and `dvc repro --dry` and prints a Markdown table.

    bench-plan.py PIPE [--runs N] [--keep DIR] [--only WORD]

Every line is one program run from nothing to its end: CPU of its whole tree of processes, wall time, the highest
memory of any of its processes, each the median of N runs. The peers come from PyPI at fixed versions into a virtual
environment that is kept beside the build cache. Results that "are there" are written by this script, so that no time
is spent on running 100,000 programs.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path

from measure import apart, install_peers, once, quiet, seconds, write

MANY, FEW, LINKS = 100_000, 1_000, 10_000
LIMIT_S = 120


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("pipe", type=Path, help="the binary to measure")
    arguments.add_argument("--runs", type=int, default=5, help="runs of each line (default 5)")
    arguments.add_argument("--keep", type=Path, help="work in this folder and leave it there")
    arguments.add_argument("--only", default="", help="only lines that hold this word")
    options = arguments.parse_args()
    pipe = options.pipe.resolve()
    peers = install_peers()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="bench-plan-"))
    try:
        print("| tasks | state | program | CPU | wall | peak memory | CPU, pipe = 1 |")
        print("|---|---|---|---|---|---|---|")
        for title, cases in workloads(pipe, peers, folder):
            report(title, [case for case in cases if options.only in " ".join([*title, case[0]])], options.runs)
    finally:
        if not options.keep:
            shutil.rmtree(folder)


def workloads(pipe, peers, root):
    """Groups of `(program, command, folder)`, each with its title `(tasks, state)`."""
    ninja = [peers / "ninja", "-n"]
    plan = [pipe, "plan", "spec.toml"]

    empty, empty_ninja = root / "empty", root / "empty-ninja"
    pipe_matrix(empty, MANY)
    ninja_matrix(empty_ninja, MANY)
    yield (f"{MANY:,}", "nothing there"), [("pipe plan", plan, empty), ("ninja -n", ninja, empty_ninja)]

    full, full_ninja = root / "full", root / "full-ninja"
    pipe_matrix(full, MANY)
    apart(lambda: fill(pipe, full))
    ninja_matrix(full_ninja, MANY)
    for i in range(MANY):
        (full_ninja / f"out/{cell(i, '-')}").write_text("")
    strangers = [*plan, "--state", "elsewhere"]
    yield (f"{MANY:,}", "all there"), [
        ("pipe plan", plan, full),
        ("pipe plan, results never seen before", strangers, full),
        ("ninja -n", ninja, full_ninja),
    ]

    linked = root / "linked"
    pipe_linked(linked, MANY // 2)
    chain = root / "chain"
    pipe_chain(chain, LINKS)
    yield (f"2 x {MANY // 2:,}", "nothing there"), [("pipe plan", plan, linked)]
    yield (f"chain of {LINKS:,}", "nothing there"), [("pipe plan", plan, chain)]

    few = {name: root / f"few-{name}" for name in ["pipe", "ninja", "snakemake", "dvc"]}
    pipe_matrix(few["pipe"], FEW)
    ninja_matrix(few["ninja"], FEW)
    snakemake_matrix(few["snakemake"], FEW)
    dvc_matrix(few["dvc"], FEW, peers)
    yield (f"{FEW:,}", "nothing there"), [
        ("pipe plan", plan, few["pipe"]),
        ("ninja -n", ninja, few["ninja"]),
        ("snakemake -n", [peers / "snakemake", "-n", "--cores", "1"], few["snakemake"]),
        ("dvc repro --dry", [peers / "dvc", "repro", "--dry"], few["dvc"]),
    ]

    repository = Path(__file__).resolve().parent.parent
    yield ("", "the binary itself"), [
        ("pipe --help", [pipe, "--help"], repository),
        ("pipe validate specs/quickstart.toml", [pipe, "validate", "specs/quickstart.toml"], repository),
    ]


# The same work for every program: each of a x b cells writes its name into a file.

def sides(tasks):
    b = 400 if tasks >= 400 else tasks
    return tasks // b, b


def cell(i, between):
    return f"{i // 400}{between}{i % 400}"


def pipe_matrix(folder, tasks):
    a, b = sides(tasks)
    write(folder / "spec.toml", f"""
version = 1
name = "bench"

[stages.work]
kind = "command"
matrix = {{ a = "{{{{ range({a}) }}}}", b = "{{{{ range({b}) }}}}" }}
argv = ["sh", "-c", "echo $0 > $PIPE_OUTPUT/made", "{{{{ a }}}}-{{{{ b }}}}"]
outputs = ["made"]
""")
    (folder / ".pipe").mkdir(exist_ok=True)


def pipe_linked(folder, tasks):
    pipe_matrix(folder, tasks)
    a, b = sides(tasks)
    with (folder / "spec.toml").open("a") as spec:
        spec.write(f"""
[stages.copy]
kind = "command"
matrix = {{ a = "{{{{ range({a}) }}}}", b = "{{{{ range({b}) }}}}" }}
argv = ["sh", "-c", "cp $PIPE_INPUT_MADE/made $PIPE_OUTPUT/made"]
inputs = {{ made = {{ stage = "work" }} }}
outputs = ["made"]
""")


def pipe_chain(folder, links):
    text = 'version = 1\nname = "chain"\n[stages.s0]\nkind = "command"\nargv = ["true"]\n'
    for i in range(1, links):
        text += f'[stages.s{i}]\nkind = "command"\nargv = ["true"]\ninputs = {{ a = {{ stage = "s{i - 1}" }} }}\n'
    write(folder / "spec.toml", text)


def ninja_matrix(folder, tasks):
    # `generator` spares ninja its log, which holds nothing here; it then judges by time alone.
    lines = ["rule work", "  command = echo $what > $out", "  generator = 1"]
    for i in range(tasks):
        lines += [f"build out/{cell(i, '-')}: work in", f"  what = {cell(i, '-')}"]
    write(folder / "build.ninja", "\n".join(lines) + "\n")
    write(folder / "in", "")
    (folder / "out").mkdir(exist_ok=True)


def snakemake_matrix(folder, tasks):
    a, b = sides(tasks)
    write(folder / "Snakefile", f"""
rule all:
    input: expand("out/{{a}}-{{b}}", a=range({a}), b=range({b}))

rule work:
    output: "out/{{a}}-{{b}}"
    shell: "echo {{wildcards.a}}-{{wildcards.b}} > {{output}}"
""")


def dvc_matrix(folder, tasks, peers):
    a, b = sides(tasks)
    write(folder / "dvc.yaml", f"""
stages:
  work:
    matrix:
      a: {list(range(a))}
      b: {list(range(b))}
    cmd: mkdir -p out && echo ${{item.a}}-${{item.b}} > out/${{item.a}}-${{item.b}}
    outs: ["out/${{item.a}}-${{item.b}}"]
""")
    subprocess.run([peers / "dvc", "init", "--no-scm", "--force", "--quiet"], cwd=folder, check=True, env=quiet())


def fill(pipe, folder):
    """Writes what a run of the spec would have left in its store, under the keys that the plan tells."""
    planned = subprocess.run([pipe, "plan", "spec.toml", "--json"], cwd=folder, check=True, capture_output=True)
    store = folder / "out"
    for task in json.loads(planned.stdout)["tasks"]:
        key = task["fingerprint"]
        at = f"data/bench/work/{','.join(f'{k}={v}' for k, v in task['cell'].items())}@{key[:8]}-1/made"
        made = f"{task['cell']['a']}-{task['cell']['b']}\n"
        manifest = {
            "version": 1, "of": "task", "fingerprint": key,
            "key": {"kind": "command", "code": "1", "cell.a": str(task["cell"]["a"]), "cell.b": str(task["cell"]["b"]),
                    "config.argv[0]": '"sh"', "config.argv[1]": '"-c"', "config.outputs[0]": '"made"'},
            "digest": key, "files": [{"path": "made", "size": len(made), "blake3": key, "at": at}], "result": None,
            "provenance": {"run": "20261121-000000-0000", "attempt": f"{key[:20]}-1", "published": 0, "sources": [],
                           "task": {"stage": "work", "cell": task["cell"]}},
        }
        write(store / at, made)
        write(store / f"results/{key[:2]}/{key}.json", json.dumps(manifest, indent=2))
    # The first look remembers what it has seen; this one is not measured.
    subprocess.run([pipe, "plan", "spec.toml"], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def report(title, cases, runs):
    first = None
    for program, command, folder in cases:
        measured = measure(command, folder, runs)
        if measured is None:
            print(f"| {title[0]} | {title[1]} | `{program}` | over {LIMIT_S} s | | | |", flush=True)
            continue
        cpu, wall, memory = measured
        first = first or cpu
        line = [*title, f"`{program}`", seconds(cpu), seconds(wall), f"{memory:.0f} MB", f"{cpu / first:.1f}"]
        print(f"| {' | '.join(line)} |", flush=True)


def measure(command, folder, runs):
    """Medians of CPU seconds, wall seconds and peak memory in MB; `None` when a run takes longer than the limit."""
    figures = []
    for _ in range(runs):
        figure = once(command, folder, LIMIT_S)
        if figure is None:
            return None
        figures.append(figure)
    return [statistics.median(column) for column in zip(*figures)]


if __name__ == "__main__":
    main()
