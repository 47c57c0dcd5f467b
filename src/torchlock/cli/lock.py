"""``torchlock lock``: read, solve, write."""

from __future__ import annotations

from torchlock.cli.cell_bases import with_bases
from torchlock.cli.cells import cells_of
from torchlock.cli.exit_codes import FOUND
from torchlock.cli.lock_cell import Common, completed, open_cell
from torchlock.cli.lock_files import with_fields
from torchlock.cli.lock_inputs import check_usage, existing_lock, inputs_of, refuse_output
from torchlock.cli.lock_output import with_wheelhouse, write_one
from torchlock.cli.lock_upgrades import refuse_unknown
from torchlock.cli.lock_warnings import warn, warn_of_empty_lock
from torchlock.knowledge.rules import Matrix
from torchlock.lock import Conflict
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from torchlock.cli.lock_runs import Runs
    from torchlock.cli.streams import Console
    from torchlock.index.sources import Sources
    from torchlock.lock.build_machine import BuildMachine


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command and return its exit code.

    Raises:
        TorchlockError: input that cannot be used, or an index that fails.
    """
    check_usage(arguments, console)
    inputs = inputs_of(arguments)
    matrix = Matrix()
    cells = with_bases(cells_of(arguments, inputs, matrix.date), arguments, console)
    if len(cells) == 1:
        arguments = with_fields(cells[0].arguments, cells[0])
        return _lock_one(arguments, Common(inputs, matrix, cells[0].base), console)
    from torchlock.cli.lock_many import lock_many

    return lock_many(arguments, cells, Common(inputs, matrix), console)


def _lock_one(arguments: argparse.Namespace, common: Common, console: Console) -> int:
    """Lock for a single target."""
    existing = existing_lock(arguments)
    refuse_output(arguments, common.inputs)
    if not common.inputs.requirements:
        warn_of_empty_lock(arguments, console)
    runs, machine, system, choice = open_cell(arguments, common, existing, console)
    if choice is None:
        runs.advise()
        return FOUND
    run = runs.run(choice.label)
    arguments, inputs, sources, result = run
    console.clear()
    for warning in choice.warnings:
        console.say("warning", warning)
    for note in [*choice.notes, *inputs.notes]:
        console.say("note", note)
    if isinstance(result, Conflict):
        _print_conflict(result, sources, runs, machine, console)
        return FOUND
    result = completed(run, result, machine, choice)
    console.clear()
    for note in [*existing.changes(result.target, common.base), *result.notes, *sources.notes]:
        console.say("note", note)
    before = existing.pin_set.by_name if existing.pin_set is not None else {}
    refuse_unknown(arguments, inputs, [pin.name for pin in (*result.pins, *result.kept)], before)
    warn(arguments, result, console)
    code = write_one(result, arguments, inputs, sources, system, common.matrix, console, existing)
    return with_wheelhouse(code, [arguments.output or ""], arguments, console)


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
