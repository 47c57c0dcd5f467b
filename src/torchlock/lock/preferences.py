"""Keep the pins of an existing lock as long as they work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.errors import TorchlockError, Undecided
from torchlock.knowledge.build_labels import kind_of
from torchlock.knowledge.stack import FAMILY
from torchlock.solve.conflict_core import UserRequirement, anchors, contested, demands, minimal_conflict
from torchlock.solve.pipeline import resolve
from torchlock.solve.problem import GaveUp
from torchlock.solve.propagate import DomainWipeout, propagate
from torchlock.standards.dependency import Dependency
from torchlock.standards.filenames import same_version
from torchlock.terms import Origin, ParsedRequirement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torchlock.lock.model import Options
    from torchlock.solve.candidates import Candidate
    from torchlock.solve.problem import Solution
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
    soft = [unit for name, version in options.preferred.items() if (unit := pinned(universe, name, version))]
    firm = [*units, *_newest(universe, units, options)] if soft else units
    dropped: list[UserRequirement] = []
    while soft:
        try:
            solution = resolve(universe, *demands([*firm, *soft]), anchors(universe, units))
        except GaveUp:  # too hard with the pins: solve without them
            break
        if solution is not None:
            return _with_dropped(universe, units, [*firm, *soft], dropped, solution)
        blamed = {id(unit) for unit in minimal_conflict(universe, soft, firm)}
        dropped += [unit for unit in soft if id(unit) in blamed]
        still = [unit for unit in soft if id(unit) not in blamed]
        soft = still if len(still) < len(soft) else []  # else the user's own lines are the conflict
    return resolve(universe, *demands(units), anchors(universe, units))


def _with_dropped(
    universe: Universe,
    units: Sequence[UserRequirement],
    held: list[UserRequirement],
    dropped: Sequence[UserRequirement],
    solution: Solution,
) -> Solution:
    """The solution that also keeps the dropped pins that conflict with nothing after all, torch first.

    Of the pins in a conflict all are dropped, but often one of them is enough.
    """
    names = {id(unit): unit.limits[0][0] for unit in dropped}
    for unit in sorted(dropped, key=lambda unit: (names[id(unit)] != "torch", names[id(unit)] not in FAMILY)):
        name, mask = unit.limits[0]
        if name not in solution or mask >> solution[name] & 1:
            held.append(unit)
            continue
        try:
            found = resolve(universe, *demands([*held, unit]), anchors(universe, units))
        except GaveUp:
            continue
        if found is not None:
            held.append(unit)
            solution = found
    return solution


def _undecided(gave_up: GaveUp, universe: Universe, units: Sequence[UserRequirement]) -> Undecided:
    """The error after the search gave up: the number of tries, and the requirements in conflict."""
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
