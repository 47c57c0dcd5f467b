"""One target of ``torchlock lock``: from its options to a lock or a conflict."""

from __future__ import annotations

from functools import partial

from torchlock.jobs.build_machine import machine_of, on_machine
from torchlock.jobs.lock_inputs import options_of, pins_of_locks
from torchlock.jobs.lock_rendering import hashed
from torchlock.jobs.lock_runs import Runs, Settled, settle
from torchlock.jobs.named_build import take_named_build
from torchlock.jobs.sources import open_sources, with_indexes
from torchlock.jobs.target import target_of
from torchlock.lock import with_files_of_hashes
from torchlock.lock.package_sources import settled
from torchlock.records import NamedTuple
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from torchlock.index.sources import Sources
    from torchlock.jobs.existing_lock import ExistingLock
    from torchlock.jobs.listener import Listener
    from torchlock.jobs.lock_runs import Run
    from torchlock.knowledge.rules import Matrix
    from torchlock.knowledge.systems import System
    from torchlock.lock import Lock
    from torchlock.lock.build_machine import BuildMachine
    from torchlock.lock.installed_base import Base
    from torchlock.solve.sharing import Sharing
    from torchlock.terms import Inputs

    Open = Callable[[argparse.Namespace, Inputs, Listener], Sources]


class Common(NamedTuple):
    """What all targets of one run have in common. ``sharing`` is None for a single target."""

    inputs: Inputs
    matrix: Matrix
    base: Base | None = None
    sharing: Sharing | None = None
    open_sources: Open = open_sources


class OpenedCell(NamedTuple):
    """A target that can be locked. ``choice`` is None if there is no build for it; the reasons were written."""

    runs: Runs
    machine: BuildMachine
    system: System | None
    choice: Settled | None


def open_cell(
    arguments: argparse.Namespace, common: Common, existing: ExistingLock, console: Listener
) -> OpenedCell:
    """Settle the build for one target; with a build to choose, the target is locked for it already.

    Raises:
        TorchlockError: input that cannot be used, or an index that fails.
    """
    target, system = target_of(arguments)
    recorded = existing.machine if arguments.accelerator == "auto" and arguments.gpu is None else None
    machine = machine_of(arguments, target, console, recorded)
    target = on_machine(target, machine)
    inputs = settled(common.inputs, target)
    target, advice = take_named_build(arguments, inputs, target, console, arguments.files)
    inputs = with_indexes(arguments, inputs, console)
    existing = existing if arguments.upgrade else existing.on(target)
    options = partial(options_of, existing, sharing=common.sharing)
    previous = partial(existing.previous, pins_of_locks(arguments.files, target))
    runs = Runs(
        *(arguments, target, inputs, options, common.matrix, console, common.base, advice, previous),
        common.open_sources,
    )
    many = common.sharing is not None
    if many and target.accelerator != "auto" and not (machine.gpus or machine.driver):
        return OpenedCell(runs, machine, system, Settled(target.accelerator))  # no machine forbids the build
    return OpenedCell(runs, machine, system, settle(runs, machine, arguments))


def completed(run: Run, result: Lock, machine: BuildMachine, choice: Settled) -> Lock:
    """A lock with its hashes, and with the place of each file of a build.

    Raises:
        TorchlockError: a hash of the input fits no file, or a page and the data contradict each other.
    """
    arguments, sources = run.arguments, run.sources
    result = with_files_of_hashes(hashed(result, arguments, sources), run.inputs)
    if sources.builds is None:
        return result
    from torchlock.lock.build_pins import with_builds

    by_index = arguments.builds_by == "index"
    return with_builds(result, sources.builds, str(machine), choice.held_back, by_index=by_index)
