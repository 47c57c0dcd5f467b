"""Find the smallest set of the user's requirements that conflict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.knowledge.rules import is_virtual
from torchlock.solve.complete import MOST_CONFLICTS, searching
from torchlock.solve.counting import overfull
from torchlock.solve.learning import Search
from torchlock.solve.lines import anchors, demands
from torchlock.solve.problem import GaveUp
from torchlock.solve.propagate import DomainWipeout, propagate, shave, traced
from torchlock.solve.walk import walk_or_run

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from torchlock.solve.lines import UserRequirement
    from torchlock.solve.problem import Need, Problem
    from torchlock.solve.propagate import Loss
    from torchlock.solve.universe import Universe

# The limit of conflicts for a trial after another trial gave up.
_SHORT = 500
# Up to so many lines all are tried: the conflict that is found then has the lines that come last.
_FEW = 12


def possible(problem: Universe, units: Sequence[UserRequirement], most: int = MOST_CONFLICTS) -> bool:
    """Whether these lines have a solution.

    As in ``resolve``, a search without a conflict is the answer for most; only the others look at every candidate
    within reach.

    Raises:
        GaveUp: the search met more than ``most`` conflicts.
    """
    roots, limits = demands(units)
    try:
        near = propagate(anchors(problem, units), roots, limits)
        shave(near, dict.fromkeys(root.identifier for root in roots))
        if walk_or_run(problem, roots, {**limits, **near.left}, learn=False) is not None:
            return True
        domains = propagate(problem, roots, limits)
    except DomainWipeout:
        return False
    return overfull(problem, domains) is None and searching(problem, roots, domains, most).solve() is not None


def minimal_conflict(
    problem: Universe, units: Sequence[UserRequirement], firm: Sequence[UserRequirement] = ()
) -> list[UserRequirement]:
    """A smallest set of lines that conflicts with the ``firm`` lines: without any one of them there is a solution.

    It is empty if the firm lines conflict by themselves.

    QuickXplain (Junker 2004): the number of trials is the size of the set times the logarithm of the list. If a
    trial gives up, its lines are assumed to have a solution; the result still conflicts, but may not be smallest.
    """
    alone = next((unit for unit in units if _is_empty(unit)), None)
    if alone is not None and not firm:
        return [alone]
    blamed = list(units) if len(units) <= _FEW else _refuted(problem, units, firm)
    kept = {id(unit) for unit in _Trials(problem).explain(list(firm), blamed, tested=not firm)}
    return [unit for unit in units if id(unit) in kept]


def _is_empty(unit: UserRequirement) -> bool:
    """Whether a line admits no candidate of its package, so that it conflicts by itself."""
    return any(not root.mask for root in unit.roots)


def _refuted(
    problem: Universe, units: Sequence[UserRequirement], firm: Sequence[UserRequirement]
) -> list[UserRequirement]:
    """The lines from which a search derives that there is no solution; all of them if it finds out nothing."""
    search = Search(problem, {}, {}, most=_SHORT)
    for number, unit in enumerate([*units, *firm]):
        line = 1 << number
        for name, mask in unit.limits:
            search.limit(name, mask, line)
        for root in unit.roots:
            search.require(root.identifier, root.mask, line)
    try:
        search.solve()
    except GaveUp:
        return list(units)
    if search.refutation is None:
        return list(units)
    return [unit for number, unit in enumerate(units) if search.refutation.lines >> number & 1]


def involved(problem: Universe, blamed: Sequence[UserRequirement]) -> set[str]:
    """The projects because of which a set of lines conflicts, and perhaps some more."""
    roots, limits = demands(blamed)
    found = {need.identifier for need in roots} | set(limits)
    trace = traced(problem, roots, limits)
    if trace.empty:
        losses = relevant(trace.losses, trace.empty)
        found |= {name for loss in losses for name in (loss.identifier, loss.by) if name}
    else:
        found |= problem.met
    return {name.partition("[")[0] for name in found if not is_virtual(name)}


def relevant(losses: Sequence[Loss], identifier: str) -> list[Loss]:
    """The losses that led to an empty domain, in the order of happening."""
    wanted = {identifier}
    chosen: list[Loss] = []
    for loss in reversed(losses):
        if loss.identifier in wanted:
            chosen.append(loss)
            if loss.by is not None:
                wanted.add(loss.by)
    return chosen[::-1]


class _Trials:
    """The trials of one search for conflicting lines. After a trial gave up, the others get a lower limit."""

    def __init__(self, problem: Universe) -> None:
        self._problem = problem
        self._most = MOST_CONFLICTS

    def explain(
        self, ground: list[UserRequirement], units: list[UserRequirement], *, tested: bool
    ) -> list[UserRequirement]:
        """The lines of ``units`` that conflict with ``ground``."""
        if not tested and self._impossible(ground):
            return []
        if len(units) == 1:
            return units
        half = len(units) // 2
        first, second = units[:half], units[half:]
        late = self.explain(ground + first, second, tested=False)
        early = self.explain(ground + late, first, tested=not late)
        return early + late

    def _impossible(self, units: list[UserRequirement]) -> bool:
        try:
            return not possible(self._problem, units, self._most)
        except GaveUp:
            self._most = _SHORT
            return False


def contested(
    problem: Universe, units: Sequence[UserRequirement], names: Collection[str]
) -> list[UserRequirement]:
    """The lines that lead to one of these identifiers, by themselves or by what they need."""
    return [
        unit
        for unit in units
        if any(name in names for name, _ in unit.limits) or not _reach(problem, unit.roots).isdisjoint(names)
    ]


def _reach(problem: Problem, roots: Iterable[Need]) -> set[str]:
    """The identifiers that candidates of these roots can need, as far as they are known."""
    reached: set[str] = set()
    waiting = [root.identifier for root in roots]
    while waiting:
        identifier = waiting.pop()
        if identifier not in reached:
            reached.add(identifier)
            needs = (problem.needs(identifier, index) for index in range(problem.size(identifier)))
            waiting += [need.identifier for each in needs for need in each]
    return reached
