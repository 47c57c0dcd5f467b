"""Lock for the build that the command line names, or for the one that ``--accelerator auto`` chooses."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING

from torchlock.jobs.lock_runs import Settled
from torchlock.lock import Conflict
from torchlock.redaction import masked, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torchlock.jobs.lock_runs import Runs
    from torchlock.lock.build_choice import Choice, Refusal, Verdict
    from torchlock.lock.build_machine import BuildMachine
    from torchlock.target import Target
    from torchlock.terms import Inputs


def decide(runs: Runs, machine: BuildMachine, depth: int) -> Choice | Refusal:
    """The lock for the build of the target, or for the one that ``auto`` chooses; or a refusal.

    Raises:
        TorchlockError: input that cannot be used, or an index that fails.
    """
    from torchlock.knowledge.builds import build_table
    from torchlock.lock.build_choice import Question, choose, judge_label
    from torchlock.lock.build_inputs import refuse_mixed

    label = runs.target.accelerator
    if label == "auto":
        refuse_mixed(runs.inputs)
    question = Question(
        runs.target,
        machine,
        _members(runs.inputs),
        build_table(),
        lambda label: runs.run(label).result,
        _steps,
        _unread,
        depth,
    )
    found = choose(question) if label == "auto" else judge_label(label, question)
    runs.console.clear()
    return found


def settle_build(runs: Runs, machine: BuildMachine, arguments: argparse.Namespace) -> Settled | None:
    """``settle`` for a build of the PyTorch index."""
    label = runs.target.accelerator
    if not runs.has_others(label):
        return Settled(label, warnings=() if label == "cpu" else _refused_gpus(machine))
    from torchlock.jobs.refusals import print_frontier, print_refusal
    from torchlock.lock.build_choice import NEEDED, TABLES, Refusal

    found = decide(runs, machine, TABLES if arguments.verbose else NEEDED)
    if isinstance(found, Refusal):
        for note in runs.source_notes():
            runs.console.say("note", note)
        runs.console.later(lambda shown: print_refusal(found, arguments.argv, shown))
        return None
    if arguments.verbose:
        print_frontier(found.frontier, runs.console)
    held_back = tuple(frontier_lines(found.held_back))
    return Settled(found.label, tuple(machine_notes(found, machine, runs.target)), held_back)


def _refused_gpus(machine: BuildMachine) -> tuple[str, ...]:
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

    return explain(conflict, brief=True).reasons


def _unread(conflict: Conflict) -> bool:
    """Whether the requirements of some release of the torch family could not be read."""
    from torchlock.knowledge.stack import FAMILY

    return any(name in FAMILY for name, _ in conflict.universe.unreadable)
