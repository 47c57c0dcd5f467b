"""What is said on standard error: notes, errors and progress, in colour only where a person reads it."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from torchlock.redaction import masked, one_line

if TYPE_CHECKING:
    from typing import TextIO

_CODES = {"error": "1;31", "warning": "1;33", "note": "1;36", "hint": "1;32", "bold": "1"}
_BLINK = 0.4  # seconds of work before progress is worth a line


class Voice:
    """Speaks on standard error.

    ``color`` is auto, always or never; ``quiet`` keeps everything but errors back, ``verbose`` shows every step.
    """

    def __init__(self, *, color: str = "auto", quiet: bool = False, verbose: bool = False) -> None:
        terminal = sys.stderr.isatty()
        self._wanted = color
        self._color = self.on(sys.stderr)
        self._quiet = quiet
        self._verbose = verbose
        self._live = terminal and not quiet and not verbose
        self._started = time.monotonic()
        self._shown = False
        self._said = ""

    def paint(self, style: str, text: str) -> str:
        return self.painted(style, text) if self._color else text

    def painted(self, style: str, text: str) -> str:
        """The text in colour, wherever it goes."""
        return f"\033[{_CODES[style]}m{text}\033[0m"

    def on(self, stream: TextIO) -> bool:
        """Whether this stream is to be coloured."""
        return self._wanted == "always" or (self._wanted == "auto" and stream.isatty() and not _plain())

    def say(self, kind: str, text: str) -> None:
        """One message; ``kind`` is error, warning, note or hint."""
        if self._quiet and kind in ("note", "warning"):
            return
        self.clear()
        print(f"{self.paint(kind, kind + ':')} {_neutral(text)}", file=sys.stderr)

    def line(self, text: str = "") -> None:
        """One line of a longer message."""
        self.clear()
        print(_neutral(text), file=sys.stderr)

    def progress(self, text: str) -> None:
        """What is being done: a line of its own with --verbose, a passing one on a terminal."""
        if self._verbose and text != self._said:
            self.line(text)
            self._said = text
        elif self._live and time.monotonic() - self._started > _BLINK:
            print(f"\r\033[K{_neutral(text)[:100]}", end="", file=sys.stderr, flush=True)
            self._shown = True

    def clear(self) -> None:
        """Take the passing line away."""
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
            self._shown = False


def _plain() -> bool:
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def _neutral(text: str) -> str:
    """Without secrets, and without control characters: no file name or index can speak to the terminal."""
    return "\n".join(one_line(line.replace("\t", " ")) for line in masked(text).split("\n"))
