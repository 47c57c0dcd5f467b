"""Generated universes: shapes of dependency graphs in which the cost of resolvers differs most.

``generate(shape, packages, seed=…)`` returns the whole index in memory, ``{project: {version: [requirement]}}``,
with the lines to lock and whether there is a lock. The same arguments give the same universe.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

# project -> version -> requirements (PEP 508)
Projects = dict[str, dict[str, list[str]]]


class Generated(NamedTuple):
    """An index, the lines to lock, and whether there is a lock."""

    projects: Projects
    roots: list[str]
    solvable: bool = True

    @property
    def releases(self) -> int:
        """The number of releases of all projects."""
        return sum(map(len, self.projects.values()))


def generate(shape: str, packages: int, *, seed: int = 1, versions: int = 0) -> Generated:
    """A universe of about ``packages`` projects; raises KeyError for an unknown shape, see ``SHAPES``.

    ``versions`` is the number of releases of each project, 0 for what is usual in the shape.
    """
    make, usual = SHAPES[shape]
    return make(packages, versions or usual, random.Random(f"{shape} {packages} {seed}"))


def _numbers(count: int) -> list[str]:
    """Versions, lowest first: three of them are 1.0, 1.1, 1.2."""
    return [f"{1 + number // 10}.{number % 10}" for number in range(count)]


def _chain(packages: int, versions: int, draw: random.Random) -> Generated:
    """Each package needs the next one, in a range."""
    projects: Projects = {}
    for number in range(packages):
        below = [f"p{number + 1}>=1.0"] if number + 1 < packages else []
        projects[f"p{number}"] = dict.fromkeys(_numbers(versions), below)
    return Generated(projects, ["p0"])


def _wide(packages: int, versions: int, draw: random.Random) -> Generated:
    """One package needs all others."""
    names = [f"leaf{number}" for number in range(packages - 1)]
    projects: Projects = {name: {version: [] for version in _numbers(versions)} for name in names}
    projects["app"] = {version: [f"{name}>=1.0" for name in names] for version in _numbers(versions)}
    return Generated(projects, ["app"])


def _layers(packages: int, versions: int, draw: random.Random) -> Generated:
    """Layers of up to 25 packages; each package needs four of the layer below, in ranges that overlap."""
    width = max(1, min(25, packages // 4))
    levels = [
        [f"l{number // width}x{number % width}" for number in range(start, min(start + width, packages))]
        for start in range(0, packages, width)
    ]
    known = _numbers(versions)
    projects: Projects = {}
    for level, below in zip(levels, [*levels[1:], []], strict=True):
        for name in level:
            needed = draw.sample(below, min(4, len(below)))
            projects[name] = {
                version: [f"{each}>={draw.choice(known[: len(known) // 2])}" for each in needed]
                for version in known
            }
    return Generated(projects, levels[0])


def _boto(packages: int, versions: int, draw: random.Random) -> Generated:
    """Pairs of packages with many releases; each release needs one of the same number, as boto3 does of botocore.

    The newer releases of each pair cap a common package.
    """
    pairs = max(1, packages // 2)
    known = _numbers(versions)
    projects: Projects = {"common": {version: [] for version in _numbers(20)}}
    for number in range(pairs):
        projects[f"client{number}"] = {version: [f"core{number}=={version}", "common>=1.0"] for version in known}
        projects[f"core{number}"] = {
            version: ["common>=1.0,<2.5" if position > versions // 2 else "common>=1.0"]
            for position, version in enumerate(known)
        }
    return Generated(projects, [f"client{number}" for number in range(pairs)])


def _diamond(packages: int, versions: int, draw: random.Random) -> Generated:
    """Diamonds in a row: a top needs a left and a right package, both need the next top in ranges that overlap."""
    known = _numbers(versions)
    projects: Projects = {}
    count = max(1, packages // 3)
    for number in range(count):
        tops = [f"top{number + 1}"] if number + 1 < count else []
        low, high = known[len(known) // 4], known[-1 - len(known) // 4]
        projects[f"top{number}"] = {
            version: [f"left{number}>={low}", f"right{number}<={high}"] for version in known
        }
        projects[f"left{number}"] = {version: [f"{top}>={low}" for top in tops] for version in known}
        projects[f"right{number}"] = {version: [f"{top}<={high}" for top in tops] for version in known}
    return Generated(projects, ["top0"])


def _backtracking(packages: int, versions: int, draw: random.Random) -> Generated:
    """Groups in which only the oldest release of a package works: another one allows only the oldest of a third.

    The conflict shows one package below the choice that causes it.
    """
    known = _numbers(versions)
    groups = max(1, packages // 4)
    projects: Projects = {}
    for number in range(groups):
        a, b, c, d = (f"{letter}{number}" for letter in "abcd")
        projects[a] = {version: [f"{b}=={version}"] for version in known}
        projects[b] = {version: [f"{d}=={version}"] for version in known}
        projects[c] = {version: [f"{d}<={known[0]}"] for version in known}
        projects[d] = {version: [] for version in known}
    roots = [f"a{number}" for number in range(groups)] + [f"c{number}" for number in range(groups)]
    return Generated(projects, roots)


def _core(packages: int, versions: int, draw: random.Random) -> Generated:
    """No solution: three packages that exclude each other pairwise, among layers of innocent ones.

    Each of the three has two kinds of releases; any two packages can agree, all three cannot.
    """
    inner = _layers(max(4, packages - 6), versions, draw)
    known = _numbers(versions)
    projects = dict(inner.projects)
    names = ["x", "y", "z"]
    pairs = [(names[first], names[second]) for first, second in ((0, 1), (1, 2), (0, 2))]
    for first, second in pairs:
        projects[f"{first}{second}"] = {"1.0": [], "2.0": []}
    for name in names:
        projects[name] = {}
        for position, version in enumerate(known):
            kind = position % 2
            needs = [
                f"{first}{second}=={1 + (kind if name == first else 1 - kind)}.0"
                for first, second in pairs
                if name in (first, second)
            ]
            projects[name][version] = needs
    return Generated(projects, [*inner.roots, *names], solvable=False)


def _pigeonhole(packages: int, versions: int, draw: random.Random) -> Generated:
    """No solution: one pigeon more than there are holes, ``packages`` together. The proof is hard for its size."""
    holes = max(1, (packages - 1) // 2)
    projects: Projects = {
        f"hole{hole}": {f"{1 + pigeon}.0": [] for pigeon in range(holes + 1)} for hole in range(holes)
    }
    for pigeon in range(holes + 1):
        projects[f"pigeon{pigeon}"] = {f"{1 + hole}.0": [f"hole{hole}=={1 + pigeon}.0"] for hole in range(holes)}
    return Generated(projects, [f"pigeon{pigeon}" for pigeon in range(holes + 1)], solvable=False)


# Shape -> how it is made, and its usual number of releases of each project.
SHAPES: dict[str, tuple[Callable[[int, int, random.Random], Generated], int]] = {
    "chain": (_chain, 5),
    "wide": (_wide, 5),
    "layers": (_layers, 8),
    "boto": (_boto, 100),
    "diamond": (_diamond, 8),
    "backtracking": (_backtracking, 20),
    "core": (_core, 8),
    "pigeonhole": (_pigeonhole, 0),
}
