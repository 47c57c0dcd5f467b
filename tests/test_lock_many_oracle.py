"""One lock for many targets, read as pip reads it, and judged again for each of them.

No code of the lock takes part: ``packaging`` evaluates the markers, the hashes and the tags choose the wheels, the
tables say what these require, and the judge and the proofs say whether they load together.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from support.amount import THOROUGH
from torchlock.answers import Unknown
from torchlock.cli.main import main
from torchlock.index.sources import Sources
from torchlock.knowledge.judge import judge
from torchlock.knowledge.proofs import cell
from torchlock.knowledge.rules import Matrix
from torchlock.solve.candidates import Candidate
from torchlock.target import Platform, PythonVersion, Target

PACKAGES = ("torch", "torchaudio", "torchcodec", "soundfile", "librosa")
PYTHONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14") if THOROUGH else ("3.10", "3.13")
PLATFORMS = ("linux-x86_64", "linux-aarch64", "macos-arm64", "macos-x86_64", "windows-amd64")
BUILDS = ("pypi", "cpu", "cu126", "cu128") if THOROUGH else ("pypi", "cu126")


class Line(NamedTuple):
    """A requirement of the lock, with its hashes."""

    requirement: Requirement
    hashes: frozenset[str]


class Locked(NamedTuple):
    """A target that the lock is for, and all lines of its file."""

    target: Target
    lines: list[Line]


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> list[Locked]:
    """The targets of the grid that have a solution."""
    folder = tmp_path_factory.mktemp("oracle")
    words = ["lock", *PACKAGES, "--offline", "--no-config", "--json", "-o", "requirements-{accelerator}.txt"]
    for option, values in (("--python", PYTHONS), ("--platform", PLATFORMS), ("--accelerator", BUILDS)):
        words += itertools.chain.from_iterable((option, value) for value in values)
    here, told = Path.cwd(), io.StringIO()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(told):
            assert main([*words, "--partial"]) == 0
    finally:
        os.chdir(here)
    files = {build: read(folder / f"requirements-{build}.txt") for build in BUILDS}
    found = [row["target"] for row in json.loads(told.getvalue())["targets"] if row["status"] == "locked"]
    return [
        Locked(
            Target(PythonVersion.parse(row["python"]), Platform.parse(row["platform"]), row["accelerator"]),
            files[row["accelerator"]],
        )
        for row in found
    ]


def read(path: Path) -> list[Line]:
    """The lines as pip reads them: a backslash joins, and what begins with -- is an option."""
    found = []
    for line in path.read_text().replace("\\\n", " ").splitlines():
        text, *hashes = line.partition(" #")[0].split("--hash=sha256:")
        if text[:1] not in ("", "#", "-", " "):
            found.append(Line(Requirement(text.strip()), frozenset(each.strip() for each in hashes)))
    return found


def chosen(line: Line, target: Target, releases: Sources) -> Candidate:
    """The wheel that an installer takes for a line, with what the tables say about it.

    Of a build that only documents name, no file is known, and the line has no hash.
    """
    requirement = line.requirement
    name = canonicalize_name(requirement.name)
    filename = unquote(requirement.url.rpartition("/")[2].partition("#")[0]) if requirement.url else ""
    pinned = parse_wheel_filename(filename)[1] if filename else Version(str(requirement.specifier)[2:])
    ranked = []
    for release in releases.releases(name):
        if Version(release.version).public != pinned.public:
            continue
        files = release.files()
        for wheel, tags in enumerate(release.tags):
            rank = target.rank(tags)
            known = files[wheel] if files else None
            listed = known is None or not line.hashes or known.hashes.get("sha256") in line.hashes
            named = not filename or (known is not None and unquote(known.filename) == filename)
            if rank is not None and listed and named:
                ranked.append((rank, Candidate(name, release.version, release, wheel)))
    assert ranked, f"{requirement}: no wheel with a hash of the lock installs on {target}"
    return min(ranked, key=lambda item: item[0])[1]


@pytest.mark.parametrize("build", BUILDS)
def test_each_target_is_right_by_markers_alone(build: str, locked: list[Locked]) -> None:
    matrix, sources = Matrix(), Sources(offline=True, accelerator=build)
    mine = [each for each in locked if each.target.accelerator == build]
    assert len(mine) >= len(PYTHONS) - 2
    for target, lines in mine:
        here = [
            line.requirement.marker is None or line.requirement.marker.evaluate(target.environment)
            for line in lines
        ]
        taken = [chosen(line, target, sources) for line in itertools.compress(lines, here)]
        pins = {each.name: each for each in taken}
        assert len(pins) == len(taken), f"two lines for one package on {target}"
        assert pins.keys() >= set(PACKAGES)
        assert judge(pins, target, matrix) == []
        for candidate in taken:
            assert not isinstance(candidate.dependencies, Unknown)
            wanted = candidate.release.requires_python(candidate.wheel) if candidate.release else ""
            assert target.python.satisfies(wanted)
            where = str(target.platform), str(target.python)
            proof = cell(candidate.name, candidate.text, pins["torch"].text, *where)
            assert build != "pypi" or proof is None or proof.verdict != "fails"
