"""The shortest marker that is true in some environments of a list, and false in its others.

Environments that are not in the list do not count: the marker may be true or false there. The list is a grid of
Python versions and platforms, perhaps with holes. A marker is a sum of rectangles (Pythons times platforms) that
cover the wanted cells, or it leaves out rectangles that cover the others; the shorter of the two is taken. Both
are a cover of least cost: a search with bounds finds it, or for irregular sets the best one within a limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torchlock.answers import Unknown
from torchlock.knowledge.masks import bits, full
from torchlock.lock.marker_axes import ALWAYS, Platforms, Pythons, Text, joined
from torchlock.standards.markers import parsed, value_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

# The most steps of the search for one cover. Real locks need some dozens.
_MOST_STEPS = 400


class Same(ValueError):
    """No marker separates two environments; ``first`` is wanted and ``second`` is not (indexes)."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(first, second)
        self.first = first
        self.second = second


class _Piece(NamedTuple):
    """A rectangle: the cells that it covers, and its text."""

    cells: int
    text: Text


class MarkerGrid:
    """The environments of a list, in which markers are looked for. The answers are cached."""

    def __init__(self, environments: Sequence[Mapping[str, str]]) -> None:
        keys = [_key(each) for each in environments]
        self._pythons = Pythons([".".join(map(str, each)) for each in sorted({python for python, _ in keys})])
        self._platforms = Platforms(sorted({platform for _, platform in keys}))
        rows = {_numbers(version): row for row, version in enumerate(self._pythons.points)}
        columns = {point: column for column, point in enumerate(self._platforms.points)}
        self._width = len(columns)
        self._cell = [rows[python] * self._width + columns[platform] for python, platform in keys]
        self._environment = dict(zip(self._cell, environments, strict=True))
        self._all = sum(1 << cell for cell in self._environment)
        self._known: dict[int, str] = {}
        self._texts: dict[tuple[int, int, bool], Text | None] = {}

    def marker(self, wanted: Collection[int]) -> str:
        """The marker that is true in the environments with these indexes only; "" if that is in all of them.

        Raises:
            Same: a wanted environment and another one have the same values.
            ValueError: nothing is wanted.
        """
        cells = sum({1 << self._cell[index] for index in wanted})
        if not cells:
            raise ValueError("a marker that is never true")
        inside = set(wanted)
        for index, cell in enumerate(self._cell):
            if index not in inside and cells >> cell & 1:
                raise Same(next(each for each in wanted if self._cell[each] == cell), index)
        if cells not in self._known:
            self._known[cells] = self._proven(self._shortest(cells).marker, cells)
        return self._known[cells]

    def _shortest(self, cells: int) -> Text:
        others = self._all & ~cells
        if not others:
            return ALWAYS
        sums = joined("or", self._cover(cells, others, negated=False))
        rests = joined("and", self._cover(others, cells, negated=True))
        return min(sums, rests, key=lambda text: text.cost)

    def _proven(self, marker: str, cells: int) -> str:
        """The marker, after ``packaging`` has evaluated it in every environment."""
        tree = parsed(marker) if marker else None
        for cell, environment in self._environment.items():
            value = True if tree is None else tree if isinstance(tree, Unknown) else value_of(tree, environment)
            if isinstance(value, Unknown) or value is not bool(cells >> cell & 1):
                raise AssertionError(f"the marker {marker!r} is wrong in {environment}")
        return marker

    def _cover(self, wanted: int, forbidden: int, *, negated: bool) -> list[Text]:
        """The texts of rectangles that cover the wanted cells and no forbidden one, at the least cost."""
        pieces = self._pieces(wanted, forbidden, negated=negated)
        return [piece.text for piece in _cheapest(wanted, pieces)]

    def _pieces(self, wanted: int, forbidden: int, *, negated: bool) -> list[_Piece]:
        """The rectangles that may be part of a cover: of those with the same cells the shortest."""
        best: dict[int, Text] = {}
        for rows in self._pythons.texts:
            most = full(self._width)
            spread = 0
            for row in bits(rows):
                most &= ~(forbidden >> row * self._width)
                spread |= 1 << row * self._width
            for columns in _parts(most):
                cells = spread * columns & wanted
                if not cells:
                    continue
                text = self._text(rows, columns, negated=negated)
                if text is not None and (cells not in best or text.cost < best[cells].cost):
                    best[cells] = text
        pieces = (_Piece(*item) for item in best.items())
        return _undominated(sorted(pieces, key=lambda piece: (piece.text.cost, piece.cells)))

    def _text(self, rows: int, columns: int, *, negated: bool) -> Text | None:
        """The text of a rectangle, or of all that is outside of it; None if there is none."""
        key = rows, columns, negated
        if key not in self._texts:
            self._texts[key] = self._written(rows, columns, negated=negated)
        return self._texts[key]

    def _written(self, rows: int, columns: int, *, negated: bool) -> Text | None:
        if not negated:
            return joined("and", [self._pythons.texts[rows], self._platforms.texts[columns]])
        parts = []
        if other := full(len(self._pythons.points)) & ~rows:
            parts.append(self._pythons.texts.get(other))
        if other := full(self._width) & ~columns:
            parts.append(self._platforms.texts.get(other))
        known = [part for part in parts if part is not None]
        return joined("or", known) if known and len(known) == len(parts) else None


