"""Solve, and before a conflict is reported, solve again with today's releases."""

from __future__ import annotations

from itertools import chain

from torchlock.errors import Unasked
from torchlock.lock.preferences import solve_keeping
from torchlock.records import NamedTuple
from torchlock.solve.candidates import Unproven
from torchlock.solve.problem import GaveUp
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from torchlock.lock.model import Options
    from torchlock.solve.lines import UserRequirement
    from torchlock.solve.problem import Solution
    from torchlock.solve.source import ReleaseSource
    from torchlock.solve.universe import Universe


class Attempt(NamedTuple):
    """A universe, the user's lines in its terms, notes on them, and the solution (None: there is none)."""

    universe: Universe
    units: list[UserRequirement]
    notes: list[str]
    solution: Solution | None


def attempts(
    opened: Callable[[Unproven], tuple[Universe, list[UserRequirement], list[str]]],
    options: Options,
    source: ReleaseSource,
) -> Attempt:
    """Solve without unproven releases, and where that fails with them (see ``solve.policy``).

    ``opened`` makes a universe, in which only what is proven and asked for counts, or more. The attempt of an
    earlier lock (``options.before``) is used again, for the versions of other targets.
    """
    if options.before is not None and options.before.attempt is not None:
        from torchlock.lock.common import solve_sharing

        universe, units, notes, solution = options.before.attempt
        assert solution is not None
        return Attempt(universe, units, notes, solve_sharing(universe, units, options, solution))
    found = _attempt(opened, Unproven.ANY if options.unproven else Unproven.ASKED, options, source)
    if found.solution is None and _holds_back(found.universe):
        found = _attempt(opened, Unproven.LAST, options, source)
        if found.solution is not None:
            found.notes.append("no set of proven releases satisfies these lines, so unproven releases are used")
    return found


def _attempt(
    opened: Callable[[Unproven], tuple[Universe, list[UserRequirement], list[str]]],
    unproven: Unproven,
    options: Options,
    source: ReleaseSource,
) -> Attempt:
    while True:
        source.begin()
        universe, units, notes = opened(unproven)
        solution = solve_keeping(universe, units, options)
        if not source.renew(chain(options.upgraded, _asked_again(universe, units, solution, source))):
            return Attempt(universe, units, notes, solution)


def _asked_again(
    universe: Universe, units: Sequence[UserRequirement], solution: Solution | None, source: ReleaseSource
) -> Iterator[str]:
    """The projects for which newer data from the index could change the result."""
    yield from universe.outdated
    if solution is None and not _holds_back(universe) and source.may_renew():
        yield from _in_the_way(universe, units)


def _holds_back(universe: Universe) -> bool:
    return any(universe.held.values())


def _in_the_way(universe: Universe, units: Sequence[UserRequirement]) -> set[str]:
    """The projects because of which the lines have no solution."""
    from torchlock.solve.conflict_core import involved, minimal_conflict

    try:
        return involved(universe, minimal_conflict(universe, units))
    except GaveUp:
        return universe.met


def refuse_unasked(universe: Universe, units: Sequence[UserRequirement]) -> None:
    """Refuse to say that there is no solution if a source that matters was not asked.

    Raises:
        Unasked: such a project makes the lines impossible.
    """
    unasked = _unasked(universe)
    for name in sorted(_in_the_way(universe, units) & unasked.keys()) if unasked else ():
        raise Unasked(name, unasked[name], hint="run once without --offline")


def unasked_source_notes(universe: Universe, chosen: Collection[str]) -> Iterator[str]:
    """Notes on projects of which a source could not be asked."""
    for name, text in sorted(_unasked(universe).items()):
        what = "what other sources have is used" if name in chosen else "releases that need it were skipped"
        yield f"{text}; {what}"


def _unasked(universe: Universe) -> dict[str, str]:
    found = {name: error.message for name, error in universe.unknown.items() if isinstance(error, Unasked)}
    return found | {name: text for name in universe.met if (text := universe.provenance(name).unasked)}
