"""What a run has written so far, so that a message about its end states what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_NAMED = 3


class Ledger:
    """The files of one run. ``of`` is how many it may change, 0 where that is not known.

    ``unfinished`` is a file that is written in place (it has hard links, say): it may be half-written.
    """

    def __init__(self) -> None:
        self.written: dict[str, None] = {}
        self.unfinished: str | None = None
        self.of = 0

    def begin(self, path: str) -> None:
        """A file is about to be written in place."""
        self.unfinished = path

    def note(self, path: str) -> None:
        """A file was written as a whole."""
        self.written[path] = None
        self.unfinished = None

    def undo(self, path: str) -> None:
        """A file that was being written in place has its old content again."""
        self.written.pop(path, None)
        self.unfinished = None

    def sentence(self) -> str:
        """Like ``nothing was changed`` or ``22 of 60 files were changed, none is half-written``."""
        count = len(self.written)
        if not count and self.unfinished is None:
            return "nothing was changed"
        half = "none is half-written" if self.unfinished is None else f"{self.unfinished} may be half-written"
        if self.of > 1:
            return f"{count} of {self.of} files {'was' if count == 1 else 'were'} changed, {half}"
        if not count:
            return half
        names = _named(self.written) if count <= _NAMED else f"{count} files"
        said = f"{names} {'was' if count == 1 else 'were'} changed"
        return said if self.unfinished is None else f"{said}, {half}"


def _named(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


_runs = [Ledger()]


def opened() -> Ledger:
    """Begin a run, of which nothing is written yet."""
    _runs[0] = Ledger()
    return _runs[0]


def current() -> Ledger:
    """The ledger of the run."""
    return _runs[0]