def _key(environment: Mapping[str, str]) -> tuple[tuple[int, ...], tuple[str, str]]:
    platform = environment["sys_platform"], environment["platform_machine"]
    return _numbers(environment["python_full_version"]), platform


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _parts(mask: int) -> Iterator[int]:
    """Every part of a mask that is not empty."""
    part = mask
    while part:
        yield part
        part = (part - 1) & mask


def _undominated(pieces: Sequence[_Piece]) -> list[_Piece]:
    """Without pieces of which a cheaper one covers at least as much; ``pieces`` has the cheapest first."""
    kept: list[_Piece] = []
    for piece in pieces:
        if all(piece.cells & ~other.cells for other in kept):
            kept.append(piece)
    return kept


def _cheapest(wanted: int, pieces: Sequence[_Piece]) -> list[_Piece]:
    """A cover of least cost. The search takes the cell with the fewest pieces, and each of them in turn."""
    best = _greedy(wanted, pieces)
    least = _cost(best)
    steps = 0
    covering = {cell: [piece for piece in pieces if piece.cells >> cell & 1] for cell in bits(wanted)}

    def extend(left: int, taken: list[_Piece], cost: int) -> None:
        nonlocal best, least, steps
        if not left:
            best, least = list(taken), cost
            return
        steps += 1
        if steps > _MOST_STEPS:
            return
        for piece in min((covering[cell] for cell in bits(left)), key=len):
            more = cost + _weight(piece)
            if more < least:
                taken.append(piece)
                extend(left & ~piece.cells, taken, more)
                taken.pop()

    extend(wanted, [], 0)
    return best


def _greedy(wanted: int, pieces: Sequence[_Piece]) -> list[_Piece]:
    """A cover: again and again the piece with the most new cells for its length."""
    taken: list[_Piece] = []
    left = wanted
    while left:
        piece = min(pieces, key=lambda piece: _weight(piece) / ((piece.cells & left).bit_count() or 1e-9))
        taken.append(piece)
        left &= ~piece.cells
    for piece in sorted(taken, key=_weight, reverse=True):
        others = [each for each in taken if each is not piece]
        if not wanted & ~_cells(others):
            taken = others
    return taken


def _cells(pieces: Sequence[_Piece]) -> int:
    found = 0
    for piece in pieces:
        found |= piece.cells
    return found


def _weight(piece: _Piece) -> int:
    """The length of a piece as one of several: with the word that joins it, and parentheses."""
    return piece.text.cost + 5 + (2 if piece.text.word else 0)


def _cost(pieces: Sequence[_Piece]) -> int:
    return sum(map(_weight, pieces))
