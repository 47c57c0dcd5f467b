"""Suggest the smallest changes that resolve a conflict: loosen each conflicting line in turn, and solve again."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from torchlock.errors import NotForThisTorch, TorchlockError
from torchlock.lock import Lock, dependency_of
from torchlock.records import replace
from torchlock.solve.lines import UserRequirement, anchors, demands
from torchlock.solve.pipeline import resolve
from torchlock.solve.problem import GaveUp
from torchlock.solve.unread import unread_behind
from torchlock.target import PYTHONS, PythonVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from torchlock.lock import Conflict
    from torchlock.solve.problem import Solution
    from torchlock.solve.universe import Universe

_MOST_NEIGHBOURS = 16


def suggestions_for(conflict: Conflict, conflicting: Sequence[UserRequirement]) -> list[str]:
    """Changes that resolve the conflict, as sentences: one for each line whose change alone is enough.

    Lines whose versions an override replaces are left out. If no single change is enough, all conflicting lines
    are changed together.
    """
    universe = conflict.universe
    found = list(_build(universe, conflicting))
    found += _for_this_torch(universe, conflicting)
    built = len(found)
    changeable = [
        unit
        for unit in conflicting
        if not unit.fixed and universe.overrides_on(dependency_of(unit.written).name) is None
    ]
    for unit in changeable:
        solution = _without(conflict, [unit])
        if solution is not None:
            found.append(_instead(universe, solution, [unit], conflicting))
    if len(found) == built and len(changeable) > 1:
        solution = _without(conflict, changeable)
        if solution is not None:
            found.append(_instead(universe, solution, changeable, conflicting))
    if conflict.base is None:
        found += _other_python(conflict, conflicting)
    return list(dict.fromkeys(found))


def _build(universe: Universe, conflicting: Sequence[UserRequirement]) -> Iterator[str]:
    """Suggest --build, if the lines fail because the requirements of a release could not be read."""
    unread = [item.release for item in unread_behind(universe, *demands(conflicting)) if item.release.build]
    if unread:
        names = " and ".join(dict.fromkeys(f"{item.name} {item.version}" for item in unread))
        yield f"--build, which runs the build backend of {names} to learn what it requires"


def _for_this_torch(universe: Universe, conflicting: Sequence[UserRequirement]) -> Iterator[str]:
    """How to get a package for the torch of a vendor, if no index has it."""
    for unit in conflicting:
        error = universe.unknown.get(dependency_of(unit.written).name)
        if isinstance(error, NotForThisTorch) and error.hint:
            yield error.hint


def _other_python(conflict: Conflict, conflicting: Sequence[UserRequirement]) -> Iterator[str]:
    """Suggest the nearest Python for which the lines have a solution, if wheels for this Python are missing."""
    universe = conflict.universe
    names = {dependency_of(unit.written).name for unit in conflicting}
    if not any(item.why in ("wheel", "python") for name in names for item in universe.rejected(name)):
        return
    python = universe.target.python
    for minor in sorted(PYTHONS, key=lambda minor: abs(minor - python.minor)):
        if minor == python.minor:
            continue
        other = PythonVersion.parse(f"3.{minor}{'t' if python.free_threaded else ''}")
        try:
            found = conflict.retry(replace(universe.target, python=other))
        except TorchlockError:
            continue
        if isinstance(found, Lock):
            versions = {pin.name: pin.version for pin in found.pins}
            kept = " and ".join(f"{name} {versions[name]}" for name in sorted(names) if name in versions)
            yield f"Python {other} instead of {python} ({kept}): use --python {other}"
            return


def _without(conflict: Conflict, loosened: Sequence[UserRequirement]) -> Solution | None:
    """The solution without the versions of these lines; for one pinned line, with the nearest version."""
    if len(loosened) == 1:
        for near in _near(loosened[0], conflict.universe):
            solution = _resolve(conflict, {id(loosened[0]): near})
            if solution is not None:
                return solution
    return _resolve(conflict, {id(unit): _loose(unit, conflict.universe) for unit in loosened})


def _resolve(conflict: Conflict, replaced: Mapping[int, UserRequirement]) -> Solution | None:
    universe = conflict.universe
    units = [replaced.get(id(unit), unit) for unit in conflict.units]
    try:
        return resolve(universe, *demands(units), anchors(universe, units))
    except (TorchlockError, GaveUp):  # if an index fails now, there is no suggestion
        return None


def _loose(unit: UserRequirement, universe: Universe) -> UserRequirement:
    """The line without its version; a constraint is dropped."""
    dependency = dependency_of(unit.written)._replace(specifier="")
    return unit._replace(roots=tuple(universe.require(dependency, None)) if unit.roots else (), limits=())


def _near(unit: UserRequirement, universe: Universe) -> Iterator[UserRequirement]:
    """The line with each version near its pin, nearest first; nothing for a line without a pin."""
    dependency = dependency_of(unit.written)
    pin = next((clause.version for clause in SpecifierSet(dependency.specifier) if clause.operator == "=="), None)
    if pin is None or not unit.roots:
        return
    wanted = Version(pin.removesuffix(".*").partition("+")[0])
    versions = sorted(candidate.version for candidate in universe.candidates(dependency.name))
    place = bisect_left(versions, wanted)
    by_distance = sorted(
        versions, key=lambda version: (abs(versions.index(version) - place), -versions.index(version))
    )
    for version in by_distance[:_MOST_NEIGHBOURS]:
        near = dependency._replace(specifier=f"=={version}")
        yield unit._replace(roots=tuple(universe.require(near, None)))


def _instead(
    universe: Universe,
    solution: Solution,
    loosened: Sequence[UserRequirement],
    conflicting: Sequence[UserRequirement],
) -> str:
    version = _version_in(universe, solution)
    parts = []
    for unit in loosened:
        name = dependency_of(unit.written).name
        new = f"{name}=={version(name)}" if version(name) else f"no {name}"
        if "+" in dependency_of(unit.written).specifier and "+" not in new:
            new += " (without the label)"
        parts.append(f"{new} instead of {unit.written.origin.text.strip()}")
    names = dict.fromkeys(dependency_of(unit.written).name for unit in conflicting)
    kept = [f"{name} {version(name)}" for name in names if version(name)]
    together = f" ({' works with '.join(kept)})" if len(kept) > 1 else ""

    return f"{', '.join(parts)}{together}"


def _version_in(universe: Universe, solution: Solution) -> Callable[[str], str]:
    def version(name: str) -> str:
        index = solution.get(name)
        return "" if index is None else str(universe.candidates(name)[index].version)

    return version
