"""Lock the same inputs for one build, or for several of which one is taken."""

from __future__ import annotations

import argparse

from torchlock.errors import InputError, NetworkError, UnknownPackage
from torchlock.jobs.sources import open_sources, root_of_builds
from torchlock.lock import Conflict, Lock, lock
from torchlock.records import NamedTuple, replace
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torchlock.index.sources import Sources
    from torchlock.jobs.listener import Listener
    from torchlock.knowledge.rules import Matrix
    from torchlock.lock import Options
    from torchlock.lock.build_machine import BuildMachine
    from torchlock.lock.installed_base import Base
    from torchlock.lock.model import Previous
    from torchlock.target import Target
    from torchlock.terms import Inputs


class Run(NamedTuple):
    """What locking for one build gave. ``arguments`` name this build."""

    arguments: argparse.Namespace
    inputs: Inputs
    sources: Sources
    result: Lock | Conflict


class Settled(NamedTuple):
    """The build to lock for, what to say about it, and the newer builds that the machine forbids."""

    label: str
    notes: tuple[str, ...] = ()
    held_back: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Runs:
    """Locks the same inputs for one build after another.

    ``options_of`` returns the options for the arguments of one build. ``base`` is what is installed already: its
    torch stays, so its build is not one among others. ``advice`` is what to do if there is no lock. ``previous``
    returns the lock that a new one for a target replaces. ``opened`` opens the sources of one build.
    """

    def __init__(
        self,
        arguments: argparse.Namespace,
        target: Target,
        inputs: Inputs,
        options_of: Callable[[argparse.Namespace], Options],
        matrix: Matrix,
        console: Listener,
        base: Base | None = None,
        advice: str = "",
        previous: Callable[[Target], Previous | None] | None = None,
        opened: Callable[[argparse.Namespace, Inputs, Listener], Sources] = open_sources,
    ) -> None:
        self.target = target
        self.inputs = inputs
        self.console = console
        self._arguments = arguments
        self._options_of = options_of
        self._matrix = matrix
        self._base = base
        self._advice = advice
        self._previous = previous
        self._opened = opened
        self._runs: dict[str, Run] = {}

    def run(self, label: str) -> Run:
        """Lock for one build, once.

        Raises:
            TorchlockError: input that cannot be used, or an index that fails.
        """
        if label not in self._runs:
            arguments = argparse.Namespace(**{**vars(self._arguments), "accelerator": label})
            target = replace(self.target, accelerator=label)
            inputs = self._fitted(self.inputs, target, arguments)
            if self.has_others(label):
                self.console.progress(f"lock for {label}")
            sources = self._opened(arguments, inputs, self.console)
            try:
                result = self._locked(inputs, target, arguments, sources)
            except (NetworkError, UnknownPackage) as error:
                if label == "pypi" and self._advice:
                    error.hint = f"{error.hint}; or {self._advice}" if error.hint else self._advice
                raise
            self._runs[label] = Run(arguments, inputs, sources, result)
            if observe := getattr(arguments, "observe", None):  # torchlock upgrade
                observe(result)
        return self._runs[label]

    def again(self, label: str, shared: Sequence[Mapping[str, str]]) -> Lock | Conflict:
        """Lock again for a build, with the first of some sets of versions that works."""
        run, target = self.run(label), replace(self.target, accelerator=label)
        before = run.result if isinstance(run.result, Lock) else None
        options = self._options(run.arguments, target)._replace(shared=shared, before=before)
        return lock(run.inputs, target, options, self._matrix, run.sources)

    def source_notes(self) -> list[str]:
        """What all sources have to say, like an index that could not be asked."""
        return list(dict.fromkeys(note for run in self._runs.values() for note in run.sources.notes))

    def advise(self) -> None:
        """Write what to do if there is no lock."""
        if self._advice:
            self.console.say("hint", self._advice)

    def solve(self, label: str, inputs: Inputs) -> Lock | Conflict:
        """Lock other inputs for a build, with the sources that are open for it."""
        run, target = self.run(label), replace(self.target, accelerator=label)
        return self._locked(self._fitted(inputs, target, run.arguments), target, run.arguments, run.sources)

    def has_others(self, accelerator: str) -> bool:
        """Whether others may be taken instead of a build: not of the public builds, and not of those for CPU."""
        fixed = self._base is not None and "torch" in self._base.packages
        return accelerator not in ("pypi", "cpu") and not fixed

    def _locked(
        self, inputs: Inputs, target: Target, arguments: argparse.Namespace, sources: Sources
    ) -> Lock | Conflict:
        return lock(inputs, target, self._options(arguments, target), self._matrix, sources)

    def _options(self, arguments: argparse.Namespace, target: Target) -> Options:
        previous = None if self._previous is None else self._previous(target)
        return self._options_of(arguments)._replace(base=self._base, previous=previous)

    def _fitted(self, inputs: Inputs, target: Target, arguments: argparse.Namespace) -> Inputs:
        """The inputs for the build of the target; a refusal says what is installed already.

        Raises:
            InputError: a line asks for another build.
        """
        if target.accelerator == "pypi":
            return inputs
        from torchlock.lock.build_inputs import for_build

        base = self._base
        try:
            return for_build(inputs, target, root_of_builds(arguments))
        except InputError as error:
            if base is not None and base.build == target.accelerator:
                kept = ", ".join(map(str, base.family))
                error.hint = f"the lock uses the build of {base.title}, which has {kept}; they are not replaced"
            raise


def settle(runs: Runs, machine: BuildMachine, arguments: argparse.Namespace) -> Settled | None:
    """The build to lock for; None if there is none, after the reasons were written to standard error.

    With --verbose, the frontier is written, too.
    """
    label = runs.target.accelerator
    if not runs.has_others(label) and not machine.gpus:
        return Settled(label)
    from torchlock.jobs.build_choice import settle_build

    return settle_build(runs, machine, arguments)
