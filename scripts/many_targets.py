"""Measure one lock for more and more targets, and print the growth of processor time and memory as a table.

    python scripts/many_targets.py            print the table
    python scripts/many_targets.py --write    replace the table in docs/targets.md

Each row is the median of some cold processes without a network. Processor time is that of the process and of the
system for it, because a busy machine does not change it as much as the time on the clock. The modules are compiled
before, as those of an installed program are.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "targets.md"
PACKAGES = ("torch", "torchaudio", "torchcodec", "soundfile", "librosa")
PYTHONS = ("3.12", "3.11", "3.13", "3.10", "3.14", "3.9", "3.8")
PLATFORMS = ("linux-x86_64", "linux-aarch64", "macos-arm64", "macos-x86_64", "windows-amd64")
BUILDS = ("pypi", "cpu", "cu126", "cu128")
# Pythons, platforms and builds of each row.
GRIDS = ((1, 1, 1), (1, 5, 1), (4, 5, 1), (7, 5, 2), (7, 5, 4))
_BEGIN, _END = "<!-- growth: scripts/many_targets.py -->\n", "<!-- end of growth -->\n"


class Row(NamedTuple):
    """One run: how many targets, how many of them have no solution, seconds of processor time, megabytes."""

    targets: int
    without: int
    seconds: float
    megabytes: float


def command(pythons: int, platforms: int, builds: int, folder: str) -> list[str]:
    """The command for a grid."""
    words = ["lock", *PACKAGES, "--offline", "--partial", "--no-config"]
    for option, values in (
        ("--python", PYTHONS[:pythons]),
        ("--platform", PLATFORMS[:platforms]),
        ("--accelerator", BUILDS[:builds]),
    ):
        words += [word for value in values for word in (option, value)]
    return [sys.executable, "-m", "torchlock", *words, "-o", f"{folder}/requirements-{{accelerator}}.txt"]


def measured(grid: tuple[int, int, int], compiled: str) -> Row:
    """One cold process. ``compiled`` is the folder of the compiled modules."""
    known = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environ = {**known, "PYTHONPYCACHEPREFIX": compiled}
    with tempfile.TemporaryDirectory() as folder:
        words = command(*grid, folder)
        process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, cwd=folder, env=environ)
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"the lock failed: {said}")
    left_out = re.search(r"left out (\d+) targets? of", said)
    targets = grid[0] * grid[1] * grid[2]
    seconds = usage.ru_utime + usage.ru_stime
    return Row(targets, int(left_out[1]) if left_out else 0, seconds, usage.ru_maxrss / 1024)


def table(runs: int) -> str:
    """The table in Markdown."""
    lines = ["| targets | of which without a solution | processor time | memory |", "|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as compiled:
        for grid in GRIDS:
            rows = [measured(grid, compiled) for _ in range(runs + 1)][1:]  # the first run compiles
            seconds = statistics.median(row.seconds for row in rows)
            megabytes = statistics.median(row.megabytes for row in rows)
            lines.append(f"| {rows[0].targets} | {rows[0].without} | {seconds:.2f} s | {megabytes:.0f} MB |")
            print(lines[-1], file=sys.stderr)
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="processes for each row (default: 3)")
    parser.add_argument("--write", action="store_true", help="replace the table in docs/targets.md")
    given = parser.parse_args()
    found = table(given.runs)
    if not given.write:
        print(found, end="")
        return
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(_BEGIN)
    after = rest.split(_END)[1]
    made = f"{_BEGIN}Measured on {date.today()}:\n\n{found}{_END}"
    PAGE.write_text(before + made + after, encoding="utf-8")


if __name__ == "__main__":
    main()
