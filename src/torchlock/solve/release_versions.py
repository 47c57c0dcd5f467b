"""The versions of releases, and what a specifier set says about them."""

from __future__ import annotations

from operator import itemgetter

from torchlock.knowledge.releases import Releases
from torchlock.standards import ordering
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from torchlock.knowledge.releases import Release
    from torchlock.solve.candidates import Candidate


class Versions:
    """The versions of the candidates of one project. Those of a table in order are not compared one by one."""

    __slots__ = ("_candidates", "_pick", "_releases")

    def __init__(self, candidates: Sequence[Candidate], releases: Sequence[Release]) -> None:
        self._candidates = candidates
        self._releases = releases if isinstance(releases, Releases) and candidates else None
        self._pick: Callable[[str], Iterable[str]] | None = None

    def admitted(self, specifier: str) -> int:
        """The candidates that a specifier set admits."""
        numbers = None if self._releases is None else self._releases.admitted(specifier)
        return _admitted(self._candidates, specifier) if numbers is None else self._of_numbers(numbers)

    def _of_numbers(self, numbers: int) -> int:
        """The candidates of which the numbers of the releases are in a mask."""
        size = len(self._releases or ())
        if self._pick is None:
            places = [size - 1 - each.release.number for each in self._candidates]  # type: ignore[union-attr]
            self._pick = itemgetter(*reversed(places))
        return int("".join(self._pick(f"{numbers:0{size}b}")), 2)


def _admitted(candidates: Iterable[Candidate], specifier: str) -> int:
    holds = ordering.tester(specifier)
    mask = 0
    for index, candidate in enumerate(candidates):
        if holds(candidate.text) or candidate.unversioned:
            mask |= 1 << index
    return mask


def latest(releases: Sequence[Release]) -> str:
    """The latest version of some releases; 0 if there are none."""
    if isinstance(releases, Releases):
        return releases.latest
    return ordering.latest([release.version for release in releases])
