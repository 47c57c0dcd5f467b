"""The search that learns: unit propagation over needs and nogoods, and a nogood from each conflict.

It is the algorithm of SAT solvers (conflict-driven learning with first unique implication points, two watched
terms, restarts) on the terms of ``solve.nogoods``. A package is decided if it is needed, best candidate first.
Packages that took part in many conflicts are decided first, as uv does with PubGrub; else the order is that of
``problem.order``, so that the first solution is mostly the newest.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

from torchlock.knowledge.masks import bits, lowest
from torchlock.solve.assignment import Assignment, Backward, Forward
from torchlock.solve.nogoods import Group, Nogood, resolved
from torchlock.solve.problem import GaveUp, Solution

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from torchlock.solve.problem import Problem

_FIRST_LIMIT = 32
# So many nogoods of more than so many terms are kept: each change of a package looks at those that watch it, so
# that without a bound 8,000 conflicts cost twenty times 2,000.
_KEPT, _SHORT = 500, 3
# An identifier is contested if it took part in at least this share of the conflicts of the most contested one.
_CONTESTED = 0.05


class Search:
    """One problem with what was learned about it.

    ``left`` limits the candidates of each identifier; what is learned holds within it. ``ranks`` order the
    decisions. More than ``most`` conflicts end the search. With ``proving``, nogoods keep their parents, and
    ``refutation`` is the empty one, if there is no solution.
    """

    def __init__(
        self,
        problem: Problem,
        left: Mapping[str, int],
        ranks: Mapping[str, int],
        *,
        most: int,
        proving: bool = False,
    ) -> None:
        self.conflicts = 0
        self.refutation: Nogood | None = None
        self._problem = problem
        self._left = left
        self._ranks = ranks
        self._most = most
        self._proving = proving
        self._values = Assignment()
        self._absent: dict[str, int] = {}
        self._groups: dict[str, dict[str, Group]] = {}
        self._owners: dict[str, dict[str, None]] = {}
        self._watched: dict[str, list[Nogood]] = {}
        self._watches: dict[int, list[str]] = {}
        self._long: list[Nogood] = []
        self._counts: dict[str, int] = {}
        self._heap: list[tuple[int, int, str]] = []
        self._changed: dict[str, None] = {}
        self._fixed: list[tuple[str, int]] = []

    # What callers use.

    def require(self, identifier: str, mask: int, lines: int = 0) -> None:
        """Every solution has a candidate of the mask, because of these lines of the user."""
        self._meet(identifier)
        self._demand(identifier, mask & (self._absent[identifier] - 1), lines)

    def limit(self, identifier: str, mask: int, lines: int = 0) -> None:
        """A solution has a candidate of the mask, or none of this identifier."""
        self._meet(identifier)
        self._demand(identifier, mask | self._absent[identifier], lines)

    def fix(self, identifier: str, mask: int) -> None:
        """Look for no more solutions but those with a candidate of the mask."""
        self._back_to(len(self._fixed))
        self._fixed.append((identifier, mask))

    def solve(self, also: tuple[str, int] | None = None) -> Solution | None:
        """A solution with what is fixed, and with a candidate of the mask ``also``; None if there is none.

        Raises:
            GaveUp: there were more than ``most`` conflicts in all.
        """
        self._back_to(len(self._fixed))
        fixed = [*self._fixed, also] if also else self._fixed
        limit, until = _FIRST_LIMIT, self.conflicts + _FIRST_LIMIT
        while self.refutation is None:
            conflict = self._propagate()
            if conflict is not None:
                self._learn(conflict)
                continue
            if self.conflicts > until:
                limit = limit * 3 // 2
                until = self.conflicts + limit
                self._back_to(len(fixed))
                self._forget()
            level = self._values.level
            identifier, mask = fixed[level] if level < len(fixed) else self._next()
            if not identifier:
                return self._solution()
            if not self._values.now[identifier] & mask:
                return None
            self._values.open_level()
            self._remove(identifier, mask, None)
        return None

    def contested(self) -> list[str]:
        """The identifiers that took part in many conflicts, most often first."""
        least = max(self._counts.values(), default=0) * _CONTESTED
        found = [name for name, count in self._counts.items() if count >= least]
        return sorted(found, key=lambda name: -self._counts[name])

    def renew(self, identifiers: Iterable[str]) -> None:
        """Read the needs of these packages again: more became known. What was learned stays; nothing is fixed."""
        self._back_to(0)
        self._fixed = []
        for identifier in identifiers:
            if identifier in self._groups:
                self._register(identifier)

    # Propagation.

    def _meet(self, identifier: str) -> None:
        if identifier not in self._absent:
            absent = self._absent[identifier] = 1 << self._problem.size(identifier)
            self._values.meet(identifier, (absent - 1) & self._left.get(identifier, -1) | absent)

    def _demand(self, identifier: str, values: int, lines: int) -> None:
        """Add a nogood of one term: all values but these."""
        nogood = Nogood({identifier: self._values.every[identifier] & ~values}, lines)
        if self.refutation is None and self._remove(identifier, values, nogood):
            self._learn(nogood)

    def _remove(self, identifier: str, mask: int, reason: Forward | Backward | Nogood | None) -> bool:
        """Keep the values of a mask; return whether none is left."""
        if self._values.keep(identifier, mask, reason):
            self._changed[identifier] = None
            now = self._values.now[identifier]
            if not now:
                return True
            self._push(identifier, now)
        return False

    def _push(self, identifier: str, now: int) -> None:
        """Remember an identifier that has to be decided: it is needed, and has several candidates."""
        if now & (now - 1) and not now & self._absent[identifier]:
            count = self._counts.get(identifier, 0)
            heappush(self._heap, (-count, self._ranks.get(identifier, len(self._ranks)), identifier))

    def _propagate(self) -> Nogood | None:
        """Remove values until nothing changes; returns a nogood whose terms are all true, if there is one."""
        while self._changed:
            identifier = next(iter(self._changed))
            del self._changed[identifier]
            empty = self._backward(identifier)
            if not empty and not self._values.now[identifier] & self._absent[identifier]:
                if identifier not in self._groups:
                    self._register(identifier)
                empty = self._forward(identifier)
            if empty:
                self._changed.clear()
                return self._reason_of(len(self._values.trail) - 1)
            conflict = self._check_nogoods(identifier)
            if conflict is not None:
                self._changed.clear()
                return conflict
        return None

    def _register(self, identifier: str) -> None:
        """Read what the candidates of a needed package need."""
        groups = self._groups[identifier] = {}
        for index in bits(self._values.every[identifier] & ~self._absent[identifier]):
            mine: dict[str, int] = {}
            for need in self._problem.needs(identifier, index):
                self._meet(need.identifier)
                known = mine.get(need.identifier, self._absent[need.identifier] - 1)
                mine[need.identifier] = known & need.mask
            for name, mask in mine.items():
                group = groups.get(name)
                if group is None:
                    group = groups[name] = Group()
                group.covered |= 1 << index
                group.needed[mask] = group.needed.get(mask, 0) | 1 << index
        for name in groups:
            self._owners.setdefault(name, {})[identifier] = None
            self._changed[name] = None
        self._changed[identifier] = None

    def _forward(self, identifier: str) -> bool:
        """Require what all remaining candidates need; return whether a package has no value left."""
        now = self._values.now[identifier]
        for name, group in self._groups[identifier].items():
            if now & ~group.covered:
                continue
            allowed = 0
            for mask, candidates in group.needed.items():
                if candidates & now:
                    allowed |= mask
            if self._remove(name, allowed, Forward(identifier, allowed)):
                return True
        return False

    def _backward(self, identifier: str) -> bool:
        """Remove the candidates whose need cannot be met; return whether a package has no value left."""
        now = self._values.now[identifier]
        for owner in self._owners.get(identifier, ()):
            theirs = self._values.now[owner]
            for mask, candidates in self._groups[owner][identifier].needed.items():
                if not mask & now and candidates & theirs:
                    if self._remove(owner, ~candidates, Backward(identifier, mask, candidates)):
                        return True
                    theirs = self._values.now[owner]
        return False

    def _check_nogoods(self, identifier: str) -> Nogood | None:
        """Infer from the nogoods that watch a changed identifier."""
        values = self._values.now
        staying: list[Nogood] = []
        watching = self._watched.get(identifier, ())
        for place, nogood in enumerate(watching):
            if values[identifier] & ~nogood.terms[identifier]:
                staying.append(nogood)
                continue
            watches = self._watches[id(nogood)]
            other = watches[watches[0] == identifier]
            moved = next(
                (
                    name
                    for name, mask in nogood.terms.items()
                    if name != other and name != identifier and values[name] & ~mask
                ),
                None,
            )
            if moved is not None:
                watches[watches[0] != identifier] = moved
                self._watched.setdefault(moved, []).append(nogood)
                continue
            staying.append(nogood)
            if not values[other] & ~nogood.terms[other]:
                self._watched[identifier] = [*staying, *watching[place + 1 :]]
                return nogood
            self._remove(other, ~nogood.terms[other], nogood)
        if watching:
            self._watched[identifier] = staying
        return None

    # Learning.

    def _learn(self, conflict: Nogood) -> None:
        """Derive a nogood from a conflict, go back to the level at which it removes something, and remove it."""
        self.conflicts += 1
        nogood, level, identifier = self._analysed(conflict)
        for name in nogood.terms:
            self._counts[name] = self._counts.get(name, 0) + 1
        if not nogood.terms:
            self.refutation = nogood
            return
        if self.conflicts > self._most:
            self._back_to(0)
            raise GaveUp(self.conflicts, self.contested())
        self._back_to(level)
        if len(nogood.terms) > 1:
            other = max((name for name in nogood.terms if name != identifier), key=self._since(nogood))
            self._watches[id(nogood)] = [identifier, other]
            for name in (identifier, other):
                self._watched.setdefault(name, []).append(nogood)
            if len(nogood.terms) > _SHORT:
                self._long.append(nogood)
        self._remove(identifier, ~nogood.terms[identifier], nogood)

    def _forget(self) -> None:
        """Forget the oldest long nogoods; what follows from them can be derived again."""
        if len(self._long) < 2 * _KEPT:
            return
        forgotten = {id(nogood) for nogood in self._long[:-_KEPT]}
        del self._long[:-_KEPT]
        for name, watching in self._watched.items():
            self._watched[name] = [nogood for nogood in watching if id(nogood) not in forgotten]
        for each in forgotten:
            del self._watches[each]

    def _since(self, nogood: Nogood) -> Callable[[str], int]:
        return lambda name: self._values.satisfied_at(name, nogood.terms[name])

    def _analysed(self, conflict: Nogood) -> tuple[Nogood, int, str]:
        """The nogood of the first unique implication point, the level it asserts at, and what it asserts."""
        trail = self._values.trail
        terms, lines, parents = dict(conflict.terms), conflict.lines, [conflict]
        places: dict[str, int] = {}
        self._place(terms, places, list(terms))
        while places:
            identifier = max(places, key=places.__getitem__)
            place = places[identifier]
            second = max((each for name, each in places.items() if name != identifier), default=-1)
            below = trail[second].level if second >= 0 else 0
            if trail[place].level > below:
                return self._derived(terms, lines, parents), below, identifier
            reason = self._reason_of(place)
            resolved(terms, identifier, reason.terms, self._values.every)
            lines |= reason.lines
            parents.append(reason)
            self._place(terms, places, reason.terms)
        return self._derived(terms, lines, parents), 0, ""

    def _derived(self, terms: dict[str, int], lines: int, parents: list[Nogood]) -> Nogood:
        return Nogood(terms, lines, tuple(parents) if self._proving else ())

    def _place(self, terms: dict[str, int], places: dict[str, int], names: Iterable[str]) -> None:
        """Note where in the trail these terms became true; those that always were are left out."""
        for name in names:
            places.pop(name, None)
            if name in terms:
                place = self._values.satisfied_at(name, terms[name])
                if place < 0:
                    del terms[name]
                else:
                    places[name] = place

    def _reason_of(self, place: int) -> Nogood:
        """The nogood that made a change; it is written out only when it is asked for."""
        identifier, _, _, _, reason = self._values.trail[place]
        if isinstance(reason, Nogood):
            return reason
        if isinstance(reason, Backward):
            every = self._values.every[reason.target]
            return Nogood({identifier: reason.candidates, reason.target: every & ~reason.mask})
        assert isinstance(reason, Forward)
        group = self._groups[reason.owner][identifier]
        owners = 0
        for mask, candidates in group.needed.items():
            if not mask & ~reason.mask:
                owners |= candidates
        return Nogood({reason.owner: owners, identifier: self._values.every[identifier] & ~reason.mask})

    # Choosing.

    def _next(self) -> tuple[str, int]:
        """The package to decide next, with its best candidate; "" if all that are needed are decided."""
        while self._heap:
            count, _, identifier = heappop(self._heap)
            now = self._values.now[identifier]
            if now & (now - 1) and not now & self._absent[identifier]:
                if -count == self._counts.get(identifier, 0):
                    return identifier, now & -now
                self._push(identifier, now)
        return "", 0

    def _back_to(self, level: int) -> None:
        if level < self._values.level:
            self._changed.clear()
            for identifier in dict.fromkeys(self._values.back_to(level)):
                self._push(identifier, self._values.now[identifier])

    def _solution(self) -> Solution:
        needed = self._values.now.items()
        return {name: lowest(now) for name, now in needed if not now & self._absent[name]}
