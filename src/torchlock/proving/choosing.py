"""Which wheels are read: one of each release, platform and Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from packaging.version import Version

from torchlock.answers import Unknown
from torchlock.knowledge.stack import MEMBERS
from torchlock.proving.pairing import pythons_of
from torchlock.standards.filenames import parse_wheel, platform_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.knowledge.releases import Catalogue, CatalogueRelease

PLATFORMS = ("linux-x86_64", "linux-aarch64", "macos-arm64", "macos-x86_64", "windows-amd64")
COMPANIONS = tuple(name for name, member in MEMBERS.items() if member.rule and member.opens and name != "numpy")
# The Python whose wheel comes first: it is the one that is named where those of other Pythons show the same.
_PREFERRED = ("py3", "cp312", "cp311", "cp310", "cp39", "cp38", "cp37", "cp36", "cp313", "cp314", "cp35")


class Chosen(NamedTuple):
    """A wheel to read. ``torch`` is what it requires of torch, as it writes it."""

    package: str
    version: str
    platform: str
    build: str | None
    file: str
    sha256: str
    torch: str = ""


def chosen(catalogue: Catalogue, package: str, version: str = "") -> Iterator[tuple[Chosen, ...]]:
    """The wheels of a project that are read, oldest releases first: those of one release and platform together.

    With ``version`` those of this release alone.

    Wheels that require different torches are apart. The first one is that of the preferred Python.
    """
    known = (each for each in catalogue.releases(package) or [] if version in ("", each.version))
    releases = [each for each in known if _has_libraries(package, each)]
    for release in sorted(releases, key=lambda each: Version(each.version)):
        for platform in PLATFORMS:
            for places in _kinds(release, platform):
                yield tuple(_chosen(release, platform, each) for each in places)


def _chosen(release: CatalogueRelease, platform: str, at: int) -> Chosen:
    build, file = release.build(at), release.files()[at]
    known = None if isinstance(build, Unknown) else build
    sha256 = file.hashes["sha256"]
    return Chosen(release.name, release.version, platform, known, file.filename, sha256, torch_of(release, at))


def _kinds(release: CatalogueRelease, platform: str) -> list[list[int]]:
    """The wheels for a platform, by the torch that they require; of each Python one, the preferred one first."""
    files = release.files()
    best: dict[str, int] = {}
    for at, tags in enumerate(release.tags):
        if platform_in(tags) == platform and pythons_of([tags], platform):
            # A build number replaces the wheel without it: the last one of a Python is what installers take.
            python = tags.rpartition("-")[0]
            known = best.setdefault(python, at)
            if _build_number(files[at].filename) > _build_number(files[known].filename):
                best[python] = at
    kinds: dict[str, list[int]] = {}
    for python in sorted(best, key=_rank):
        kinds.setdefault(torch_of(release, best[python]), []).append(best[python])
    return list(kinds.values())


def torch_of(release: CatalogueRelease, wheel: int) -> str:
    """The torch that a wheel requires, as it writes it."""
    declared = release.dependencies(wheel) if release.name != "torch" else []
    return "" if isinstance(declared, Unknown) else ",".join(e.specifier for e in declared if e.name == "torch")


def _rank(python: str) -> tuple[int, str]:
    """The place of ``cp312-cp312`` among the Pythons; those without a lock come last."""
    name, _, abi = python.partition("-")
    is_usual = name in _PREFERRED and not abi.endswith("t")
    return _PREFERRED.index(name) if is_usual else len(_PREFERRED), python


def _build_number(filename: str) -> int:
    number = parse_wheel(filename)[2]
    return number[0] if number else 0


def _has_libraries(package: str, release: CatalogueRelease) -> bool:
    member, version = MEMBERS[package], Version(release.version)
    return not member.earlier or version >= Version(member.earlier.lstrip("<"))
