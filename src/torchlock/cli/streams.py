"""The standard streams. A run continues even if a stream fails; messages go to standard error."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time

from torchlock.errors import InputError
from torchlock.redaction import masked, one_line
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, TextIO

    from torchlock.jobs.listener import Listener

_STYLES = {"error": "1;31", "warning": "1;33", "note": "1;36", "hint": "1;32", "bold": "1"}
_PROGRESS_DELAY = 0.4  # seconds of work before progress is shown


class SafeStream:
    """A standard stream that never raises: text that cannot be written is lost, and ``fault`` says why.

    So the reader of a pipe cannot stop the work. ``stream`` is None if it was closed before the start. All other
    attributes are those of ``stream``.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream: Any = stream
        self.fault: OSError | None = None
        self.was_closed = stream is None
        if stream is None:
            self._stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open to the end

    def write(self, text: str) -> int:
        if self.was_closed and text:
            self.fault = self.fault or BrokenPipeError(errno.EPIPE, "it is closed")
        try:
            self._stream.write(text)
        except OSError as error:
            self._give_up(error)
        except ValueError as error:  # the stream object is closed
            self._give_up(BrokenPipeError(errno.EPIPE, str(error)))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)
        except ValueError as error:
            self._give_up(BrokenPipeError(errno.EPIPE, str(error)))

    @property
    def left(self) -> bool:
        """Whether the stream failed because its reader exited. (Windows reports "invalid argument" then.)"""
        gone = isinstance(self.fault, BrokenPipeError | ConnectionResetError)
        return gone or (os.name == "nt" and self.fault is not None and self.fault.errno == errno.EINVAL)

    def _give_up(self, error: OSError) -> None:
        """Discard all further text, also the text that Python writes when it ends."""
        self.fault = self.fault or error
        with contextlib.suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
        self._stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open to the end

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def safe_streams() -> Iterator[SafeStream]:
    """Standard output and error that take any text and raise nothing, for a block; that output.

    What the encoding of a stream lacks is escaped. A file that is opened later never gets the number of a standard
    stream that is closed.
    """
    before = sys.stdout, sys.stderr
    for number in range(3 if None in (sys.stdin, *before) else 0):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for stream in before:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    output, errors = map(SafeStream, before)
    sys.stdout, sys.stderr = output, errors
    try:
        yield output
    finally:
        output.flush()
        errors.flush()
        sys.stdout, sys.stderr = before


def write_whole(text: str, console: Console) -> bool:
    """Write a result of which a part is useless, such as a lock; return whether all of it was written.

    Warns if the reader of standard output exited before the end.

    Raises:
        InputError: standard output was closed from the start, or failed in another way.
    """
    sys.stdout.write(text)
    sys.stdout.flush()
    if not isinstance(sys.stdout, SafeStream) or sys.stdout.fault is None:
        return True
    failed = "the result was not written completely to standard output"
    if not sys.stdout.left or sys.stdout.was_closed:
        raise InputError(f"{failed} ({sys.stdout.fault.strerror})")
    console.say("warning", f"{failed}: its reader exited before the end")
    return False


class Console:
    """Writes messages to standard error.

    ``color`` is auto, always or never; ``quiet`` shows only errors and hints, ``verbose`` shows every step.
    """

    def __init__(self, *, color: str = "auto", quiet: bool = False, verbose: bool = False) -> None:
        terminal = sys.stderr.isatty()
        self._wanted = color
        self._color = self.on(sys.stderr)
        self._quiet = quiet
        self._hidden = False
        self._verbose = verbose
        self._live = terminal and not quiet and not verbose
        self._started = time.monotonic()
        self._shown = False
        self._said = ""

    def paint(self, style: str, text: str) -> str:
        return self.painted(style, text) if self._color else text

    def painted(self, style: str, text: str) -> str:
        """The text in colour, for any stream."""
        return f"\033[{_STYLES[style]}m{text}\033[0m"

    def on(self, stream: TextIO) -> bool:
        """Whether this stream gets colours."""
        if self._wanted != "auto":
            return self._wanted == "always"
        return _color_by_variables(stream)

    def say(self, kind: str, text: str) -> None:
        """Write one message; ``kind`` is error, warning, note or hint. A hint belongs to the message before it."""
        self._hidden = self._quiet and (kind in ("note", "warning") or (kind == "hint" and self._hidden))
        if self._hidden:
            return
        self.clear()
        print(f"{self.paint(kind, kind + ':')} {_printable(text)}", file=sys.stderr)

    def line(self, text: str = "") -> None:
        """Write one line of a longer message."""
        self.clear()
        print(_printable(text), file=sys.stderr)

    def later(self, speak: Callable[[Listener], None]) -> None:
        """Let it speak at once."""
        speak(self)

    def progress(self, text: str) -> None:
        """Show the current step: as a line with --verbose, else as a temporary line on a terminal."""
        if self._verbose and text != self._said:
            self.line(text)
            self._said = text
        else:
            self.bar(text)

    def bar(self, text: str) -> None:
        """Show a temporary line on a terminal, and nothing elsewhere."""
        if self._live and time.monotonic() - self._started > _PROGRESS_DELAY:
            print(f"\r\033[K{_printable(text)[:100]}", end="", file=sys.stderr, flush=True)
            self._shown = True

    def clear(self) -> None:
        """Remove the temporary line."""
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
            self._shown = False


def _color_by_variables(stream: TextIO) -> bool:
    """Whether a stream gets colours without --color: by variables, else if it is a terminal.

    An empty variable is as good as none. NO_COLOR comes first, as in Python itself (no-color.org,
    force-color.org, bixense.com/clicolors).
    """
    given = {name: os.environ.get(name, "") for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "CLICOLOR")}
    if given["NO_COLOR"]:
        return False
    if any(given[name] not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    if given["FORCE_COLOR"] == "0" or given["CLICOLOR"] == "0" or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def _printable(text: str) -> str:
    """The text without secrets and control characters, so that no file name can control the terminal."""

    return "\n".join(one_line(line.replace("\t", " ")) for line in masked(text).split("\n"))
