"""The shortest marker of a set of targets: it is the set, and no longer than it has to be."""

from __future__ import annotations

import random
from itertools import product

import pytest
from packaging.markers import Marker

from support.amount import amount
from torchlock.lock.marker_sets import MarkerGrid, Same
from torchlock.target import PLATFORMS, Platform, PythonVersion, Target

# Steps are counted here, or thousands of inputs tried; other tests cover the same code.
pytestmark = pytest.mark.no_cover

PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")


def environment(python: str, platform: str) -> dict[str, str]:
    return Target(PythonVersion.parse(python), Platform.parse(platform)).environment


CELLS = list(product(PYTHONS, PLATFORMS))
GRID = MarkerGrid([environment(*cell) for cell in CELLS])


@pytest.mark.parametrize(
    ("chosen", "marker"),
    [
        (lambda python, platform: True, ""),
        (lambda python, platform: platform.startswith("linux"), "sys_platform == 'linux'"),
        (lambda python, platform: platform == "windows-arm64", "platform_machine == 'ARM64'"),
        (
            lambda python, platform: platform == "linux-x86_64",
            "platform_machine == 'x86_64' and sys_platform == 'linux'",
        ),
        (lambda python, platform: python in ("3.9", "3.10"), "python_version < '3.11'"),
        (lambda python, platform: python == "3.12", "python_version == '3.12'"),
        (lambda python, platform: python != "3.12", "python_version != '3.12'"),
        (
            lambda python, platform: python in ("3.11", "3.12", "3.13"),
            "python_version >= '3.11' and python_version < '3.14'",
        ),
        (
            lambda python, platform: python == "3.14" and platform.startswith("linux"),
            "python_version == '3.14' and sys_platform == 'linux'",
        ),
        (
            lambda python, platform: python != "3.14" or platform.startswith("linux"),
            "python_version < '3.14' or sys_platform == 'linux'",
        ),
    ],
)
def test_simple_sets_have_simple_markers(chosen, marker: str) -> None:
    assert GRID.marker([index for index, cell in enumerate(CELLS) if chosen(*cell)]) == marker


def test_patch_releases_are_separated_by_the_whole_version() -> None:
    grid = MarkerGrid([environment(python, "linux-x86_64") for python in ("3.10", "3.11.2", "3.11.9", "3.12")])
    assert grid.marker([1]) == "python_version >= '3.11' and python_full_version < '3.11.9'"
    assert grid.marker([2, 3]) == "python_full_version >= '3.11.9'"


@pytest.mark.parametrize(("first", "second"), [("3.13", "3.13t"), ("3.12", "3.12")])
def test_what_no_marker_separates_is_named(first: str, second: str) -> None:
    places = ("manylinux_2_28_x86_64", "manylinux_2_31_x86_64" if first == second else "manylinux_2_28_x86_64")
    grid = MarkerGrid([environment(first, places[0]), environment(second, places[1])])
    assert grid.marker([0, 1]) == ""
    with pytest.raises(Same) as found:
        grid.marker([1])
    assert (found.value.first, found.value.second) == (1, 0)


def test_nothing_has_no_marker() -> None:
    with pytest.raises(ValueError, match="never true"):
        GRID.marker([])


def grids(count: int) -> list[tuple[list[dict[str, str]], random.Random]]:
    """Random grids, some with holes, some with several patch releases of one Python."""
    found = []
    for seed in range(count):
        chance = random.Random(seed)
        pythons = chance.sample([*PYTHONS, "3.11.2", "3.12.1"], chance.randint(1, 5))
        platforms = chance.sample(PLATFORMS, chance.randint(1, 5))
        cells = [environment(*cell) for cell in product(pythons, platforms) if chance.random() < 0.9]
        if cells:
            found.append((cells, chance))
    return found


