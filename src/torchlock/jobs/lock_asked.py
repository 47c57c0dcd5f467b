"""What a lock is asked for, and what it gives: values that the job and its callers share."""

from __future__ import annotations

from torchlock.records import NamedTuple
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from torchlock.jobs.cells import Cell
    from torchlock.jobs.existing_lock import ExistingLock
    from torchlock.jobs.lock_cell import Common
    from torchlock.jobs.lock_files import LockFile
    from torchlock.jobs.lock_rendering import Rendered
    from torchlock.lock import Conflict


class Asked(NamedTuple):
    """What is asked for, before anything is solved: the targets, and the outputs that they go to."""

    arguments: argparse.Namespace
    common: Common
    cells: Sequence[Cell]
    files: Sequence[LockFile]

    @property
    def alternatives(self) -> list[list[str]]:
        """The largest sets of extras and groups that one installation may have."""
        found = [cell.part.inputs.scopes for cell in self.cells if cell.part is not None]
        most = [each for each in found if not any({*each} < {*other} for other in found)]
        return [list(each) for each in dict.fromkeys(map(tuple, most or [self.common.inputs.scopes]))]


class LockedFile(NamedTuple):
    """One output: its arguments, its text, and the lock that is there now."""

    arguments: argparse.Namespace
    rendered: Rendered
    existing: ExistingLock


class Locked(NamedTuple):
    """The result of a lock. Without ``files`` there is no solution, and the listener heard why.

    ``describe`` returns the JSON of many targets, also of those without a solution; None for a single target,
    whose file describes itself. ``conflict`` is that of a single target.
    """

    files: tuple[LockedFile, ...] = ()
    describe: Callable[[], str] | None = None
    conflict: Conflict | None = None
