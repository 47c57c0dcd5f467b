"""The projects that the roots lead to, by requirements that can hold on some target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

from refreshing.requirements import may_hold
from refreshing.samples import Table
from torchlock.knowledge.stack import FAMILY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROOTS = FAMILY | {"soundfile", "librosa"}
# Extras that bring in what a user of the package runs with; those for its developers are left alone.
RUNTIME_EXTRAS = {
    "librosa": {"display"},
    "soundfile": {"numpy"},
    "torch": {"opt-einsum", "optree", "pyyaml"},
    "torchvision": {"gdown", "scipy"},
}


def reach(tables: Mapping[str, Table]) -> set[str]:
    """Every name that the roots lead to, as far as the tables know.

    Followed are the requirements of releases that something reached admits, with the extras it requests.
    """
    walk = _Walk(tables)
    for root in ROOTS:
        walk.arrive(root, "", {"", *RUNTIME_EXTRAS.get(root, ())})
    while walk.todo:
        walk.leave(*walk.todo.pop())
    return walk.names


class _Walk:
    """The state of ``reach``: ``todo`` holds steps from (name, place of a release, extra), each made once."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self.names: set[str] = set()
        self.todo: list[tuple[str, int, str]] = []
        self._tables = tables
        self._rows = {name: list(map(table.rows, table.project.releases)) for name, table in tables.items()}
        self._asked: set[tuple[str, str, str]] = set()
        self._seen: set[tuple[str, int, str]] = set()

    def arrive(self, name: str, specifier: str, extras: Iterable[str]) -> None:
        """Note that something reached requires this, with these extras ("": the project itself)."""
        self.names.add(name)
        for extra in extras:
            if name in self._tables and (name, specifier, extra) not in self._asked:
                self._asked.add((name, specifier, extra))
                steps = {(name, place, extra) for place in self._admitted(name, specifier)} - self._seen
                self._seen |= steps
                self.todo += steps

    def leave(self, name: str, place: int, extra: str) -> None:
        """Follow what this release requires."""
        for target, specifier, marker, extras in self._rows[name][place]:
            if may_hold(marker, extra):
                self.arrive(target, specifier, {"", *extras})

    def _admitted(self, name: str, specifier: str) -> list[int]:
        allowed = SpecifierSet(specifier)
        releases = self._tables[name].project.releases
        return [at for at, one in enumerate(releases) if allowed.contains(one.version, prereleases=True)]
