"""Keep the pins of an existing lock as long as they work."""

from __future__ import annotations

from torchlock.errors import TorchlockError, Undecided
from torchlock.knowledge.stack import FAMILY
from torchlock.solve.lines import UserRequirement, anchors, demands
from torchlock.solve.pipeline import resolve
from torchlock.solve.problem import GaveUp
from torchlock.terms import Origin, ParsedRequirement
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from torchlock.lock.model import Options
    from torchlock.solve.problem import Problem, Solution
    from torchlock.solve.universe import Universe


def solve_keeping(universe: Universe, units: Sequence[UserRequirement], options: Options) -> Solution | None:
    """The newest solution that keeps the pins of an existing lock as long as they work.

    Pins that conflict with the user's lines, or with the newest versions of the packages to upgrade, are
    dropped, one smallest conflicting set at a time.

    Raises:
        Undecided: the search reached its limit, without any of these pins too.
    """
    try:
        return _solve_keeping(universe, units, options)
    except GaveUp as error:
        raise _undecided(error, universe, units) from error


def _solve_keeping(universe: Universe, units: Sequence[UserRequirement], options: Options) -> Solution | None:
    soft = {name: unit for name, version in options.preferred.items() if (unit := pinned(universe, name, version))}
    if soft:
        asked = {need.identifier.partition("[")[0] for unit in units for need in unit.roots}
        leading = {*FAMILY, *asked}
        keeper = _Keeper(universe, units, [*units, *_newest(universe, units, options)], asked)
        solution = keeper.all_of(soft.values())
        if solution is None:  # Keep what the user names and the torch family first, then what these need.
            keeper.most_of([unit for name, unit in soft.items() if name in leading])
            solution = keeper.most_of([unit for name, unit in soft.items() if name not in leading])
        if solution is not None:
            return solution
    return resolved(universe, units, anchors(universe, units))


def resolved(universe: Universe, held: Sequence[UserRequirement], anchored: Problem) -> Solution | None:
    """The newest solution of some lines; a solution of another target is tried first.

    Raises:
        GaveUp: the search reached its limit.
    """
    demanded = demands(held)
    sharing = universe.sharing
    if sharing is None:
        return resolve(universe, *demanded, anchored)
    solution = sharing.try_known(universe, *demanded) or resolve(universe, *demanded, anchored)
    if solution is not None:
        sharing.keep(universe, demanded[0], solution)
    return solution


class _Keeper:
    """Adds pins of an existing lock to firm lines, as long as there is a solution.

    ``asked`` are the packages that the user names.
    """

    def __init__(
        self,
        universe: Universe,
        units: Sequence[UserRequirement],
        firm: Sequence[UserRequirement],
        asked: Collection[str],
    ) -> None:
        self._universe = universe
        self._asked = asked
        self._anchors = anchors(universe, units)
        self._held = [*firm]

    def all_of(self, soft: Iterable[UserRequirement]) -> Solution | None:
        """The solution with all of these pins; None if there is none, or the search gives up."""
        try:
            return resolved(self._universe, [*self._held, *soft], self._anchors)
        except GaveUp:
            return None

    def most_of(self, soft: Sequence[UserRequirement]) -> Solution | None:
        """The solution with as many of these pins as possible, which are held from then on.

        A package whose pin is dropped is held at its new version, too. None if there is no solution.
        """
        from torchlock.solve.conflict_core import minimal_conflict

        left, dropped = [*soft], list[UserRequirement]()
        while (solution := self.all_of(left)) is None and left:
            blamed = {id(unit) for unit in minimal_conflict(self._universe, left, self._held)}
            if not blamed:
                return None  # the firm lines are the conflict
            dropped += [unit for unit in left if id(unit) in blamed]
            left = [unit for unit in left if id(unit) not in blamed]
        if solution is None:
            return None
        self._held += left
        solution = self._with_dropped(dropped, solution)
        for unit in dropped:
            name = unit.limits[0][0]
            if name in solution:
                self._held.append(unit._replace(limits=((name, 1 << solution[name]),)))
        return solution

    def _with_dropped(self, dropped: Sequence[UserRequirement], solution: Solution) -> Solution:
        """The solution that also keeps the dropped pins that conflict with nothing after all.

        Of the pins in a conflict all are dropped, but often one of them is enough. torch comes first, then what
        the user names. A pin is not kept by leaving out its package.
        """
        for unit in sorted(dropped, key=self._rank):
            name, mask = unit.limits[0]
            kept = name not in solution or mask >> solution[name] & 1
            found = solution if kept else self.all_of([unit])
            if found is not None and (kept or name in found):
                self._held.append(unit)
                solution = found
        return solution

    def _rank(self, unit: UserRequirement) -> tuple[bool, bool, bool]:
        name = unit.limits[0][0]
        return name != "torch", name not in self._asked, name not in FAMILY


def _undecided(gave_up: GaveUp, universe: Universe, units: Sequence[UserRequirement]) -> Undecided:
    """The error after the search gave up: the number of tries, and the requirements in conflict."""
    from torchlock.solve.conflict_core import contested

    lines = [
        f"{written.origin.text.strip()}" + ("" if written.origin.path is None else f" ({written.origin})")
        for unit in contested(universe, units, gave_up.contested) or units
        if (written := unit.written)
    ]
    return Undecided(
        f"gave up after {gave_up.tries:,} tries; these requirements were still in conflict: {', '.join(lines)}",
        hint="narrow some of them, for example with a pin",
    )


def _newest(universe: Universe, units: Sequence[UserRequirement], options: Options) -> list[UserRequirement]:
    """Limits for the packages to upgrade: the versions that they would have without the existing lock."""
    solution = resolve(universe, *demands(units), anchors(universe, units)) if options.upgraded else None
    return [
        UserRequirement(ParsedRequirement(None, Origin(None, None, name)), limits=((name, 1 << solution[name]),))
        for name in options.upgraded
        if solution and name in solution
    ]


def pinned(universe: Universe, name: str, version: str) -> UserRequirement | None:
    """A pin of an existing lock in the terms of a universe; None if no source has the release any more."""
    try:
        mask = universe.mask(name, f"=={version}")
    except TorchlockError:  # a package of the old lock that no source has any more
        return None
    return (
        UserRequirement(ParsedRequirement(None, Origin(None, None, name)), limits=((name, mask),))
        if mask
        else None
    )
