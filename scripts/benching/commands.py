"""The part of the bench with the other commands: audit, check and help, beside a peer where there is one."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from benching.rounds import Step, measure
from benching.samples import Trial
from benching.setting import Setting
from benching.tools import PLATFORM, PYTHON, environment

SCRIPTS = Path(__file__).parents[1]
STACK = ["torch", "torchaudio", "torchcodec", "soundfile"]
DEPENDENTS = ["torch==2.7.1", "torchaudio==2.7.1", "transformers==4.52.0", "speechbrain==1.0.3", "lightning"]
LOCK = ["torchlock", "lock", *STACK, "--python", PYTHON, "--platform", PLATFORM, "--offline", "-o"]
MANY = 10_000
CHECK, CHECK_AIM = "check of an environment", "at most 500 ms, 150 MiB"


class Pair(NamedTuple):
    """A command of ours, beside that of a peer (or another of ours), and what the ratio or the time should be.

    ``is_long``: it is measured in the first round only.
    """

    title: str
    ours: list[str]
    peer: list[str]
    aim: str = ""
    is_long: bool = False


def many_files(folder: Path, count: int) -> None:
    """Requirements files as people write them: fifty lines, a quarter of the files with something wrong."""
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
    folder.mkdir(parents=True)
    for number in range(count):
        lines = [*draw.sample(plain, 46), *draw.choice(pairs).split()]
        draw.shuffle(lines)
        (folder / f"requirements-{number}.txt").write_text("\n".join(lines) + "\n")


def stage(folder: Path) -> Path:
    """The staged CUDA environment (``environment.py``), made once; the path of it."""
    staged = folder / "environment"
    if not staged.exists():
        # In a process of its own: the memory of a process that was forked counts as that of its child.
        subprocess.run([sys.executable, "-m", "benching.environment", str(staged)], check=True, cwd=SCRIPTS)
    return staged


def inputs(folder: Path) -> None:
    """Write the files that the commands read."""
    (folder / "requirements.txt").write_text("torch==2.3.1\ntorchaudio==2.3.0  # why\nsoundfile\nlibrosa>=0.10\n")
    (folder / "dependents.txt").write_text("\n".join(DEPENDENTS) + "\n")
    for count in (1000, MANY):
        if not (folder / f"many-{count}").exists():
            many_files(folder / f"many-{count}", count)


def pairs() -> list[Pair]:
    """All pairs but the checks of environments."""
    audit, python = ["torchlock", "audit"], [sys.executable, "-c", "pass"]
    pip = [sys.executable, "-m", "pip", "--version"]
    one = [*audit, "requirements.txt"]
    fewer, many = [*audit, "-R", "many-1000"], [*audit, "-R", f"many-{MANY}"]
    builds, public = [*LOCK, "cpu.txt", "--accelerator", "cpu"], [*LOCK, "public.txt"]
    ours, theirs = ["torchlock", "--version"], ["uv", "--version"]
    ours_help, their_help = ["torchlock", "lock", "--help"], ["uv", "pip", "compile", "--help"]
    return [
        Pair("python -c pass", python, [], "the floor"),
        Pair("--version, beside that of uv", ours, theirs),
        Pair("lock --help, beside that of uv pip compile", ours_help, their_help),
        Pair("audit of one file, beside pip --version", one, pip, "at most 0.2"),
        Pair("audit of one file, beside torchlock --version", one, ours, "1.5 and 60 ms"),
        Pair("audit of a file that names dependents, beside that of one file", [*audit, "dependents.txt"], one),
        Pair(f"audit of {MANY:,} files, beside that of 1,000", many, fewer, "at most 3 s", is_long=True),
        Pair(f"lock {' '.join(STACK)} --accelerator cpu, beside the public builds", builds, public, "at most 1.2"),
    ]


def check_of(environment: Path) -> Pair:
    """The check of an environment; its files and size are in the title."""
    sizes = [path.lstat().st_size for path in environment.rglob("*") if path.is_file() and not path.is_symlink()]
    python = str(environment.resolve() / "bin" / "python")
    return Pair(
        f"{CHECK}, {len(sizes):,} files, {sum(sizes) / 1e9:.1f} GB, beside uv pip check",
        ["torchlock", "check", "--python", python],
        ["uv", "pip", "check", "--python", python],
        CHECK_AIM,
    )


def aim_of(title: str) -> str:
    """What the row of this title should reach."""
    return (
        CHECK_AIM if title.startswith(CHECK) else next((each.aim for each in pairs() if each.title == title), "")
    )


def commands(setting: Setting, given: str = "") -> None:
    """Measure every pair in turn; ``given`` is an environment to check besides the staged one."""
    work = setting.folder / "commands"
    work.mkdir(parents=True, exist_ok=True)
    inputs(work)
    environments = [stage(work), *([Path(given)] if given else [])]
    listed = [*pairs(), *map(check_of, environments)]
    has_uv = bool(shutil.which("uv"))
    kept = [pair if has_uv or pair.peer[:1] != ["uv"] else pair._replace(peer=[]) for pair in listed]
    variables = environment(setting.folder / "caches" / "commands")

    def steps(pair: Pair) -> list[Step]:
        asked = {"torchlock": pair.ours, "peer": pair.peer}
        return [
            Step(Trial("commands", pair.title, name, "warm"), command, work, variables, setting.limit)
            for name, command in asked.items()
            if command
        ]

    everything = [step for pair in kept for step in steps(pair)]
    measure(everything, 1, setting.store, setting.budget)
    short = [step for pair in kept if not pair.is_long for step in steps(pair)]
    measure(short, setting.runs, setting.store, setting.budget)
