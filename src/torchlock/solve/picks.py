"""The state of a straight run: what is picked, what the picks ask for, and what waits for a pick.

A pick and what it asks for cost the same however many packages there are: nothing is copied, and nothing is looked
at that did not change.
"""

from __future__ import annotations

from heapq import heappop, heappush

from torchlock.knowledge.masks import bits, full
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from torchlock.solve.problem import Need, Problem, Solution

    # What a caller would like best: an identifier and the mask of what is allowed -> one of the mask, or None.
    Wish = Callable[[str, int], int | None]


class Picks:
    """The picks so far, and for each identifier what they ask of it.

    ``left`` limits domains; an identifier that is not in it is unlimited. ``wish`` names a candidate to try first.
    """

    def __init__(self, problem: Problem, left: Mapping[str, int], wish: Wish | None = None) -> None:
        self._problem = problem
        self._left = left
        self._wish = wish
        # How often each mask is asked of an identifier: few differ, however many packages need it.
        self._asked: dict[str, dict[int, int]] = {}
        self._allowed: dict[str, int] = {}
        self._excluded: list[str] = []
        self._met: dict[str, int] = {}
        self._picked: Solution = {}
        self._waiting: list[tuple[int, str]] = []

    def __len__(self) -> int:
        """The number of packages that were met."""
        return len(self._met)

    def next(self) -> str | None:
        """The package that was met first of those that need a pick; None if there is none."""
        while self._waiting:
            identifier = self._waiting[0][1]
            if identifier not in self._picked and self._asked[identifier]:
                return identifier
            heappop(self._waiting)
        return None

    def allowed(self, identifier: str) -> int:
        """The candidates that the picks so far allow."""
        known = self._allowed.get(identifier)
        if known is None:
            known = full(self._problem.size(identifier)) & self._left.get(identifier, -1)
            self._allowed[identifier] = known
            self._met[identifier] = len(self._met)
            self._asked[identifier] = {}
        return known

    def in_turn(self, identifier: str) -> Iterator[int]:
        """The allowed candidates, the wished one first, then the best first."""
        allowed = self._allowed[identifier]
        wished = None if self._wish is None else self._wish(identifier, allowed)
        if wished is not None:
            yield wished
            allowed &= ~(1 << wished)
        yield from bits(allowed)

    def ask(self, identifier: str, mask: int) -> bool:
        """Count a need; return whether it agrees with the picks. One that it excludes is withdrawn by ``pick``."""
        asked = self._asked[identifier]
        picked = self._picked.get(identifier)
        if picked is None and not asked:
            heappush(self._waiting, (self._met[identifier], identifier))
        asked[mask] = asked.get(mask, 0) + 1
        self._allowed[identifier] &= mask
        if picked is not None and not mask >> picked & 1:
            self._excluded.append(identifier)
            return False
        return True

    def pick(self, identifier: str, index: int) -> None:
        """Choose a candidate whose needs were asked for, and withdraw the picks that these exclude."""
        self._picked[identifier] = index
        while self._excluded:
            self._withdraw(self._excluded.pop(0))

    def reached(self, roots: Iterable[str]) -> Solution:
        """The picks that the roots need: packages that need each other may be left over."""
        found: Solution = {}
        waiting = list(roots)
        while waiting:
            identifier = waiting.pop()
            if identifier not in found:
                index = found[identifier] = self._picked[identifier]
                waiting += [need.identifier for need in self._problem.needs(identifier, index)]
        return found

    def _withdraw(self, identifier: str) -> None:
        """Take back a pick with its needs, and the picks that nothing needs any more."""
        withdrawn = [identifier] if identifier in self._picked else []
        while withdrawn:
            name = withdrawn.pop()
            if self._asked[name]:
                heappush(self._waiting, (self._met[name], name))
            index = self._picked.pop(name)
            for other, mask in joined(self._problem.needs(name, index)).items():
                if self._drop(other, mask) and other in self._picked:
                    withdrawn.append(other)

    def _drop(self, identifier: str, mask: int) -> bool:
        """Uncount a need; return whether it was the last one."""
        asked = self._asked[identifier]
        asked[mask] -= 1
        if not asked[mask]:
            del asked[mask]
            allowed = full(self._problem.size(identifier)) & self._left.get(identifier, -1)
            for each in asked:
                allowed &= each
            self._allowed[identifier] = allowed
        return not asked


def joined(needs: Sequence[Need]) -> dict[str, int]:
    """One mask for each identifier."""
    found: dict[str, int] = {}
    for need in needs:
        known = found.get(need.identifier)
        found[need.identifier] = need.mask if known is None else known & need.mask
    return found
