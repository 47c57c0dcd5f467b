"""The smallest guilty set: which of the user's own lines cannot stand together."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torchlock.knowledge.rules import is_virtual
from torchlock.knowledge.stack import FAMILY
from torchlock.solve.complete import MOST_CONFLICTS, solvable
from torchlock.solve.problem import GaveUp
from torchlock.solve.propagate import Domains, DomainWipeout, propagate

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from torchlock.solve.problem import Need, Problem
    from torchlock.solve.propagate import Loss
    from torchlock.solve.universe import Universe
    from torchlock.terms import ParsedRequirement

# The limit on conflicts of a trial after another one was given up.
_SHORT = 500


class UserRequirement(NamedTuple):
    """One line of the user's: a requirement (``roots``), or a constraint (``limits``, name and mask)."""

    written: ParsedRequirement
    roots: tuple[Need, ...] = ()
    limits: tuple[tuple[str, int], ...] = ()


def demands(units: Iterable[UserRequirement]) -> tuple[list[Need], dict[str, int]]:
    """What some lines come to together: roots, and a mask of what is allowed for each constrained name."""
    roots: list[Need] = []
    limits: dict[str, int] = {}
    for unit in units:
        roots += unit.roots
        for name, mask in unit.limits:
            limits[name] = limits.get(name, -1) & mask
    return roots, limits


def anchors(universe: Universe, units: Iterable[UserRequirement]) -> Problem:
    """The universe seen from what the user names and the torch family: where nearly all conflicts come from."""
    asked = (need.identifier.partition("[")[0] for unit in units for need in unit.roots)
    return universe.anchored({*asked, *FAMILY, *universe.matrix.forbidden_beside(FAMILY)})


def possible(problem: Universe, units: Sequence[UserRequirement], most: int = MOST_CONFLICTS) -> bool:
    """Whether anything satisfies these lines.

    Raises:
        GaveUp: the search met more than ``most`` conflicts.
    """
    try:
        propagate(anchors(problem, units), *demands(units))
        domains = propagate(problem, *demands(units))
    except DomainWipeout:
        return False
    return solvable(domains, most) is not None


def minimal_conflict(problem: Universe, units: Sequence[UserRequirement]) -> list[UserRequirement]:
    """A smallest impossible set of an impossible list of lines: without any one of them the rest is possible.

    QuickXplain (Junker 2004): as many trials as the set has lines, times the logarithm of the list. Lines of
    which a trial cannot tell whether they are impossible are taken to be possible; the set is impossible all the
    same, though perhaps not a smallest one.
    """
    kept = {id(unit) for unit in _Trials(problem).explain([], list(units), tested=True)}
    return [unit for unit in units if id(unit) in kept]


def involved(problem: Universe, blamed: Sequence[UserRequirement]) -> set[str]:
    """The projects that make a guilty set of lines impossible, and perhaps some more."""
    roots, limits = demands(blamed)
    found = {need.identifier for need in roots} | set(limits)
    domains = Domains(problem, limits)
    domains.trace()
    try:
        domains.require(roots)
    except DomainWipeout as wipeout:
        losses = relevant(domains.losses or [], wipeout.identifier)
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
    """The trials of one search for guilty lines. After one that was given up the others are kept short."""

    def __init__(self, problem: Universe) -> None:
        self._problem = problem
        self._most = MOST_CONFLICTS

    def explain(
        self, ground: list[UserRequirement], units: list[UserRequirement], *, tested: bool
    ) -> list[UserRequirement]:
        """The lines out of ``units`` that are impossible together with ``ground``."""
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
    """The identifiers that candidates of these roots can need, as far as is known."""
    reached: set[str] = set()
    waiting = [root.identifier for root in roots]
    while waiting:
        identifier = waiting.pop()
        if identifier not in reached:
            reached.add(identifier)
            needs = (problem.needs(identifier, index) for index in range(problem.size(identifier)))
            waiting += [need.identifier for each in needs for need in each]
    return reached
