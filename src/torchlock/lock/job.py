"""The main job: from requirements to pins that load, or to the conflict that forbids them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from torchlock.errors import InputError, Unasked
from torchlock.judge import judge
from torchlock.lock.keep import given_way, solve_keeping
from torchlock.lock.lines import Direct, dependency_of, policy_of, units_of
from torchlock.lock.pins import host_notes, pins_of, unproven_notes
from torchlock.lock.results import Conflict, Lock
from torchlock.matrix import is_virtual
from torchlock.solve.candidates import Unproven
from torchlock.solve.core import guilty, involved
from torchlock.solve.problem import GaveUp
from torchlock.solve.universe import Universe
from torchlock.words import Provenance

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from torchlock.lock.results import Options
    from torchlock.matrix import Matrix
    from torchlock.solve.candidates import Release
    from torchlock.solve.core import Unit
    from torchlock.solve.problem import Solution
    from torchlock.target import Target
    from torchlock.words import Dependency, File, Inputs


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

    def attempt(unproven: Unproven) -> tuple[Universe, list[Unit], list[str], Solution | None]:
        """Solve, and solve again as long as the index has something new of what stands in the way."""
        policy = replace(policy_of(inputs, options), unproven=unproven)
        while True:
            universe = Universe(target, matrix, direct.before(releases), policy, overrides, near, provenance)
            units, notes = units_of(inputs, direct, universe, overrides)
            _check_names(units, universe)
            solution = solve_keeping(universe, units, options)
            if not renew(_asked_again(universe, units, solution)):
                return universe, units, notes, solution

    universe, units, notes, solution = attempt(Unproven.ANY if options.unproven else Unproven.ASKED)
    if solution is None and any(universe.held.values()):
        universe, units, notes, solution = attempt(Unproven.LAST)
    if solution is None:
        _check_asked(universe, units)

        def elsewhere(other: Target) -> Lock | Conflict:
            return lock(inputs, other, options, matrix, releases, metadata, at_hand, renew, provenance)

        return Conflict(universe, tuple(units), elsewhere, tuple(inputs.overrides))
    chosen = {
        name: universe.candidates(name)[index]
        for name, index in solution.items()
        if "[" not in name and not is_virtual(name)
    }
    if wrong := judge(chosen, target, matrix, overrides):
        raise AssertionError(f"the judge rejects what the solver chose: {'; '.join(wrong)}")
    notes += given_way(options.preferred, chosen)
    notes += unproven_notes(universe, chosen, units)
    notes += _unasked_notes(universe, chosen)
    pins = (*pins_of(universe, solution, chosen, units, direct), *direct.unnamed_pins())
    return Lock(target, pins, tuple(host_notes(universe, chosen)), tuple(notes), universe.visited)


def _check_asked(universe: Universe, units: Sequence[Unit]) -> None:
    """What may not be asked for does not fail to exist: nobody knows whether there is a solution.

    Raises:
        Unasked: the lines are impossible by such a project.
    """
    unasked = _unasked(universe)
    for name in sorted(_in_the_way(universe, units) & unasked.keys()) if unasked else ():
        raise Unasked(name, unasked[name], hint="run once without --offline")


def _unasked(universe: Universe) -> dict[str, str]:
    """What is to be said of each project of which a source could not be asked."""
    found = {name: error.message for name, error in universe.unknown.items() if isinstance(error, Unasked)}
    return found | {name: text for name in universe.met if (text := universe.provenance(name).unasked)}


def _unasked_notes(universe: Universe, chosen: Collection[str]) -> Iterator[str]:
    for name, text in sorted(_unasked(universe).items()):
        what = "what else was found is used" if name in chosen else "releases that need it were passed over"
        yield f"{text}; {what}"


def _asked_again(universe: Universe, units: Sequence[Unit], solution: Solution | None) -> Iterator[str]:
    """The projects on which a later answer of the index could change the result."""
    yield from universe.outdated
    if solution is None:
        yield from _in_the_way(universe, units)


def _in_the_way(universe: Universe, units: Sequence[Unit]) -> set[str]:
    """The projects that an impossible list of lines is impossible by."""
    try:
        return involved(universe, guilty(universe, units))
    except GaveUp:
        return universe.met


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
        dependency = dependency_of(written)
        overrides.setdefault(dependency.name, []).append(dependency)
    return overrides


def _check_names(units: Sequence[Unit], universe: Universe) -> None:
    """A package that the user names and nobody has is a mistake to be told, not a conflict to be explained."""
    for unit in units:
        for root in unit.roots:
            error = universe.unknown.get(root.identifier)
            if error is not None:
                message = f"{unit.written.origin}: {error.message}"
                raise type(error)(error.name, message, hint=error.hint)
