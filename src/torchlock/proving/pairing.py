"""Which releases are compared: those that one Python can install; and the torch that a companion is built for."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from torchlock.answers import Unknown
from torchlock.standards.filenames import platform_in
from torchlock.target import Platform, PythonVersion, Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torchlock.knowledge.rules import Matrix
    from torchlock.standards.dependency import Dependency

# The first and the last minor release of Python 3 that a wheel may be for.
_PYTHONS = range(5, 40)
_CPYTHON = re.compile(r"cp3(\d+)-(?:cp3\d+(t)?m?u?|(abi3)|none)$")


class Python(NamedTuple):
    """A minor release of Python 3, and whether it is free-threaded."""

    minor: int
    is_free: bool

    def __str__(self) -> str:
        return f"3.{self.minor}{'t' * self.is_free}"


def pythons_of(tags: Iterable[str], platform: str) -> frozenset[Python]:
    """The Pythons for which a list of tags has a wheel."""
    return frozenset().union(*(_of_tags(each) for each in tags if platform_in(each) == platform))


@lru_cache(maxsize=4096)
def _of_tags(tags: str) -> frozenset[Python]:
    return frozenset(_each_of_tags(tags))


def _each_of_tags(tags: str) -> Iterator[Python]:
    pythons, abis, _ = tags.split("-")
    for python in pythons.split("."):
        if python.startswith("py3") and abis == "none":
            yield from (Python(minor, free) for minor in _PYTHONS for free in (False, True))
        elif match := _CPYTHON.match(f"{python}-{abis}"):
            last = _PYTHONS.stop if match[3] else int(match[1]) + 1
            yield from (Python(minor, bool(match[2])) for minor in range(int(match[1]), last))


def series_of(
    package: str,
    version: str,
    platform: str,
    declared: Sequence[Dependency] | Unknown,
    matrix: Matrix | None = None,
) -> str:
    """The series of torch (``2.8``) that a release is built for, the oldest if several; "" if nothing says it.

    Its metadata pins that torch; where it does not, the rules have it from documents and measurements.
    """
    pins = [] if isinstance(declared, Unknown) else [each.specifier for each in declared if each.name == "torch"]
    target = Target(PythonVersion.parse("3.12"), Platform.parse(platform))
    for statement in matrix.about(package) if matrix is not None else ():
        if _contains(statement.when.specifier, version) and target.holds(statement.when.marker):
            pins += [need.specifier for need in statement.needs if need.name == "torch" and not statement.build]
    pinned = (re.match(r"[=>]=\s*(\d+\.\d+)", specifier) for specifier in pins)
    return next((match[1] for match in pinned if match), "")


def _contains(specifier: str, version: str) -> bool:
    try:
        return SpecifierSet(specifier, prereleases=True).contains(version)
    except InvalidSpecifier:
        return False
