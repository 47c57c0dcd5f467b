"""The versions of releases, and what a specifier set says about them."""

from __future__ import annotations

from torchlock.knowledge.releases import Releases
from torchlock.standards import ordering
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torchlock.knowledge.releases import Release
    from torchlock.solve.candidates import Candidate


def admitted(candidates: Iterable[Candidate], specifier: str) -> int:
    """The candidates that a specifier set admits."""
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
