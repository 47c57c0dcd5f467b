"""What the compatibility table says of each release beside each torch, and which of it a new table takes over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from torchlock.knowledge.masks import bits
from torchlock.knowledge.rules import BUILD_CUDA
from torchlock.knowledge.stack import MEMBERS
from torchlock.knowledge.unchanged import unchanged
from torchlock.target import PLATFORMS, PYTHONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.knowledge.unchanged import State

# Judged against torch; of the others the table says only which releases exist where.
PARTNERS = tuple(name for name, member in MEMBERS.items() if member.rule)


class Known(NamedTuple):
    """A table, and the state of the data from which it was computed."""

    state: State
    table: dict[str, Any]


class Pair:
    """What one release of a partner says to every release of torch, as masks over torch's releases.

    ``works``: with some build on some cell; ``fits``: and installers allow it there; per platform ``declared``: by
    metadata, ``loads``: as the public index's own builds, and allowed; ``asks``: its metadata names torch at all.
    ``known`` are the torches that need not be judged.
    """

    def __init__(self) -> None:
        self.works = 0
        self.fits = 0
        self.declared = [0] * len(PLATFORMS)
        self.loads = [0] * len(PLATFORMS)
        self.asks = False
        self.known = 0

    def row(self) -> list[Any]:
        return [self.fits, shared(self.declared), shared(self.loads), int(self.asks), self.works]


def shared(values: list[Any]) -> Any:
    """The values of all platforms; one alone if they are equal."""
    return values[0] if len(set(values)) == 1 else values


def _is_alike(known: Known, state: State) -> bool:
    """Whether the table is about the same cells, and the data say the same of CUDA."""
    cells = known.table["pythons"], known.table["platforms"]
    matrices = known.state.matrix, state.matrix
    first, second = (each.about(BUILD_CUDA) for each in matrices)
    return cells == (list(PYTHONS), list(PLATFORMS)) and first == second


class Kept:
    """The pairs of a known table of which the data still say the same: both releases, and CUDA itself."""

    def __init__(self, known: Known | None, state: State, torches: Sequence[str]) -> None:
        self._rows: dict[tuple[str, str], list[Any]] = {}
        self._places: dict[int, int] = {}
        if known is None or not _is_alike(known, state):
            return
        packages = known.table["packages"]
        same = unchanged("torch", known.state, state)
        places = {version: place for place, version in enumerate(torches) if version in same}
        before = packages["torch"]["versions"]
        self._places = {place: places[version] for place, version in enumerate(before) if version in places}
        for name in PARTNERS:
            same = unchanged(name, known.state, state)
            rows = zip(packages[name]["versions"], known.table["pairs"][name], strict=True)
            self._rows.update(((name, version), row) for version, row in rows if version in same)

    def pair(self, name: str, version: str) -> Pair:
        """What is known of a release: of one that has changed, nothing."""
        pair, row = Pair(), self._rows.get((name, version))
        if row is not None:
            fits, declared, loads, asks, works = row
            pair.asks = bool(asks)
            pair.known = sum(1 << place for place in self._places.values())
            pair.fits, pair.works = self._moved(fits), self._moved(works)
            pair.declared, pair.loads = self._each(declared), self._each(loads)
        return pair

    def _each(self, masks: int | list[int]) -> list[int]:
        each = [masks] * len(PLATFORMS) if isinstance(masks, int) else masks
        moved = {mask: self._moved(mask) for mask in set(each)}
        return [moved[mask] for mask in each]

    def _moved(self, mask: int) -> int:
        """A mask over the torches of the known table as one over those of the new one."""
        return sum(1 << self._places[place] for place in bits(mask) if place in self._places)
