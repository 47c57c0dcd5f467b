"""The part of the bench that counts machine instructions, which a busy machine does not change.

Valgrind counts them. Its tool is cachegrind without its simulation of caches: it counts the same instructions as
callgrind (within 0.1 %) and takes two fifths of its time, which is 20 to 50 times that of the command. Child
processes are not counted. ``PYTHONHASHSEED`` is 0, so that counts repeat within 0.1 %.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from benching.commands import inputs, stage
from benching.samples import Trial
from benching.setting import Setting
from benching.tools import PLATFORM, PYTHON, environment

REQUEST = ["torch==2.3.1", "torchaudio", "soundfile", "librosa"]
VALGRIND = ["valgrind", "--tool=cachegrind", "--cache-sim=no", f"--cachegrind-out-file={os.devnull}"]


def paths(staged: Path) -> dict[str, list[str]]:
    """The hot paths: a title and the arguments of Python."""
    ours = ["-m", "torchlock"]
    target = ["--python", PYTHON, "--platform", PLATFORM]
    return {
        "python -c pass": ["-c", "pass"],
        "torchlock --version": [*ours, "--version"],
        "audit of one file": [*ours, "audit", "requirements.txt"],
        "lock from bundled data, with hashes": [*ours, "lock", *REQUEST, *target, "--offline", "--no-config"],
        "check of the staged environment": [*ours, "check", "--path", str(site_packages(staged))],
    }


def site_packages(environment: Path) -> Path:
    """The folder of packages of an environment; raises FileNotFoundError if it has none."""
    for path in sorted(environment.glob("lib/python*/site-packages")):
        return path
    raise FileNotFoundError(f"{environment} has no site-packages")


def count(arguments: list[str], folder: Path, seconds: float) -> int | None:
    """The instructions of one Python process; None if it did not end in time. Raises RuntimeError if it failed."""
    variables = {**environment(folder / "caches"), "PYTHONHASHSEED": "0"}
    command = [*VALGRIND, sys.executable, *arguments]
    try:
        process = subprocess.run(
            command, cwd=folder, env=variables, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    found = re.search(r"I\s+refs:\s+([\d,]+)", process.stderr)
    if process.returncode not in (0, 1) or not found:
        raise RuntimeError(f"{' '.join(command)}: {process.stderr.strip()[-300:]}")
    return int(found[1].replace(",", ""))


def instructions(setting: Setting) -> None:
    """Count each hot path once."""
    if not shutil.which("valgrind"):
        print("instructions: valgrind is not installed", file=sys.stderr)
        return
    work = setting.folder / "commands"
    work.mkdir(parents=True, exist_ok=True)
    inputs(work)
    for title, arguments in paths(stage(work)).items():
        trial = Trial("instructions", title, "torchlock", "cold")
        if setting.store.count(trial):
            continue
        if not (left := setting.budget.left()):
            print("instructions: their time is spent", file=sys.stderr)
            return
        # The first run writes the bytecode of what it imports.
        subprocess.run(
            [sys.executable, *arguments], cwd=work, env=environment(work / "caches"), capture_output=True
        )
        found = count(arguments, work, left)
        if found is None:
            print(f"instructions: {title}: not counted in the time left", file=sys.stderr)
            continue
        setting.store.add(trial, instructions=found)
        print(f"instructions: {title}: {found / 1e6:,.0f} million", file=sys.stderr, flush=True)
