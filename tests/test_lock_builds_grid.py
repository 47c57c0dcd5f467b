"""Every torch 2, every build for CPU, CUDA and XPU, every platform and Python: a right lock, or a reason.

A lock is right if each file of the torch family is a row of the folder's table, with the hash of that row, and if
nothing else comes from the PyTorch index.
"""

from __future__ import annotations

import itertools
import random
from functools import cache
from typing import Any, NamedTuple

import pytest
from packaging.version import Version

from support.amount import THOROUGH, amount
from torchlock.index.sources import Sources
from torchlock.knowledge.build_files import build_catalogue, folders, triton_catalogue
from torchlock.knowledge.build_labels import is_from_index, kind_of
from torchlock.knowledge.releases import Catalogue
from torchlock.knowledge.rules import Matrix
from torchlock.knowledge.stack import FAMILY
from torchlock.lock import Conflict, Lock, Options, lock
from torchlock.lock.build_pins import with_builds
from torchlock.lock.explain import explain
from torchlock.lock.hashes import with_hashes
from torchlock.lock.model import Pin
from torchlock.manifests.syntax.requirement import parse_requirement
from torchlock.standards.index_file import File
from torchlock.target import Platform, PythonVersion, Target
from torchlock.terms import Inputs, Origin

ROOT = "https://example.org/whl"
PLATFORMS = ("linux-x86_64", "linux-aarch64", "windows-amd64")
PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")


@cache
def torch_releases() -> list[str]:
    """The final releases of torch 2."""
    known = [Version(release.version) for release in Catalogue().releases("torch") or ()]
    return [str(version) for version in known if version >= Version("2.0") and not version.is_prerelease]


@cache
def labels() -> list[str]:
    """The builds for CPU, CUDA and XPU that torch 2 ever had."""

    def has_two(label: str) -> bool:
        return any(release.version[0] == "2" for release in build_catalogue(label).releases("torch") or ())

    return [label for label in folders() if kind_of(label) in ("cpu", "cuda", "xpu") and has_two(label)]


class Cell(NamedTuple):
    """One cell of the grid, as the identifier of a test shows it."""

    torch: str
    label: str
    platform: str
    python: str


def cells() -> list[Cell]:
    every = [Cell(*each) for each in itertools.product(torch_releases(), labels(), PLATFORMS, PYTHONS)]
    return every if THOROUGH else random.Random(15).sample(every, 60)


@cache
def sources(label: str) -> Sources:
    return Sources(accelerator=label, builds_url=ROOT, offline=True)


@cache
def matrix() -> Matrix:
    return Matrix()


def solved(lines: list[str], label: str, platform: str, python: str, **options: Any) -> Lock | Conflict:
    target = Target(PythonVersion.parse(python), Platform.parse(platform), label)
    inputs = Inputs(requirements=[parse_requirement(line, Origin(None, None, line)) for line in lines])
    found = lock(inputs, target, Options(**options), matrix(), sources(label))
    if isinstance(found, Conflict):
        return found
    asked = sources(label)
    assert asked.builds is not None
    return with_builds(with_hashes(found, asked.sha256), asked.builds)


def row_of(label: str, name: str, file: File) -> list[Any]:
    """The row of a table that a file of a lock is."""
    catalogues = {label: build_catalogue(label), **({} if name in FAMILY else {"": triton_catalogue()})}
    rows = [
        row
        for catalogue in catalogues.values()
        for release in catalogue.releases(name) or ()
        for row in catalogue.rows(name, release.version)
        if f"{ROOT}/{row[4]}" == file.url
    ]
    assert rows, f"{file.url} is in no table of {label}"
    return rows[0]


def is_lent(pin: Pin) -> bool:
    """Whether a pin is a triton of CUDA from the root page."""
    return pin.name == "triton" and pin.page == ROOT


def public_wheels(pin: Pin, target: Target) -> list[str]:
    """The wheels of the public index for this release and target."""
    releases = [release for release in Catalogue().releases(pin.name) or () if release.version == pin.version]
    return [tag for release in releases for tag in release.tags if target.rank(tag) is not None]


