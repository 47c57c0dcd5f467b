"""Lock for the build that the command line names, or for the one that ``--accelerator auto`` chooses."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from torchlock.cli.sources import open_sources, root_of_builds
from torchlock.errors import InputError
from torchlock.lock import Conflict, Lock, lock
from torchlock.lock.build_inputs import for_build
from torchlock.redaction import masked, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from torchlock.cli.streams import Console
    from torchlock.index.sources import Sources
    from torchlock.knowledge.rules import Matrix
    from torchlock.lock import Options
    from torchlock.lock.build_choice import Choice, Refusal, Verdict
    from torchlock.lock.build_machine import BuildMachine
    from torchlock.lock.installed_base import Base
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
    torch stays, so its build is not one among others.
    """

    def __init__(
        self,
        arguments: argparse.Namespace,
        target: Target,
        inputs: Inputs,
        options_of: Callable[[argparse.Namespace], Options],
        matrix: Matrix,
        console: Console,
        base: Base | None = None,
    ) -> None:
        self.target = target
        self.base = base
        self._arguments = arguments
        self._inputs = inputs
        self._options_of = options_of
        self._matrix = matrix
        self._console = console
        self._runs: dict[str, Run] = {}

    def run(self, label: str) -> Run:
        """Lock for one build, once.

        Raises:
            TorchlockError: input that cannot be used, or an index that fails.
        """
        if label not in self._runs:
            arguments = argparse.Namespace(**{**vars(self._arguments), "accelerator": label})
            target = replace(self.target, accelerator=label)
            inputs = self._fitted(self._inputs, target, arguments)
            if self.has_others(label):
                self._console.progress(f"lock for {label}")
            sources = open_sources(arguments, inputs, self._console)
            result = self._locked(inputs, target, arguments, sources)
            self._runs[label] = Run(arguments, inputs, sources, result)
        return self._runs[label]

    def solve(self, label: str, inputs: Inputs) -> Lock | Conflict:
        """Lock other inputs for a build, with the sources that are open for it."""
        run, target = self.run(label), replace(self.target, accelerator=label)
        return self._locked(self._fitted(inputs, target, run.arguments), target, run.arguments, run.sources)

    def has_others(self, accelerator: str) -> bool:
        """Whether others may be taken in place of a build: not of the public builds, and not of those for CPU."""
        fixed = self.base is not None and "torch" in self.base.packages
        return accelerator not in ("pypi", "cpu") and not fixed

    def decide(self, machine: BuildMachine, depth: int) -> Choice | Refusal:
        """The lock for the build of the target, or for the one that ``auto`` chooses; or a refusal."""
        from torchlock.knowledge.builds import build_table
        from torchlock.lock.build_choice import Question, choose, judge_label

        question = Question(
            self.target,
            machine,
            _members(self._inputs),
            build_table(),
            lambda label: self.run(label).result,
            _steps,
            _unread,
            depth,
        )
        label = self.target.accelerator
        found = choose(question) if label == "auto" else judge_label(label, question)
        self._console.clear()
        return found

    def _locked(
        self, inputs: Inputs, target: Target, arguments: argparse.Namespace, sources: Sources
    ) -> Lock | Conflict:
        options = self._options_of(arguments)._replace(base=self.base)
        return lock(inputs, target, options, self._matrix, sources)

    def _fitted(self, inputs: Inputs, target: Target, arguments: argparse.Namespace) -> Inputs:
        """The inputs for the build of the target; a refusal says what is installed already.

        Raises:
            InputError: a line asks for another build.
        """
        base = self.base
        try:
            return for_build(inputs, target, root_of_builds(arguments))
        except InputError as error:
            if base is not None and base.build == target.accelerator:
                kept = ", ".join(map(str, base.family))
                error.hint = f"the build is that of {base.title}, which has {kept}; they are not replaced"
            raise


def settle(runs: Runs, machine: BuildMachine, arguments: argparse.Namespace, console: Console) -> Settled | None:
    """The build to lock for; None if there is none, after the reasons were written to standard error.

    With --verbose, the frontier is written, too.
    """
    label = runs.target.accelerator
    if not runs.has_others(label):
        return Settled(label, warnings=() if label == "cpu" else _unsupported(machine))
    from torchlock.cli.refusals import print_frontier, print_refusal
    from torchlock.lock.build_choice import NEEDED, TABLES, Refusal

    found = runs.decide(machine, TABLES if arguments.verbose else NEEDED)
    if isinstance(found, Refusal):
        print_refusal(found, arguments.argv, console, verbose=arguments.verbose)
        return None
    if arguments.verbose:
        print_frontier(found.frontier, console)
    held_back = tuple(frontier_lines(found.held_back))
    return Settled(found.label, tuple(machine_notes(found, machine, runs.target)), held_back)


def _unsupported(machine: BuildMachine) -> tuple[str, ...]:
    """The GPUs that the driver does not support, with whichever build."""
    if not machine.driver or not machine.gpus:
        return ()
    from torchlock.knowledge.drivers import driver_refuses

    return tuple(filter(None, (driver_refuses(gpu, machine.driver) for gpu in machine.gpus)))


def frontier_lines(frontier: Iterable[Verdict]) -> list[str]:
    """The frontier for a report: a line for each build, or for several with the same reason."""
    from itertools import groupby

    groups = groupby(frontier, lambda verdict: verdict.because)
    lines = [f"{', '.join(verdict.label for verdict in group)}: {because}" for because, group in groups]
    return [one_line(masked(line)) for line in lines]


def command_for(argv: Sequence[str], label: str) -> str:
    """The command line with another build."""
    words: list[str] = []
    skip = False
    for word in argv:
        if not skip and word.partition("=")[0] != "--accelerator":
            words.append(word)
        skip = word == "--accelerator" and not skip
    return masked(one_line(shlex.join(["torchlock", *words, "--accelerator", label])))


def machine_notes(choice: Choice, machine: BuildMachine, target: Target) -> list[str]:
    """What to know about the build that ``auto`` took."""
    from torchlock.answers import Unknown
    from torchlock.knowledge.drivers import driver_floor

    notes = [f"--accelerator auto chooses {choice.label}"] if target.accelerator == "auto" else []
    if choice.doubt:
        notes.append(f"it is unknown whether {choice.label} works on this machine: {choice.doubt}")
    if "nvidia" in machine.vendors and not machine.driver and choice.label != "cpu":
        floor = driver_floor(choice.label, target.platform.system)
        if not isinstance(floor, Unknown):
            notes.append(
                f"{choice.label} needs an NVIDIA driver {floor} or newer; state the driver of the machine with "
                "--system-lib cuda-driver=VERSION"
            )
    return notes


def _members(inputs: Inputs) -> tuple[str, ...]:
    """The members of the torch family that are requested."""
    from torchlock.knowledge.stack import FAMILY
    from torchlock.standards.names import normalise

    names = [normalise(written.requirement.name) for written in inputs.requirements if written.requirement]
    return tuple(dict.fromkeys(name for name in names if name in FAMILY))


def _steps(conflict: Conflict) -> list[str]:
    from torchlock.lock.explain import explain

    return explain(conflict).steps


def _unread(conflict: Conflict) -> bool:
    """Whether the requirements of some release of the torch family could not be read."""
    from torchlock.knowledge.stack import FAMILY

    return any(name in FAMILY for name, _ in conflict.universe.unreadable)
