"""The complete search, for problems that arc consistency and resolvelib without backtracking do not solve.

Depth first, keeping the domains arc consistent at every branch. Branching goes to the package with the fewest
candidates for the conflicts it took part in (dom/wdeg), and the search starts anew after growing numbers of
conflicts, so that packages which never conflict are decided last and cannot multiply the work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.knowledge.masks import lowest
from torchlock.solve.problem import GaveUp, Solution, order
from torchlock.solve.propagate import Domains, DomainWipeout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.solve.problem import Need, Problem

_FIRST_LIMIT = 32
# To prove that seven pigeon holes are too few takes 17,424 conflicts; no real input tried took more than a few.
MOST_CONFLICTS = 20_000
# An identifier is contested if it ran empty at least this share as often as the most contested one.
_CONTESTED = 0.05


class _Restart(Exception):
    """This run reached its limit of conflicts."""


class _Run:
    """One search, with the experience of earlier runs: how often each identifier ran empty."""

    def __init__(self, most: int = MOST_CONFLICTS) -> None:
        self.weights: dict[str, int] = {}
        self.conflicts = 0
        self._most = most

    def solve(self, domains: Domains) -> Domains | None:
        limit = _FIRST_LIMIT
        while True:
            try:
                return self._descend(domains, min(self.conflicts + limit, self._most))
            except _Restart:
                limit = limit * 3 // 2
                if self.conflicts > self._most:
                    raise GaveUp(self.conflicts, self._contested()) from None

    def _contested(self) -> list[str]:
        least = max(self.weights.values()) * _CONTESTED
        found = [name for name, weight in self.weights.items() if weight >= least]
        return sorted(found, key=lambda name: -self.weights[name])

    def _descend(self, start: Domains, limit: int) -> Domains | None:
        """Iterative, since a chain of packages may be longer than Python's stack."""
        trail: list[tuple[Domains, str]] = []
        domains: Domains | None = start.copy()
        while True:
            if domains is not None:
                identifier = self._branch(domains)
                if identifier is None:
                    return domains
                trail.append((domains, identifier))
                domains = self.attempt(domains, identifier, 1 << lowest(domains.left[identifier]))
            elif trail:
                before, identifier = trail.pop()
                self._check(limit)
                rest = before.left[identifier] & ~(1 << lowest(before.left[identifier]))
                domains = self.attempt(before, identifier, rest)
            else:
                return None

    def _check(self, limit: int) -> None:
        if self.conflicts > limit:
            raise _Restart

    def attempt(self, domains: Domains, identifier: str, mask: int) -> Domains | None:
        branch = domains.copy()
        try:
            branch.choose(identifier, mask)
        except DomainWipeout as wipeout:
            self.conflicts += 1
            for name in (identifier, wipeout.identifier):
                self.weights[name] = self.weights.get(name, 1) + 1
            return None
        return branch

    def _branch(self, domains: Domains) -> str | None:
        """The undecided package to decide next; None when every held package has one candidate."""
        chosen, lowest = None, float("inf")
        for identifier in domains.must:
            size = domains.left[identifier].bit_count()
            if size > 1 and (score := size / self.weights.get(identifier, 1)) < lowest:
                chosen, lowest = identifier, score
        return chosen


def _better(run: _Run, branch: Domains) -> Domains | None:
    try:
        return run.solve(branch)
    except GaveUp:
        return None


def _solution(domains: Domains) -> Solution:
    return {identifier: lowest(domains.left[identifier]) for identifier in domains.must}


def solvable(domains: Domains, most: int = MOST_CONFLICTS) -> Solution | None:
    """Some solution within these domains, or None if there is none.

    Raises:
        GaveUp: more than ``most`` conflicts.
    """
    found = _Run(most).solve(domains)
    return None if found is None else _solution(found)


def newest_first(problem: Problem, roots: Sequence[Need], domains: Domains) -> Solution | None:
    """The solution whose packages are each the best possible, taken in the order of ``problem.order``; or None.

    The first package gets the best candidate of any solution, the second the best of any solution with that,
    and so on. If the search for a better candidate gives up, the one that was found stays.

    Raises:
        GaveUp: too many conflicts, and no solution so far.
    """
    run = _Run()
    found = run.solve(domains)
    if found is None:
        return None
    for identifier in order(problem, roots, domains.left):
        solution = _solution(found)
        while identifier in solution and (choice := lowest(domains.left[identifier])) != solution[identifier]:
            branch = run.attempt(domains, identifier, 1 << choice)
            better = None if branch is None else _better(run, branch)
            if better is not None:
                found, solution = better, _solution(better)
            else:
                domains = domains.copy()
                domains.choose(identifier, domains.left[identifier] & ~(1 << choice))
        if identifier in solution:
            domains = domains.copy()
            domains.choose(identifier, 1 << solution[identifier])
    return _solution(found)
