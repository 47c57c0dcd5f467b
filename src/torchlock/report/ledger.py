"""Record which files a run has written, for the message at its end."""

from __future__ import annotations

from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_NAMED = 3


class Ledger:
    """The files of one run. ``of`` is the number of files that it may change, 0 if unknown.

    ``unfinished`` is a file that is being written in place (because it has hard links, for example): it may be
    half-written.
    """

    def __init__(self) -> None:
        self.written: dict[str, None] = {}
        self.unfinished: str | None = None
        self.of = 0

    def begin(self, path: str) -> None:
        """A file is about to be written in place."""
        self.unfinished = path

    def note(self, path: str) -> None:
        """A file was written completely."""
        self.written[path] = None
        self.unfinished = None

    def undo(self, path: str) -> None:
        """The old content of a file that was being written in place was restored."""
        self.written.pop(path, None)
        self.unfinished = None

    def sentence(self) -> str:
        """The summary: ``nothing was changed``, or ``22 of 60 files were changed, none is half-written``."""
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
    """Start the ledger of a new run."""
    _runs[0] = Ledger()
    return _runs[0]


def current() -> Ledger:
    """The ledger of the run."""
    return _runs[0]
