"""The newest set that a target without a solution could have, without as few of the user's lines as possible."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torchlock.errors import TorchlockError
from torchlock.lock.inputs import dependency_of
from torchlock.solve.conflict_core import minimal_conflict
from torchlock.solve.lines import UserRequirement, anchors, demands
from torchlock.solve.pipeline import resolve
from torchlock.solve.problem import GaveUp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.lock.model import Conflict
    from torchlock.solve.problem import Solution

# The most lines that are left out.
_MOST_LEFT_OUT = 4


class NearestSet(NamedTuple):
    """A set that would work. ``without`` are lines that it leaves out, ``loose`` lines whose version it ignores.

    ``versions`` are those of the packages that the user named.
    """

    without: tuple[str, ...]
    loose: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        changed = [f"without {', '.join(self.without)}"] if self.without else []
        changed += [f"with other versions than {', '.join(self.loose)}"] if self.loose else []
        listed = ", ".join(f"{name} {version}" for name, version in self.versions)
        return f"{listed}, {' and '.join(changed)}"


def nearest_set(conflict: Conflict, conflicting: Sequence[UserRequirement]) -> NearestSet | None:
    """The set with one conflicting line loosened; else with one left out; else with several left out.

    The lines at the end are changed first: the first ones are what the user wants most. None if nothing works.
    """
    for without, loose in _changes(conflicting):
        units = [
            _loosened(conflict, unit) if any(unit is each for each in loose) else unit
            for unit in conflict.units
            if not any(unit is each for each in without)
        ]
        solution = _solved(conflict, units)
        if solution is not None:
            return _described(conflict, units, solution, without, loose)
    return _without_several(conflict)


def _without_several(conflict: Conflict) -> NearestSet | None:
    """The set without one line of each smallest conflict: the last one."""
    units, without = [*conflict.units], list[UserRequirement]()
    for _ in range(_MOST_LEFT_OUT):
        try:
            blamed = [unit for unit in minimal_conflict(conflict.universe, units) if not unit.fixed]
        except GaveUp:
            return None
        if not blamed:
            return None
        without.append(blamed[-1])
        units = [unit for unit in units if unit is not blamed[-1]]
        if not units:
            return None
        solution = _solved(conflict, units)
        if solution is not None:
            return _described(conflict, units, solution, without, ())
    return None


def _changes(
    conflicting: Sequence[UserRequirement],
) -> Iterator[tuple[Sequence[UserRequirement], Sequence[UserRequirement]]]:
    changeable = [unit for unit in conflicting if not unit.fixed]
    for unit in reversed(changeable):
        if dependency_of(unit.written).specifier:
            yield (), (unit,)
    for unit in reversed(changeable):
        yield (unit,), ()


def _loosened(conflict: Conflict, unit: UserRequirement) -> UserRequirement:
    dependency = dependency_of(unit.written)._replace(specifier="")
    roots = tuple(conflict.universe.require(dependency, None)) if unit.roots else ()
    return unit._replace(roots=roots, limits=())


def _solved(conflict: Conflict, units: Sequence[UserRequirement]) -> Solution | None:
    if not any(unit.roots for unit in units):
        return None
    universe, demanded = conflict.universe, demands(units)
    sharing = universe.sharing
    try:
        known = None if sharing is None else sharing.try_known(universe, *demanded)
        return known or resolve(universe, *demanded, anchors(universe, units))
    except (TorchlockError, GaveUp):
        return None


def _described(
    conflict: Conflict,
    units: Sequence[UserRequirement],
    solution: Solution,
    without: Sequence[UserRequirement],
    loose: Sequence[UserRequirement],
) -> NearestSet:
    names = dict.fromkeys(root.identifier.partition("[")[0] for unit in units for root in unit.roots)
    versions = [
        (name, str(conflict.universe.candidates(name)[solution[name]].version))
        for name in names
        if name in solution
    ]
    return NearestSet(_lines(without), _lines(loose), tuple(versions))


def _lines(units: Sequence[UserRequirement]) -> tuple[str, ...]:
    return tuple(unit.written.origin.text.strip().removeprefix("--upgrade-package ") for unit in units)
