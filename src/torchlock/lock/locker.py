"""The main job: from requirements to pins that load, or to the conflict that forbids them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from torchlock.errors import InputError
from torchlock.knowledge.judge import judge
from torchlock.knowledge.rules import is_virtual
from torchlock.lock.attempts import attempts, check_asked, unasked_notes
from torchlock.lock.inputs import Direct, limit_of, policy_of, units_of
from torchlock.lock.model import Conflict, Lock
from torchlock.lock.passed_over import refused_notes, unread_notes, withdrawn_notes
from torchlock.lock.pins import from_source, host_notes, idle_extras, pins_of, unproven_notes
from torchlock.lock.preferences import given_way
from torchlock.solve.candidates import Unproven
from torchlock.solve.universe import Universe
from torchlock.terms import Provenance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from torchlock.knowledge.releases import Release
    from torchlock.knowledge.rules import Matrix
    from torchlock.lock.model import Options
    from torchlock.solve.candidates import Candidate
    from torchlock.solve.conflict_core import UserRequirement
    from torchlock.solve.problem import Solution
    from torchlock.target import Target
    from torchlock.terms import Dependency, File, Inputs


def lock(
    inputs: Inputs,
    target: Target,
    options: Options,
    matrix: Matrix,
    releases: Callable[[str], Sequence[Release]],
    metadata: Callable[[File], str] | None = None,
    at_hand: Callable[[str], bool] = lambda name: True,
    renew: Callable[[Iterable[str]], bool] = lambda names: False,
    provenance: Callable[[str], Provenance] = lambda name: Provenance(),
) -> Lock | Conflict:
    """Resolve the requirements for the target.

    ``releases`` answers a normalised name with its releases, oldest first, or raises UnknownPackage;
    ``metadata`` a file named by address with its METADATA text, or raises a TorchlockError; ``at_hand`` tells
    whether ``releases`` answers without asking an index. ``renew`` asks the index for projects that are known
    from a snapshot and tells whether it has anything new; it is called before anything is refused, and looks
    into the names only if the index may be asked.
    ``provenance`` tells where the releases of a project are known from.

    Raises:
        InputError: the project itself does not run on the target's Python, or a line cannot be used.
        UnknownPackage: no source holds a package that the user names.
        NetworkError: an index failed.
    """
    _check_python(inputs, target)
    overrides = _overrides(inputs)
    direct = Direct(inputs.requirements, target, metadata)

    def near(name: str) -> bool:
        return direct.has(name) or at_hand(name)

    def opened(unproven: Unproven) -> tuple[Universe, list[UserRequirement], list[str]]:
        policy = replace(policy_of(inputs, options), unproven=unproven)
        universe = Universe(target, matrix, direct.before(releases), policy, overrides, near, provenance)
        units, notes = units_of(inputs, direct, universe, overrides)
        _check_names(units, universe)
        return universe, units, notes

    universe, units, notes, solution = attempts(opened, options, renew)
    if solution is None:
        check_asked(universe, units)

        def elsewhere(other: Target) -> Lock | Conflict:
            return lock(inputs, other, options, matrix, releases, metadata, at_hand, renew, provenance)

        return Conflict(universe, tuple(units), elsewhere, tuple(inputs.overrides))
    chosen = _chosen(universe, solution)
    if wrong := judge(chosen, target, matrix, overrides):
        raise AssertionError(f"the judge rejects what the solver chose: {'; '.join(wrong)}")
    notes += given_way(universe, options.preferred, chosen)
    notes += _notes(universe, units, solution, chosen)
    pins = (*pins_of(universe, solution, chosen, units, direct), *direct.unnamed_pins())
    return Lock(target, pins, tuple(host_notes(universe, chosen)), tuple(notes), universe.visited)


def _chosen(universe: Universe, solution: Solution) -> dict[str, Candidate]:
    """The candidate of each project in a solution."""
    return {
        name: universe.candidates(name)[index]
        for name, index in solution.items()
        if "[" not in name and not is_virtual(name)
    }


def _notes(
    universe: Universe, units: Sequence[UserRequirement], solution: Solution, chosen: Mapping[str, Candidate]
) -> Iterator[str]:
    """What the user should know of the releases that were chosen, and of those that were not."""
    yield from refused_notes(universe, chosen, units)
    yield from unread_notes(universe, units, solution)
    yield from withdrawn_notes(chosen)
    yield from unproven_notes(universe, chosen, units)
    yield from unasked_notes(universe, chosen)
    yield from idle_extras(units, chosen)
    yield from from_source(chosen, universe.target)


def _check_python(inputs: Inputs, target: Target) -> None:
    if inputs.requires_python is None:
        return
    specifier, (path, line, _) = inputs.requires_python
    if not specifier.contains(target.python.full, prereleases=True):
        raise InputError(
            f"this project requires Python {specifier}, the target is {target.python.full}",
            path=path,
            line=line,
            hint="choose the target's Python with --python",
        )


def _overrides(inputs: Inputs) -> dict[str, list[Dependency]]:
    overrides: dict[str, list[Dependency]] = {}
    for written in inputs.overrides:
        dependency = limit_of(written)
        overrides.setdefault(dependency.name, []).append(dependency)
    return overrides


def _check_names(units: Sequence[UserRequirement], universe: Universe) -> None:
    """A package that the user names and nobody has is a mistake to be told, not a conflict to be explained."""
    for unit in units:
        for root in unit.roots:
            error = universe.unknown.get(root.identifier)
            if error is not None:
                message = f"{unit.written.origin}: {error.message}"
                raise type(error)(error.name, message, hint=error.hint)
