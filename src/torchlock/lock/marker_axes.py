"""The axes of a set of environments: Python versions and platforms, and the shortest marker of a part of each.

A part of an axis is a bitmask of its points. ``Text`` is a marker with its length as it counts inside others.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from torchlock.knowledge.masks import bits, full

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Text(NamedTuple):
    """A marker; ``word`` joins its parts ("and", "or"), and is "" for one comparison or for no condition."""

    marker: str
    word: str = ""

    @property
    def cost(self) -> int:
        """The length: shorter is better. ``!=`` counts as longer, because it admits unknown machines, too."""
        return len(self.marker) + 3 * self.marker.count("!=")


ALWAYS = Text("")


def joined(word: str, parts: Sequence[Text]) -> Text:
    """The parts joined by a word; parts with the other word get parentheses."""
    parts = [part for part in parts if part.marker]
    if len(parts) == 1:
        return parts[0]
    written = [f"({part.marker})" if part.word not in ("", word) else part.marker for part in parts]
    return Text(f" {word} ".join(written), word if parts else "")


class Pythons:
    """The versions of Python, from the oldest; each as ``python_full_version``."""

    def __init__(self, versions: Sequence[str]) -> None:
        self.points = list(versions)
        self._minors = [version.rpartition(".")[0] for version in versions]
        self.texts: dict[int, Text] = {}
        for part in self._parts():
            self.texts.setdefault(part, self._text(part))

    def _parts(self) -> Iterator[int]:
        """Every interval, and what is left without an interval in the middle."""
        count = len(self.points)
        everything = full(count)
        for first in range(count):
            for last in range(first, count):
                part = full(last + 1) & ~full(first)
                yield part
                if part != everything:
                    yield everything & ~part

    def _text(self, part: int) -> Text:
        count = len(self.points)
        if part == full(count):
            return ALWAYS
        inside = list(bits(part))
        first, last = inside[0], inside[-1]
        if last - first + 1 == len(inside):
            return self._interval(first, last)
        hole = [index for index in range(first, last) if not part >> index & 1]
        if len(hole) == 1 and self._is_alone(hole[0]):
            return Text(f"python_version != '{self._minors[hole[0]]}'")
        return joined("or", [self._before(hole[0]), self._from(hole[-1] + 1)])

    def _interval(self, first: int, last: int) -> Text:
        whole = Text(f"python_version == '{self._minors[first]}'")
        ends = [self._from(first)] if first else []
        ends += [self._before(last + 1)] if last + 1 < len(self.points) else []
        found = joined("and", ends)
        return whole if first == last and self._is_alone(first) and whole.cost <= found.cost else found

    def _is_alone(self, index: int) -> bool:
        """Whether no other version has the same minor release."""
        return self._minors.count(self._minors[index]) == 1

    def _from(self, index: int) -> Text:
        return Text(f"{self._bound(index, '>=')}")

    def _before(self, index: int) -> Text:
        return Text(f"{self._bound(index, '<')}")

    def _bound(self, index: int, operator: str) -> str:
        if self._minors[index] != self._minors[index - 1]:
            return f"python_version {operator} '{self._minors[index]}'"
        return f"python_full_version {operator} '{self.points[index]}'"


class Platforms:
    """The platforms, each as ``sys_platform`` and ``platform_machine``; ``texts`` has every part."""

    def __init__(self, points: Sequence[tuple[str, str]]) -> None:
        self.points = list(points)
        self.texts = _platform_texts(tuple(points))


@lru_cache(maxsize=64)
def _platform_texts(points: tuple[tuple[str, str], ...]) -> dict[int, Text]:
    """The shortest marker of each part: comparisons first, then any two of what is known joined."""
    everything = full(len(points))
    found: dict[int, Text] = {everything: ALWAYS}
    for position, variable in enumerate(("sys_platform", "platform_machine")):
        for value in dict.fromkeys(point[position] for point in points):
            mask = sum(1 << index for index, point in enumerate(points) if point[position] == value)
            _keep(found, mask, Text(f"{variable} == '{value}'"))
            _keep(found, everything & ~mask, Text(f"{variable} != '{value}'"))
    changed = True
    while changed:
        changed = False
        known = sorted(found.items(), key=lambda item: (item[1].cost, item[0]))
        for one, first in known:
            for other, second in known:
                if other <= one:
                    continue
                if not any(one & other == mask or one | other == mask for mask in (one, other)):
                    changed |= _join(found, "and", one & other, first, second)
                    changed |= _join(found, "or", one | other, first, second)
    return found


def _join(found: dict[int, Text], word: str, mask: int, first: Text, second: Text) -> bool:
    """Keep two markers joined, if they are shorter than what is known of the part."""
    known = found.get(mask)
    if known is not None and known.cost <= first.cost + second.cost + len(word) + 2:
        return False
    return _keep(found, mask, joined(word, [first, second]))


def _keep(found: dict[int, Text], mask: int, text: Text) -> bool:
    known = found.get(mask)
    if not mask or (known is not None and (known.cost, known.marker) <= (text.cost, text.marker)):
        return False
    found[mask] = text
    return True
