"""The projects that the roots lead to, by requirements that can hold on some target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from torchlock.gathering.pages import generation_of
from torchlock.gathering.requirements import Row, may_hold
from torchlock.knowledge.stack import FAMILY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torchlock.gathering.samples import Table
    from torchlock.knowledge.releases import CatalogueRelease

ROOTS = FAMILY | {"soundfile", "librosa"}
# Extras that bring in what a user of the package runs with; those for its developers are left alone.
RUNTIME_EXTRAS = {
    "librosa": {"display"},
    "soundfile": {"numpy"},
    "torch": {"opt-einsum", "optree", "pyyaml"},
    "torchvision": {"gdown", "scipy"},
}

# A project: each of its releases, oldest first, with what its wheels for Python 3 require.
Outline = list[tuple[Version, set[Row]]]


def outline_of(table: Table) -> Outline:
    """The outline of a project that was read from the index."""
    return [(release.version, table.rows(release)) for release in table.project.releases]


def outline_of_file(releases: Sequence[CatalogueRelease]) -> Outline:
    """The outline of a project as its release file has it."""
    return [(Version(release.version), set(_declared(release))) for release in releases]


def _declared(release: CatalogueRelease) -> Iterable[Row]:
    for wheel, tag in enumerate(release.tags):
        needs = release.dependencies(wheel) if generation_of(tag) == "3" else ()
        yield from needs if isinstance(needs, list) else ()


def reach(outlines: Mapping[str, Outline], needs: Iterable[Row] = (), roots: Iterable[str] = ROOTS) -> set[str]:
    """Every name that the roots, and ``needs``, lead to, as far as the outlines know.

    Followed are the requirements of releases that something reached admits, with the extras it requests.
    """
    walk = _Walk(outlines)
    for root in roots:
        walk.arrive(root, "", {"", *RUNTIME_EXTRAS.get(root, ())})
    walk.follow(needs, "")
    while walk.todo:
        walk.leave(*walk.todo.pop())
    return walk.names


class _Walk:
    """The state of ``reach``: ``todo`` holds steps from (name, place of a release, extra), each made once."""

    def __init__(self, outlines: Mapping[str, Outline]) -> None:
        self.names: set[str] = set()
        self.todo: list[tuple[str, int, str]] = []
        self._outlines = outlines
        self._asked: set[tuple[str, str, str]] = set()
        self._seen: set[tuple[str, int, str]] = set()

    def arrive(self, name: str, specifier: str, extras: Iterable[str]) -> None:
        """Note that something reached requires this, with these extras ("": the project itself)."""
        self.names.add(name)
        for extra in extras:
            if name in self._outlines and (name, specifier, extra) not in self._asked:
                self._asked.add((name, specifier, extra))
                steps = {(name, place, extra) for place in self._admitted(name, specifier)} - self._seen
                self._seen |= steps
                self.todo += steps

    def leave(self, name: str, place: int, extra: str) -> None:
        """Follow what this release requires."""
        self.follow(self._outlines[name][place][1], extra)

    def follow(self, needs: Iterable[Row], extra: str) -> None:
        """Follow the requirements that can hold, with this extra of what states them."""
        for target, specifier, marker, extras in needs:
            if may_hold(marker, extra):
                self.arrive(target, specifier, {"", *extras})

    def _admitted(self, name: str, specifier: str) -> list[int]:
        allowed = SpecifierSet(specifier)
        return [
            at
            for at, (version, _) in enumerate(self._outlines[name])
            if allowed.contains(version, prereleases=True)
        ]
