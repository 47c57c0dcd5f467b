"""The job ``lock``: read what is asked for, solve it for each target, render the files."""

from __future__ import annotations

from torchlock.jobs.cell_bases import with_bases
from torchlock.jobs.cells import cells_of
from torchlock.jobs.lock_asked import Asked, Locked, LockedFile
from torchlock.jobs.lock_cell import Common, completed, open_cell
from torchlock.jobs.lock_changes import refuse_lost
from torchlock.jobs.lock_files import LockFile, with_fields
from torchlock.jobs.lock_inputs import existing_lock, inputs_of
from torchlock.jobs.lock_parts import parts_of
from torchlock.jobs.lock_rendering import rendered_one, with_kept_parts
from torchlock.jobs.lock_upgrades import refuse_unknown
from torchlock.jobs.lock_warnings import warn, warn_of_empty_lock
from torchlock.knowledge.rules import Matrix
from torchlock.lock import Conflict
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from torchlock.index.sources import Sources
    from torchlock.jobs.listener import Listener
    from torchlock.jobs.lock_runs import Runs
    from torchlock.lock.build_machine import BuildMachine


def ask(arguments: argparse.Namespace, console: Listener) -> Asked:
    """Read what is asked for, and for which targets; nothing is solved yet.

    Raises:
        TorchlockError: input that cannot be used.
    """
    parts = parts_of(arguments)
    inputs = parts[0].inputs if parts else inputs_of(arguments)
    matrix = Matrix()
    cells = with_bases(cells_of(arguments, inputs, matrix.date), arguments, console)
    if parts:
        cells = [cell._replace(part=part) for cell in cells for part in parts]
    if len(cells) == 1:
        arguments = with_fields(cells[0].arguments, cells[0])
        return Asked(arguments, Common(inputs, matrix, cells[0].base), cells, [LockFile(arguments, (0,))])
    from torchlock.jobs.lock_files import files_of

    return Asked(arguments, Common(inputs, matrix), cells, files_of(arguments, cells))


def locked(asked: Asked, console: Listener) -> Locked:
    """Solve for each target, and render the files.

    Raises:
        TorchlockError: input that cannot be used, or an index that fails.
    """
    if len(asked.cells) == 1:
        return _locked_one(asked.arguments, asked.common, console)
    from torchlock.jobs.lock_many import lock_many

    return lock_many(asked, console)


def _locked_one(arguments: argparse.Namespace, common: Common, console: Listener) -> Locked:
    """Lock for a single target."""
    existing = existing_lock(arguments)
    if not common.inputs.requirements:
        warn_of_empty_lock(arguments, console)
    runs, machine, system, choice = open_cell(arguments, common, existing, console)
    if choice is None:
        runs.advise()
        return Locked()
    run = runs.run(choice.label)
    arguments, inputs, sources, result = run
    console.clear()
    for warning in choice.warnings:
        console.say("warning", warning)
    for note in [*choice.notes, *inputs.notes]:
        console.say("note", note)
    if isinstance(result, Conflict):
        _say_conflict(result, sources, runs, machine, console)
        return Locked(conflict=result)
    result = completed(run, result, machine, choice)
    console.clear()
    for note in [*existing.changes(result.target, common.base), *result.notes, *sources.notes]:
        console.say("note", note)
    before = existing.pin_set.by_name if existing.pin_set is not None else {}
    refuse_unknown(arguments, inputs, [pin.name for pin in (*result.pins, *result.kept)], before)
    warn(arguments, result, console)
    rendered = rendered_one(result, arguments, inputs, sources, system, common.matrix)
    refuse_lost(result.moves, arguments, existing)
    return Locked((LockedFile(arguments, with_kept_parts(rendered, arguments, existing.text), existing),))


def _say_conflict(
    result: Conflict, sources: Sources, runs: Runs, machine: BuildMachine, console: Listener
) -> None:
    """Say why there is no lock, and which option may lead to one."""
    from torchlock.jobs.refusals import print_conflict

    for note in sources.notes:
        console.say("note", note)
    console.later(lambda shown: print_conflict(result, shown))
    runs.advise()
    if runs.target.accelerator == "pypi" and machine.gpus:
        console.say("hint", "--accelerator auto chooses among the builds of the PyTorch index for this GPU")
