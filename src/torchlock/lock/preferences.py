"""The pins of an existing lock: kept as long as they work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.errors import TorchlockError, Undecided
from torchlock.solve.conflict_core import UserRequirement, anchors, contested, demands, minimal_conflict
from torchlock.solve.pipeline import resolve
from torchlock.solve.problem import GaveUp
from torchlock.standards.filenames import same_version
from torchlock.terms import Origin, ParsedRequirement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torchlock.lock.model import Options
    from torchlock.solve.candidates import Candidate
    from torchlock.solve.problem import Solution
    from torchlock.solve.universe import Universe


def solve_keeping(universe: Universe, units: Sequence[UserRequirement], options: Options) -> Solution | None:
    """The newest-first solution that keeps the pins of an existing lock as far as they still work.

    Pins that cannot stand together with the user's lines, or with the newest versions of what is to be
    upgraded, are dropped, a smallest guilty set at a time.

    Raises:
        Undecided: the search reached its limit, without any of these pins too.
    """
    try:
        return _solve_keeping(universe, units, options)
    except GaveUp as error:
        raise _undecided(error, universe, units) from error


def _solve_keeping(universe: Universe, units: Sequence[UserRequirement], options: Options) -> Solution | None:
    soft = [unit for name, version in options.preferred.items() if (unit := _pinned(universe, name, version))]
    firm = [*units, *_newest(universe, units, options)] if soft else units
    while soft:
        try:
            solution = resolve(universe, *demands([*firm, *soft]), anchors(universe, units))
        except GaveUp:  # too hard with the pins: solve without them
            break
        if solution is not None:
            return solution
        blamed = {id(unit) for unit in minimal_conflict(universe, [*firm, *soft])}
        still = [unit for unit in soft if id(unit) not in blamed]
        soft = still if len(still) < len(soft) else []  # else the user's own lines are the conflict
    return resolve(universe, *demands(units), anchors(universe, units))


def _undecided(gave_up: GaveUp, universe: Universe, units: Sequence[UserRequirement]) -> Undecided:
    """The message in place of an answer: how much was tried, and the lines that it failed on."""
    lines = [
        f"{written.origin.text.strip()}" + ("" if written.origin.path is None else f" ({written.origin})")
        for unit in contested(universe, units, gave_up.contested) or units
        if (written := unit.written)
    ]
    return Undecided(
        f"gave up after {gave_up.tries:,} tries; these requirements were still in conflict: {', '.join(lines)}",
        hint="narrow some of them, for example with a pin, so that there is less to try",
    )


def _newest(universe: Universe, units: Sequence[UserRequirement], options: Options) -> list[UserRequirement]:
    """What is to be upgraded, at the versions that it would have without the existing lock."""
    solution = resolve(universe, *demands(units), anchors(universe, units)) if options.upgraded else None
    return [
        UserRequirement(ParsedRequirement(None, Origin(None, None, name)), limits=((name, 1 << solution[name]),))
        for name in options.upgraded
        if solution and name in solution
    ]


def _pinned(universe: Universe, name: str, version: str) -> UserRequirement | None:
    try:
        mask = universe.mask(name, f"=={version}")
    except TorchlockError:  # a package of the old lock that no source can be asked for any more
        return None
    return (
        UserRequirement(ParsedRequirement(None, Origin(None, None, name)), limits=((name, mask),))
        if mask
        else None
    )


def given_way(universe: Universe, preferred: Mapping[str, str], chosen: Mapping[str, Candidate]) -> Iterator[str]:
    """Notes on the pins that did not hold, those that a snapshot does not know told apart: they may be good."""
    for name, version in preferred.items():
        if name not in chosen or same_version(str(chosen[name].version), version):
            continue
        as_of = universe.provenance(name).as_of
        if as_of and not any(same_version(each, version) for each in _known(universe, name)):
            lost = f"{name}=={version} of the existing lock is not known as of {as_of}"
            yield f"{lost}, and the index was not asked; now {chosen[name].version}"
        else:
            yield f"{name}=={version} of the existing lock gave way; now {chosen[name].version}"


def _known(universe: Universe, name: str) -> Iterator[str]:
    """Every version of a project that there is, as far as its source tells."""
    for candidate in (*universe.candidates(name), *universe.held.get(name, ())):
        yield str(candidate.version)
    yield from (item.version for item in universe.rejected(name))
