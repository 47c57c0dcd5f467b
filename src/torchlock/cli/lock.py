"""``torchlock lock``: read, solve, write."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from torchlock.cli.build_machine import machine_of, on_machine
from torchlock.cli.existing_lock import ExistingLock
from torchlock.cli.exit_codes import FOUND
from torchlock.cli.lock_inputs import check_usage, inputs_of, is_pylock, options_of, pins_of_locks, refuse_output
from torchlock.cli.lock_output import hashed, write
from torchlock.cli.lock_runs import Runs, settle
from torchlock.cli.lock_upgrades import refuse_unknown
from torchlock.cli.lock_warnings import warn, warn_of_empty_lock, warn_of_unused_overrides
from torchlock.cli.named_build import take_named_build
from torchlock.cli.sources import with_indexes
from torchlock.cli.target import target_of
from torchlock.knowledge.rules import Matrix
from torchlock.lock import Conflict, with_files_of_hashes
from torchlock.lock.package_sources import settled

if TYPE_CHECKING:
    import argparse

    from torchlock.cli.streams import Console
    from torchlock.index.sources import Sources
    from torchlock.lock.build_machine import BuildMachine
    from torchlock.lock.installed_base import Base


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command and return its exit code.

    Raises:
        TorchlockError: input that cannot be used, or an index that fails.
    """
    check_usage(arguments, console)
    existing = ExistingLock(arguments.output, pylock=is_pylock(arguments))
    base = _base(arguments, console)
    target, system = target_of(arguments)
    recorded = existing.machine if arguments.accelerator == "auto" and arguments.gpu is None else None
    machine = machine_of(arguments, target, console, recorded)
    target = on_machine(target, machine)
    inputs = inputs_of(arguments)
    refuse_output(arguments, inputs)
    inputs = settled(inputs, target)
    if not inputs.requirements:
        warn_of_empty_lock(arguments, console)
    matrix = Matrix()
    target, advice = take_named_build(arguments, inputs, target, console, arguments.files)
    inputs = with_indexes(arguments, inputs, console)
    options = partial(options_of, existing)
    previous = partial(existing.previous, pins_of_locks(arguments.files))
    runs = Runs(arguments, target, inputs, options, matrix, console, base, advice, previous)
    choice = settle(runs, machine, arguments)
    if choice is None:
        runs.advise()
        return FOUND
    arguments, inputs, sources, result = runs.run(choice.label)
    console.clear()
    for warning in choice.warnings:
        console.say("warning", warning)
    for note in [*choice.notes, *inputs.notes]:
        console.say("note", note)
    if isinstance(result, Conflict):
        _print_conflict(result, sources, runs, machine, console)
        return FOUND
    result = with_files_of_hashes(hashed(result, arguments, sources), inputs)
    if sources.builds is not None:
        from torchlock.lock.build_pins import with_builds

        by_index = arguments.builds_by == "index"
        result = with_builds(result, sources.builds, str(machine), choice.held_back, by_index=by_index)
    console.clear()
    for note in [*existing.changes(arguments.accelerator, base), *result.notes, *sources.notes]:
        console.say("note", note)
    before = existing.pin_set.by_name if existing.pin_set is not None else {}
    refuse_unknown(arguments, inputs, [pin.name for pin in (*result.pins, *result.kept)], before)
    warn_of_unused_overrides(inputs, result, console)
    warn(arguments, result, console)
    return write(result, arguments, inputs, sources, system, matrix, console, existing)


def _print_conflict(
    result: Conflict, sources: Sources, runs: Runs, machine: BuildMachine, console: Console
) -> None:
    """Write why there is no lock, and which option may lead to one."""
    from torchlock.cli.refusals import print_conflict

    for note in sources.notes:
        console.say("note", note)
    print_conflict(result, console)
    runs.advise()
    if runs.target.accelerator == "pypi" and machine.gpus:
        console.say("hint", "--accelerator auto chooses among the builds of the PyTorch index for this GPU")


def _base(arguments: argparse.Namespace, console: Console) -> Base | None:
    """What is installed already, as --base-image or --constraint-from names it."""
    if arguments.base_image is None and arguments.constraint_from is None:
        return None
    from torchlock.cli.installed_base import base_of

    return base_of(arguments, console)
