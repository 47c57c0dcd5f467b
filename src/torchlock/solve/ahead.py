"""Ask indexes for what the next picks will need, before they need it."""

from __future__ import annotations

from torchlock.knowledge.masks import lowest
from torchlock.knowledge.rules import EXCLUSION, is_virtual
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torchlock.solve.problem import Need
    from torchlock.solve.source import ReleaseSource
    from torchlock.solve.universe import Universe


class Ahead:
    """What a universe will ask for: the pages of the projects that a pick needs, the metadata of the next picks.

    The next pick of a project is the best candidate that the needs of all picks so far allow. A later need may
    lower it; then its metadata were fetched in vain, and the result is the same.
    """

    def __init__(self, universe: Universe, source: ReleaseSource) -> None:
        self._universe = universe
        self._source = source
        self._allowed: dict[str, int] = {}

    def projects(self, names: Iterable[str]) -> None:
        """These projects are needed."""
        self._source.expect([name for name in names if not is_virtual(name)])

    def picks(self, needs: Iterable[Need], limits: Mapping[str, int] | None = None) -> None:
        """These needs are those of a pick, or of the user, with the limits of the user."""
        changed: dict[str, None] = {}
        for need in needs:
            name = need.identifier.partition("[")[0]
            if name.startswith(EXCLUSION) or is_virtual(name):
                continue
            before = self._allowed.get(name, (limits or {}).get(name, -1))
            after = self._allowed[name] = before & need.mask
            if after != before:
                changed[name] = None
        for name in changed:
            candidates, mask = self._universe.candidates(name), self._allowed[name]
            if mask and mask.bit_length() <= len(candidates):
                candidates[lowest(mask)].expect()