@pytest.mark.sampled
def test_ten_thousand_random_sets() -> None:
    """``packaging`` evaluates each marker in each environment of its grid."""
    done = 0
    for cells, chance in grids(amount(420, quick=84)):
        grid = MarkerGrid(cells)
        for _ in range(25):
            wanted = chance.sample(range(len(cells)), chance.randint(1, len(cells)))
            marker = grid.marker(wanted)
            tree = Marker(marker) if marker else None
            for index, cell in enumerate(cells):
                assert (tree is None or tree.evaluate(dict(cell))) is (index in wanted), (marker, cell)
            done += 1
    assert done >= amount(10_000, quick=2000)


def test_a_marker_does_not_depend_on_the_order_of_the_targets() -> None:
    for cells, chance in grids(30):
        wanted = chance.sample(range(len(cells)), chance.randint(1, len(cells)))
        order = chance.sample(range(len(cells)), len(cells))
        other = MarkerGrid([cells[index] for index in order])
        assert MarkerGrid(cells).marker(wanted) == other.marker([order.index(index) for index in wanted])


def test_no_two_comparisons_do_for_a_set_that_needs_more() -> None:
    """On a small grid, no shorter marker of one or two comparisons is the set: all of them are tried."""
    pythons, platforms = ("3.10", "3.11", "3.12"), ("linux-x86_64", "macos-arm64", "windows-amd64")
    cells = [environment(*cell) for cell in product(pythons, platforms)]
    grid = MarkerGrid(cells)
    single = [
        f"python_version {operator} '{value}'" for operator in ("==", "!=", "<", ">=") for value in pythons
    ] + [
        f"sys_platform {operator} '{value}'" for operator in ("==", "!=") for value in ("linux", "darwin", "win32")
    ]
    known: dict[frozenset[int], str] = {}
    joined = [f"{first} {word} {second}" for first in single for second in single for word in ("and", "or")]
    for marker in [*single, *joined]:
        tree = Marker(marker)
        held = frozenset(index for index, cell in enumerate(cells) if tree.evaluate(dict(cell)))
        if held and len(marker) < len(known.get(held, "x" * 200)):
            known[held] = marker
    for held, marker in known.items():
        found = grid.marker(sorted(held))
        assert len(found) <= len(marker) + 3 * marker.count("!="), (found, marker)


# Markers of a universal lock of uv, for librosa, torch, speechbrain, openai-whisper, demucs and others.
OF_UV = [
    "python_full_version < '3.11' and sys_platform == 'linux'",
    "python_full_version >= '3.11' and python_full_version < '3.15' and sys_platform == 'linux'",
    "python_full_version == '3.11.*'",
    "python_full_version >= '3.11' and ((platform_machine == 'aarch64' and sys_platform == 'linux') or "
    "(platform_machine == 'x86_64' and sys_platform == 'linux'))",
    "(platform_machine == 'aarch64' or platform_machine == 'x86_64') and sys_platform == 'linux'",
    "python_full_version < '3.11' and implementation_name != 'PyPy'",
    "sys_platform != 'emscripten'",
    "python_full_version < '3.11' and (sys_platform == 'linux' or sys_platform == 'linux2')",
    "python_full_version >= '3.11' and ((python_full_version < '3.16' and sys_platform == 'linux') or "
    "sys_platform == 'linux2') or python_full_version >= '3.16' and platform_machine == 'x86_64' and "
    "sys_platform == 'linux'",
    "python_full_version < '3.12' and platform_machine == 'x86_64' and sys_platform == 'linux'",
    "sys_platform != 'emscripten' and sys_platform != 'win32'",
    "os_name != 'nt' or (sys_platform != 'emscripten' and sys_platform != 'win32')",
]


@pytest.mark.parametrize("marker", OF_UV)
def test_no_marker_is_longer_than_that_of_uv(marker: str) -> None:
    platforms = ("linux-x86_64", "linux-aarch64", "macos-arm64", "windows-amd64")
    cells = [environment(*cell) for cell in product(PYTHONS[1:], platforms)]
    tree = Marker(marker)
    found = MarkerGrid(cells).marker([index for index, cell in enumerate(cells) if tree.evaluate(dict(cell))])
    assert len(found) <= len(marker)
