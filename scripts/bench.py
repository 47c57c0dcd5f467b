"""Time whole commands against their peers, run side by side, and print medians and ratios.

    python scripts/bench.py            the table
    python scripts/bench.py --write    the table, kept in docs/benchmarks.md too
    python scripts/bench.py --environment .venv    with a check of this environment too

The environment that is checked is staged (``benching/environment.py``): torch for CUDA with all that it requires,
and 150 other distributions; its libraries have real sizes, with holes, and real tables.

Every pair is run in turn (ours, theirs, ours, …), so that a busy machine slows both. The peer's caches are
warm: one run that nobody counts comes first. Needs ``torchlock`` and ``uv`` on PATH and, for uv, an index.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
REQUEST = ["torch==2.3.1", "torchaudio", "soundfile", "librosa"]
STACK = ["torch", "torchaudio", "torchcodec", "soundfile"]
DEPENDENTS = ["torch==2.7.1", "torchaudio==2.7.1", "transformers==4.52.0", "speechbrain==1.0.3", "lightning"]
TARGET = ["--python", "3.11", "--platform", "linux-x86_64"]


class Run(NamedTuple):
    """One process: wall time and processor time in milliseconds, peak memory in MiB."""

    wall: float
    processor: float
    memory: float


class Case(NamedTuple):
    """A command of ours beside a peer's; ``peer`` is empty where there is none to compare with."""

    title: str
    ours: list[str]
    peer: list[str]
    limit: str


def measure(command: list[str], cwd: str) -> Run:
    """Run a command to its end; raises CalledProcessError if it fails."""
    start = time.perf_counter()
    with Path(os.devnull).open("wb") as sink:
        process = subprocess.Popen(command, cwd=cwd, stdout=sink, stderr=sink)
        _, status, usage = os.wait4(process.pid, 0)
    wall = (time.perf_counter() - start) * 1000
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):  # 1: an audit found something
        raise subprocess.CalledProcessError(process.returncode, command)
    return Run(wall, (usage.ru_utime + usage.ru_stime) * 1000, usage.ru_maxrss / 1024)


def many_files(folder: Path) -> None:
    """A thousand requirements files as people write them: fifty lines, a quarter with something wrong."""
    draw = random.Random(1)
    plain = [f"package-{number}=={draw.randint(0, 9)}.{draw.randint(0, 20)}" for number in range(400)]
    pairs = [
        *(
            "torch==2.7.1 torchaudio==2.7.1",
            "torch>=2.6,<2.8 torchaudio>=2.6,<2.8",
            "torch==2.0.1 torchaudio==2.0.2",
        ),
        *("torch torchaudio", "torch==2.7.1 torchaudio==2.5.1", "torch==2.3.1 torchaudio numpy"),
        *("torch>=2.1 torchvision>=0.16", "torch==1.13.1 torchaudio==0.13.1 soundfile", "torchaudio==2.5.1"),
        *("torch==2.1.0+cu118 torchaudio==2.1.0+cu118", "torch~=2.2.1 torchvision~=0.17.1", "numpy scipy librosa"),
    ]
    folder.mkdir()
    for number in range(1000):
        lines = [*draw.sample(plain, 46), *draw.choice(pairs).split()]
        draw.shuffle(lines)
        (folder / f"requirements-{number}.txt").write_text("\n".join(lines) + "\n")


