"""Which wheels are read: one of each release, platform and build."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from packaging.version import Version

from torchlock.answers import Unknown
from torchlock.knowledge.stack import MEMBERS
from torchlock.standards.filenames import parse_wheel, platform_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.knowledge.releases import Catalogue, CatalogueRelease

PLATFORMS = ("linux-x86_64", "linux-aarch64", "macos-arm64", "windows-amd64")
COMPANIONS = tuple(name for name, member in MEMBERS.items() if member.rule and member.opens and name != "numpy")
# The Python whose wheel is read. Assumed: its libraries are those of every Python, except the modules of Python.
_PREFERRED = ("py3", "cp312", "cp311", "cp310", "cp39", "cp38", "cp37", "cp36", "cp313", "cp314", "cp35")
# Wheels that were seen to differ from those of other Pythons of their release and platform: what was read of
# another one says nothing about them. libtorchaudio.so of this one uses at::internal::invoke_parallel, which the
# torch 2.2.2 of its Python does not export.
DIFFERENT = {("torchaudio", "2.2.0", "macos-arm64"): ("cp311",)}


class Chosen(NamedTuple):
    """A wheel to read. ``torch`` is what it requires of torch, as it writes it."""

    package: str
    version: str
    platform: str
    build: str | None
    file: str
    sha256: str
    torch: str = ""


def chosen(catalogue: Catalogue, package: str) -> Iterator[Chosen]:
    """The wheels of a project that are read, oldest releases first.

    One of each release and platform; of a release whose wheels require different torches, one for each of these.
    """
    releases = [each for each in catalogue.releases(package) or [] if _has_libraries(package, each)]
    for release in sorted(releases, key=lambda each: Version(each.version)):
        files = release.files()
        for platform in PLATFORMS:
            for places in _kinds(release, platform):
                # A build number replaces the wheel without it: the last one of a Python is what installers take.
                best = min(places, key=lambda at: (_rank(release.tags[at]), _older(files[at].filename), at))
                build, file = release.build(best), files[best]
                known = None if isinstance(build, Unknown) else build
                yield Chosen(
                    package,
                    release.version,
                    platform,
                    known,
                    file.filename,
                    file.hashes["sha256"],
                    torch_of(release, best),
                )


def _kinds(release: CatalogueRelease, platform: str) -> Iterator[list[int]]:
    """The wheels for a platform, by the torch that they require."""
    kinds: dict[str, list[int]] = {}
    for index, tags in enumerate(release.tags):
        if platform_in(tags) == platform and _rank(tags) < len(_PREFERRED):
            kinds.setdefault(torch_of(release, index), []).append(index)
    yield from kinds.values()


def torch_of(release: CatalogueRelease, wheel: int) -> str:
    """The torch that a wheel requires, as it writes it."""
    declared = release.dependencies(wheel) if release.name != "torch" else []
    return "" if isinstance(declared, Unknown) else ",".join(e.specifier for e in declared if e.name == "torch")


def _rank(tags: str) -> int:
    python = tags.partition("-")[0]
    if "t-" in tags.partition("-")[2] or python not in _PREFERRED:
        return len(_PREFERRED)
    return _PREFERRED.index(python)


def _older(filename: str) -> int:
    """How old a wheel is among those of one release: the negated build number of its name."""
    number = parse_wheel(filename)[2]
    return -number[0] if number else 0


def _has_libraries(package: str, release: CatalogueRelease) -> bool:
    member, version = MEMBERS[package], Version(release.version)
    return not member.earlier or version >= Version(member.earlier.lstrip("<"))
