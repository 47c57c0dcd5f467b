"""Random libraries, opened by the real loader of this machine and by our own reading of its rules."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from support.libraries import elf
from torchlock.inspect.loading.elf_process import ElfProcess
from torchlock.inspect.loading.root import Root

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.uname().machine != "x86_64" or not Root().glibc, reason="glibc's loader is asked"
)

SYMBOLS = [f"function{number}" for number in range(5)]
OPEN = """
import ctypes, os, sys
for path in sys.argv[1:]:
    try:
        ctypes.CDLL(path, mode=os.RTLD_NOW)
        print("ok")
    except OSError as error:
        print(error)
"""


class World(NamedTuple):
    """Libraries in four folders; ``opened`` are to be opened in this order, with these variables."""

    opened: list[str]
    environ: dict[str, str]


def make(folder: Path, random: random.Random) -> World:
    folders = [folder / name for name in "abcd"]
    for each in folders:
        each.mkdir()
    names = [f"libq{number}.so" for number in range(random.randint(2, 7))]
    tops = random.sample(names, min(len(names), random.randint(1, 3)))
    opened = []
    for name in names:
        for place in random.sample(folders, 1 if name in tops else random.choice((0, 1, 1, 1, 2))):
            content = library(random, name, folders, [each for each in names if each not in (name, *tops)], tops)
            if random.random() < 0.25:
                real = random.choice(folders) / f"real{place.name}{name}"
                real.write_bytes(content)
                (place / name).symlink_to(real)
            else:
                (place / name).write_bytes(content)
            if name in tops:
                opened.append(str(place / name))
    random.shuffle(opened)
    searched = ":".join(map(str, random.sample(folders, random.choice((0, 0, 1, 2)))))
    return World(opened, {"LD_LIBRARY_PATH": searched} if searched else {})


def library(random: random.Random, name: str, folders: list[Path], others: list[str], tops: list[str]) -> bytes:
    """One library; only what is opened first has symbols to ask for, since the rest is taken to be whole."""
    needed = random.sample(others, random.randint(0, min(3, len(others))))
    if random.random() < 0.2:
        needed.append("libc.so.6")
    if others and random.random() < 0.2:
        where = random.choice([str(random.choice(folders)), "$ORIGIN", "$ORIGIN/../a"])
        needed.append(f"{where}/{random.choice(others)}")
    undefined = random.sample(SYMBOLS, random.choice((0, 0, 1, 2))) if name in tops else []
    exports = random.sample([each for each in SYMBOLS if each not in undefined], random.choice((0, 1, 2)))
    places = ["$ORIGIN", "$ORIGIN/../b", "${ORIGIN}/../c", "/nonexistent", *map(str, folders)]
    paths = {kind: ":".join(random.sample(places, random.choice((0, 1, 2)))) for kind in ("rpath", "runpath")}
    kinds = random.choice((("rpath",), ("runpath",), ("rpath",), (), ("rpath", "runpath")))
    soname = name if random.random() < 0.8 else random.choice(("", f"{name}.1", *others))
    return elf(soname, needed, exports, undefined, **{kind: paths[kind] for kind in kinds})


@pytest.mark.parametrize("seed", range(100))
def test_a_library_loads_where_the_real_loader_loads_it(tmp_path: Path, seed: int) -> None:
    world = make(tmp_path, random.Random(seed))
    command = [sys.executable, "-I", "-S", "-c", OPEN, *world.opened]
    real = subprocess.run(command, env=world.environ, capture_output=True, text=True, check=True)
    process = ElfProcess(Root("/", world.environ), sys.executable)
    for path, said in zip(world.opened, real.stdout.splitlines(), strict=True):
        outcome = process.load(path)
        assert outcome.loads == (said == "ok"), (path, said, outcome)
        names = [each.name for each in outcome.missing] + [each.symbol for each in outcome.undefined]
        assert said == "ok" or any(name in said for name in names), (path, said, outcome)
