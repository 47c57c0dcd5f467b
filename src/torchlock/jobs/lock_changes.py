"""The table of changes after ``torchlock lock``: what differs from the lock in the output file, and why."""

from __future__ import annotations

from torchlock.errors import InputError
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence
    from typing import Any

    from torchlock.jobs.existing_lock import ExistingLock
    from torchlock.jobs.listener import Listener
    from torchlock.lock.changes import PinChange
    from torchlock.lock.model import Move


class LockChanges:
    """The changes from an existing lock to a new text of it, with the reasons of the solver.

    ``found`` is None if there is no existing lock to compare with.
    """

    def __init__(
        self, existing: ExistingLock, text: str, moves: Iterable[Move], arguments: argparse.Namespace
    ) -> None:
        self._arguments = arguments
        self._moves = tuple(dict.fromkeys(moves))
        self._targets = ("", "")
        self.found: tuple[PinChange, ...] | None = None
        old = existing.pin_set
        if old is not None:
            from torchlock.lock.changes import changes_between
            from torchlock.manifests.lock_comments import stated_target
            from torchlock.manifests.pin_sets import pin_set_of_text

            before = old.document.text if old.document is not None else ""
            self._targets = (stated_target(before), stated_target(text))
            new = pin_set_of_text(text, arguments.output, existing.kind)
            self.found = changes_between(old, new, self._moves)

    def rows(self) -> list[dict[str, Any]] | None:
        """The changes for ``--json``."""
        from torchlock.jobs.lock_upgrades import allowed_by
        from torchlock.report.changes_json import rows

        return None if self.found is None else rows(self.found, allowed_by(self._arguments))

    def tell(self, console: Listener, *, written: bool) -> None:
        """Write the table to standard error; ``written``: the changes were made."""
        arguments = self._arguments
        if arguments.quiet:
            return
        named = {change.name for change in self.found or ()}
        for move in self._moves:
            if move.name not in named and move.old and move.new and move.text:
                console.say("note", f"{move.name} {move.old} → {move.new}: {move.text}")
        old, new = self._targets
        if old and old != new:
            console.say("note", f"the target changes from {old} to {new}")
        if self.found is not None:
            from torchlock.jobs.lock_upgrades import allowed_by
            from torchlock.report.changes_text import MOST, table

            told = heading(self.found, arguments.output, written=written)
            console.say("note", told)
            most = None if arguments.verbose else MOST
            for line in table(self.found, allowed_by(arguments), most=most):
                console.line(line)


def refuse_lost(moves: Iterable[Move], arguments: argparse.Namespace, existing: ExistingLock) -> None:
    """Refuse to replace a pin by another release because the data do not have the pinned one.

    Not with --upgrade, which keeps no pin, nor for a package of -P; --check has an answer of its own.

    Raises:
        InputError: a pinned release is newer than the catalogue, and no index was asked for it.
    """
    if existing.pin_set is None or arguments.check or arguments.upgrade:
        return
    pins = existing.pin_set.by_name
    moved = [each for each in moves if each.kind == "unasked" and each.name in pins]
    if not moved:
        return
    from torchlock.jobs.lock_upgrades import allowed_by

    may_move = allowed_by(arguments)
    lost = dict.fromkeys(f"{each.name} {each.old}" for each in moved if each.name not in may_move)
    if lost:
        from torchlock.lock.moves import listed

        raise InputError(
            f"the data do not have {listed([*lost])}, and no index was asked; the lock was left as it is",
            path=arguments.output,
            hint="run without --offline, where the index can be reached; or use --upgrade, which keeps no pin",
        )


def heading(changes: Sequence[PinChange], path: str, *, written: bool) -> str:
    """The sentence above a table of changes."""
    if not changes:
        return f"nothing changed in {path}" if written else f"nothing changes in {path}"
    count = "1 package" if len(changes) == 1 else f"{len(changes)} packages"
    return f"{count} changed in {path}:" if written else f"{count} would change in {path}:"
