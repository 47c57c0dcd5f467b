"""Locks of sixty packages with cycles, extras and markers, against brute force.

The packages form groups that know nothing of each other, so that brute force can try all choices of a group.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.version import Version

from support.amount import amount
from support.made import Made, solve

# Steps are counted here, or thousands of inputs tried; other tests cover the same code.
pytestmark = pytest.mark.no_cover

GROUPS, SIZE = 15, 4
VERSIONS = ("1.0", "2.0", "3.0")
SPECIFIERS = ("", "", "==2.0", ">=2.0", "<3.0", "!=2.0", "<2.0", ">1.0")
MARKERS = (
    *("", "", "", "python_version >= '3.8'", "sys_platform == 'win32'", "extra == 'x'", "extra == 'y'"),
    "extra == 'x' and sys_platform == 'linux'",
)
# What holds on the target of ``support.made``.
ENVIRONMENT = {"python_version": "3.11", "sys_platform": "linux"}

Choice = Mapping[str, str]


class Group(NamedTuple):
    """Packages, and the lines that ask for some of them: project -> version -> requirements."""

    packages: dict[str, dict[str, list[str]]]
    lines: list[str]


def group(rng: random.Random, number: int) -> Group:
    names = [f"g{number}{letter}" for letter in "abcd"[:SIZE]]

    def line(name: str) -> str:
        return f"{name}{rng.choice(('', '', '[x]', '[x,y]'))}{rng.choice(SPECIFIERS)}"

    def needs(name: str) -> list[str]:
        others = rng.sample([each for each in names if each != name], rng.randint(0, 3))
        return [f"{line(other)} ; {marker}".rstrip(" ;") for other in others for marker in [rng.choice(MARKERS)]]

    packages = {
        name: {version: needs(name) for version in VERSIONS[: rng.randint(2, len(VERSIONS))]} for name in names
    }
    return Group(packages, [line(name) for name in rng.sample(names, rng.randint(1, 2))])


def keeps(made: Group, choice: Choice) -> bool:
    """Whether a choice has all that its packages need, in the right versions, and nothing else."""
    waiting = [Requirement(line) for line in made.lines]
    reached: set[tuple[str, str]] = set()
    while waiting:
        need = waiting.pop()
        version = choice.get(need.name)
        if version is None or not need.specifier.contains(version):
            return False
        for extra in ("", *need.extras):
            if (need.name, extra) in reached:
                continue
            reached.add((need.name, extra))
            for text in made.packages[need.name][version]:
                further = Requirement(text)
                marker: Marker | None = further.marker
                if marker is None or marker.evaluate({**ENVIRONMENT, "extra": extra}):
                    waiting.append(further)
    return {name for name, _ in reached} == set(choice)


def choices(made: Group) -> Iterator[dict[str, str]]:
    """Every choice of versions that keeps all requirements."""
    names = list(made.packages)
    for versions in itertools.product(*([None, *made.packages[name]] for name in names)):
        choice = {name: version for name, version in zip(names, versions, strict=True) if version is not None}
        if keeps(made, choice):
            yield choice


def better(one: Choice, other: Choice) -> bool:
    """Whether the same packages are all at least as new, and one is newer."""
    pairs = [(Version(one[name]), Version(other[name])) for name in one if name in other]
    return one.keys() == other.keys() and all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)


def locked(groups: list[Group]) -> dict[str, str] | None:
    releases = [
        Made(name, version, *needs)
        for made in groups
        for name, versions in made.packages.items()
        for version, needs in versions.items()
    ]
    return solve([line for made in groups for line in made.lines], releases)


@pytest.mark.sampled
@pytest.mark.parametrize("seed", range(amount(12, quick=2)))
def test_sixty_packages_are_locked_exactly_if_they_can_be(seed: int) -> None:
    rng = random.Random(7000 + seed)
    solvable: list[Group] = []
    tried = 0
    while len(solvable) < GROUPS:
        made = group(rng, tried)
        tried += 1
        if next(choices(made), None) is not None:
            solvable.append(made)
        else:
            assert locked([*solvable[-2:], made]) is None
    found = locked(solvable)
    assert found is not None
    for made in solvable:
        mine = {name: version for name, version in found.items() if name in made.packages}
        assert keeps(made, mine), (made, mine)
        assert not [each for each in choices(made) if better(each, mine)], (made, mine)