def cases(folder: Path) -> list[Case]:
    (folder / "requirements.in").write_text("\n".join(REQUEST) + "\n")
    (folder / "requirements.txt").write_text("torch==2.3.1\ntorchaudio==2.3.0  # why\nsoundfile\nlibrosa>=0.10\n")
    (folder / "dependents.txt").write_text("\n".join(DEPENDENTS) + "\n")
    many_files(folder / "many")
    ours = ["torchlock", "lock", "-r", "requirements.in", *TARGET, "--offline", "-o", "ours.txt"]
    uv = [
        *("uv", "pip", "compile", "requirements.in", "--python-version", "3.11"),
        *("--python-platform", "x86_64-manylinux_2_28", "--generate-hashes", "-o", "uv.txt"),
    ]
    return [
        Case(f"lock {' '.join(REQUEST)}, with hashes", ours, uv, "at most 2x, 60 MiB"),
        Case("the same, uv from its cache only", ours, [*uv, "--offline"], ""),
        Case("lock torch torchaudio", [*ours[:2], "torch", "torchaudio", *ours[4:]], [], ""),
        Case(
            f"lock {' '.join(STACK)} --accelerator cpu, beside the public builds",
            [*ours[:2], *STACK, *ours[4:], "--accelerator", "cpu"],
            [*ours[:2], *STACK, *ours[4:-1], "public.txt"],
            "at most 1.2x",
        ),
        Case(
            "audit of one file, beside torchlock --version",
            ["torchlock", "audit", "requirements.txt"],
            ["torchlock", "--version"],
            "1.5 times + 60 ms",
        ),
        Case(
            "audit of a file that names dependents, beside that of one file",
            ["torchlock", "audit", "dependents.txt"],
            ["torchlock", "audit", "requirements.txt"],
            "",
        ),
        Case("audit of 1,000 files", ["torchlock", "audit", "many"], [], "at most 3 s"),
        Case("--version", ["torchlock", "--version"], ["uv", "--version"], ""),
        Case("lock --help", ["torchlock", "lock", "--help"], ["uv", "pip", "compile", "--help"], ""),
        Case("python -c pass", [sys.executable, "-c", "pass"], [], "the floor"),
    ]


def check_of(environment: Path) -> Case:
    """The check of an environment; its files and size are in the title."""
    sizes = [path.lstat().st_size for path in environment.rglob("*") if path.is_file() and not path.is_symlink()]
    python = str(environment.resolve() / "bin" / "python")
    return Case(
        f"check of an environment, {len(sizes):,} files, {sum(sizes) / 1e9:.1f} GB",
        ["torchlock", "check", "--python", python],
        ["uv", "pip", "check", "--python", python],
        "at most 500 ms, 150 MiB",
    )


def compare(case: Case, runs: int, folder: str) -> str:
    """One row of the table."""
    ours, theirs = [], []
    for command in (case.ours, case.peer):
        if command:
            measure(command, folder)
    for _ in range(runs):
        ours.append(measure(case.ours, folder))
        if case.peer:
            theirs.append(measure(case.peer, folder))
    wall = statistics.median(run.wall for run in ours)
    memory = max(run.memory for run in ours)
    processor = statistics.median(run.processor for run in ours)
    row = f"| {case.title} | {wall:.0f} ms | {processor:.0f} ms | {memory:.0f} MiB |"
    if not theirs:
        return f"{row} | | {case.limit} |"
    peer = statistics.median(run.wall for run in theirs)
    return f"{row} {peer:.0f} ms | {wall / peer:.2f} | {case.limit} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--environment", help="a virtual environment with torch, to check")
    parser.add_argument("--write", action="store_true", help="keep the table in docs/benchmarks.md")
    arguments = parser.parse_args()
    uv = subprocess.run(["uv", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    lines = [
        "# Benchmarks",
        "",
        "Made by `python scripts/bench.py --write`: whole cold processes, median wall time and highest memory of "
        f"{arguments.runs} runs, the peer's caches warm, both run in turn. Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, uv {uv}. On a busy machine "
        "wall times grow and say little: compare the processor times and the ratios, and the row of the floor.",
        "",
        "| command | torchlock | processor | memory | peer | ratio | aim |",
        "|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        staged = Path(folder) / "environment"
        # In a process of its own: the memory of a process that was forked counts as that of its child.
        staging = [sys.executable, "-m", "benching.environment", str(staged)]
        subprocess.run(staging, check=True, cwd=Path(__file__).parent)
        given = [Path(arguments.environment)] if arguments.environment else []
        checked = [check_of(each) for each in (staged, *given)]
        for case in [*cases(Path(folder)), *checked]:
            print(f"{case.title} …", file=sys.stderr)
            lines.append(compare(case, arguments.runs, folder))
    text = "\n".join(lines) + "\n"
    print(text, end="")
    if arguments.write:
        (ROOT / "docs" / "benchmarks.md").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
