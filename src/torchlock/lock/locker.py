"""The main job: resolve requirements into pins that load, or return the conflict."""

from __future__ import annotations

from torchlock.errors import NotForThisTorch, WrongTarget
from torchlock.knowledge.judge import judge
from torchlock.knowledge.rules import is_virtual
from torchlock.lock.attempts import attempts, refuse_unasked, unasked_source_notes
from torchlock.lock.inputs import DirectRequirements, constraint_of, policy_of, user_requirements
from torchlock.lock.model import Conflict, Lock
from torchlock.lock.passed_over import refusal_notes, unread_notes, yanked_notes
from torchlock.lock.pins import (
    host_notes,
    pins_of,
    sdist_notes,
    unhashed_notes,
    unproven_notes,
    unused_extra_notes,
    unused_override_notes,
)
from torchlock.records import replace
from torchlock.solve.candidates import Unproven
from torchlock.solve.universe import Universe
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torchlock.knowledge.rules import Matrix
    from torchlock.lock.attempts import Attempt
    from torchlock.lock.model import Move, Options, Pin
    from torchlock.solve.candidates import Candidate, Unproven
    from torchlock.solve.lines import UserRequirement
    from torchlock.solve.problem import Solution
    from torchlock.solve.source import ReleaseSource
    from torchlock.standards.dependency import Dependency
    from torchlock.target import Target
    from torchlock.terms import Inputs


def lock(
    inputs: Inputs, target: Target, options: Options, matrix: Matrix, source: ReleaseSource
) -> Lock | Conflict:
    """Resolve the requirements for the target.

    Raises:
        InputError: the project itself does not run on the target's Python, or a line cannot be used.
        UnknownPackage: no source has a package that the user names.
        NetworkError: an index failed.
    """
    _check_python(inputs, target)
    job = _Job(inputs, target, options, matrix, source)
    attempt = attempts(job.open, options, source)
    before = options.before
    if before is not None and before.attempt is not None and before.attempt.solution == attempt.solution:
        return before
    return job.conflict(attempt) if attempt.solution is None else job.lock(attempt, attempt.solution)


class _Job:
    """One call of ``lock``: its arguments, and what is made of them once."""

    def __init__(
        self, inputs: Inputs, target: Target, options: Options, matrix: Matrix, source: ReleaseSource
    ) -> None:
        self._inputs = inputs
        self._target = target
        self._options = options
        self._matrix = matrix
        self._source = source
        self._overrides = _overrides(inputs)
        self._base = options.base
        kept = source if self._base is None else self._base.kept_in(source, target)
        self._direct = DirectRequirements(inputs.requirements, target, kept)
        if self._base is not None:
            self._base.refuse_replaced(self._direct)

    def open(self, unproven: Unproven) -> tuple[Universe, list[UserRequirement], list[str]]:
        """A new universe, the user's lines in its words, and notes on them."""
        policy = replace(policy_of(self._inputs, self._options), unproven=unproven)
        sharing = self._options.sharing
        universe = Universe(self._target, self._matrix, self._direct.source, policy, self._overrides, sharing)
        units, notes = user_requirements(self._inputs, self._direct, universe)
        _check_names(units, universe)
        if self._base is not None:
            units += self._base.limits(universe, self._direct.source)
        return universe, units, notes

    def conflict(self, attempt: Attempt) -> Conflict:
        """What an attempt without a solution comes from.

        Raises:
            Unasked: a source that may have the solution was not asked.
        """
        refuse_unasked(attempt.universe, attempt.units)

        def retry(other: Target) -> Lock | Conflict:
            return lock(self._inputs, other, self._options, self._matrix, self._source)

        return Conflict(attempt.universe, tuple(attempt.units), retry, tuple(self._inputs.overrides), self._base)

    def lock(self, attempt: Attempt, solution: Solution) -> Lock:
        """The lock of a solution, after the judge has looked at it."""
        universe, units, notes, _ = attempt
        chosen = _chosen(universe, solution)
        if wrong := judge(chosen, self._target, self._matrix, self._overrides):
            raise AssertionError(f"the judge rejects what the solver chose: {'; '.join(wrong)}")
        pins = pins_of(universe, solution, chosen, units, self._direct)
        new = {name: candidate for name, candidate in chosen.items() if not candidate.kept}
        written = tuple(pin for pin in pins if pin.name in new)
        if self._base is not None:
            self._base.refuse_unknown(written)
        return Lock(
            self._target,
            (*written, *self._direct.unnamed_pins()),
            tuple(host_notes(universe, chosen)),
            (
                *notes,
                *_notes(universe, units, solution, chosen),
                *unused_override_notes(self._inputs, universe, chosen),
                *(self._base.replaced_notes(self._target, written) if self._base is not None else ()),
            ),
            universe.visited,
            base=self._base,
            kept=tuple(pin for pin in pins if pin.name not in new),
            moves=self._moves(attempt, solution, chosen, pins),
            attempt=None if self._options.sharing is None else attempt,
        )

    def _moves(
        self, attempt: Attempt, solution: Solution, chosen: Mapping[str, Candidate], pins: Sequence[Pin]
    ) -> tuple[Move, ...]:
        """Why the lock differs from the one before it; computed only if there is one."""
        if self._options.previous is None:
            return ()
        from torchlock.lock.moves import moves_of

        lines = self._inputs.requirements
        found = moves_of(attempt.universe, attempt.units, self._options, solution, chosen, pins, lines)
        return tuple(found)


def _chosen(universe: Universe, solution: Solution) -> dict[str, Candidate]:
    """The chosen candidate of each project."""
    return {
        name: universe.candidates(name)[index]
        for name, index in solution.items()
        if "[" not in name and not is_virtual(name)
    }


def _notes(
    universe: Universe, units: Sequence[UserRequirement], solution: Solution, chosen: Mapping[str, Candidate]
) -> Iterator[str]:
    """Notes on the releases that were chosen, and on those that were left out."""
    yield from refusal_notes(universe, chosen, units)
    yield from unread_notes(universe, units, solution)
    yield from yanked_notes(chosen)
    yield from unproven_notes(universe, chosen, units)
    yield from unhashed_notes(universe, chosen, units)
    yield from unasked_source_notes(universe, chosen)
    yield from unused_extra_notes(units, chosen)
    yield from sdist_notes(chosen, universe.target)


def _check_python(inputs: Inputs, target: Target) -> None:
    if inputs.requires_python is None:
        return
    specifier, (path, line, _) = inputs.requires_python
    if not specifier.contains(target.python.full, prereleases=True):
        raise WrongTarget(
            f"this project requires Python {specifier}, and the target has {target.python.full}",
            path=path,
            line=line,
            hint="choose another Python with --python",
        )


def _overrides(inputs: Inputs) -> dict[str, list[Dependency]]:
    overrides: dict[str, list[Dependency]] = {}
    for written in inputs.overrides:
        dependency = constraint_of(written)
        overrides.setdefault(dependency.name, []).append(dependency)
    return overrides


def _check_names(units: Sequence[UserRequirement], universe: Universe) -> None:
    """Refuse a package that the user names and no source has: it is an input error, not a conflict."""
    for unit in units:
        for root in unit.roots:
            error = universe.unknown.get(root.identifier)
            if error is not None and not isinstance(error, NotForThisTorch):
                from torchlock.knowledge.known_names import package_meant

                near = package_meant(error.name)
                message = f"{unit.written.origin}: {error.message}{near}"
                raise type(error)(error.name, message, hint=error.hint)