def check(found: Lock, label: str) -> None:
    """That a lock takes the family from its folder, as the table has it, and nothing else from there."""
    for pin in found.pins:
        if is_lent(pin):
            assert kind_of(label) == "cuda"
            assert not public_wheels(pin, found.target)
        elif not is_from_index(pin.name, label):
            assert pin.page == ""
            assert not any(ROOT in file.url for file in pin.files), pin
            continue
        assert pin.page == (f"{ROOT}/{label}" if pin.name in FAMILY else ROOT)
        if not pin.files:  # documents alone name it; then it is marked
            assert pin.unproven is not None
            assert pin.version.endswith(f"+{label}")
            continue
        for file in pin.files:
            row = row_of(label, pin.name, file)
            assert row[0] == file.filename
            assert file.hashes == ({"sha256": row[1]} if row[1] else {})
            assert found.target.rank("-".join(file.filename.removesuffix(".whl").split("-")[2:])) is not None
        assert pin.exact is not None
        if pin.name in FAMILY:  # the table of cpu has some old files of the root, which are CPU builds
            assert f"/{label}/" in pin.exact.url or f"{ROOT}/{pin.exact.filename}" == pin.exact.url
            assert kind_of(pin.version.partition("+")[2]) is None or pin.version.endswith(f"+{label}")


def fitting(cell: Cell) -> bool:
    """Whether the table has a wheel of this torch for the cell, with its requirements."""
    target = Target(PythonVersion.parse(cell.python), Platform.parse(cell.platform), cell.label)
    for release in build_catalogue(cell.label).releases("torch") or ():
        if release.version.partition("+")[0] == cell.torch:
            for wheel, rank in enumerate(release.ranks(target.rank)):
                if rank is not None and isinstance(release.dependencies(wheel), list):
                    return True
    return False


# Cells with a wheel of torch that requires a triton of which no file for this Python is known.
GAPS = {Cell("2.7.1", "xpu", "linux-x86_64", "3.9")}
LENT = [
    Cell("2.7.0", "cu128", "linux-aarch64", "3.10"),
    Cell("2.7.1", "cu128", "linux-aarch64", "3.12"),
    Cell("2.8.0", "cu129", "linux-aarch64", "3.13"),
]


@pytest.mark.parametrize("cell", LENT, ids="-".join)
def test_triton_of_cuda_on_aarch64_comes_from_the_root_page(cell: Cell) -> None:
    found = solved([f"torch=={cell.torch}"], *cell[1:])
    assert isinstance(found, Lock)
    check(found, cell.label)
    (triton,) = filter(is_lent, found.pins)
    assert triton.exact is not None
    assert triton.exact.url == f"{ROOT}/{triton.exact.filename}"
    assert "aarch64" in triton.exact.filename
    elsewhere = solved([f"torch=={cell.torch}"], cell.label, "linux-x86_64", cell.python)
    assert isinstance(elsewhere, Lock)
    assert not any(map(is_lent, elsewhere.pins))


@pytest.mark.sampled
@pytest.mark.parametrize("cell", cells(), ids="-".join)
def test_each_cell_is_a_right_lock_or_a_refusal_with_its_reason(cell: Cell) -> None:
    found = solved([f"torch=={cell.torch}"], *cell[1:])
    if isinstance(found, Lock):
        check(found, cell.label)
        assert {pin.name: pin.version.partition("+")[0] for pin in found.pins}["torch"] == cell.torch
        return
    explained = explain(found)
    assert explained.steps
    assert cell in GAPS or not fitting(cell), explained.steps
    assert cell.label in " ".join(explained.steps).lower(), explained.steps


EXTRAS = ("", "", "", ">=2.1", "<2.6", "==2.5.1", "==2.8.0", "!=2.9.0", ">=2.4,<2.10", "~=2.7.0")
BESIDE = (
    "torchaudio",
    "torchvision",
    "torchcodec",
    "torchtext",
    "soundfile",
    "numpy<2",
    "librosa",
    "torchaudio>=2.2",
)


def random_case(seed: int) -> tuple[list[str], str, str, str, dict[str, Any]]:
    chance = random.Random(seed)
    label = chance.choice([label for label in folders() if build_catalogue(label).holds("torch")])
    lines = [f"torch{chance.choice(EXTRAS)}"] if chance.random() < 0.8 else []
    lines += chance.sample(BESIDE, chance.randint(0 if lines else 1, 3))
    options = {"unproven": chance.random() < 0.3, "lowest": chance.random() < 0.1}
    platform = chance.choice((*PLATFORMS, "linux-x86_64", "manylinux_2_17_x86_64", "windows-arm64"))
    return lines, label, platform, chance.choice((*PYTHONS, "3.13t")), options


@pytest.mark.sampled
@pytest.mark.parametrize("seed", range(amount(600, quick=25)))
def test_no_lock_mixes_builds_or_takes_anything_else_from_the_index(seed: int) -> None:
    lines, label, platform, python, options = random_case(seed)
    found = solved(lines, label, platform, python, **options)
    if isinstance(found, Lock):
        check(found, label)
    else:
        assert explain(found).steps
