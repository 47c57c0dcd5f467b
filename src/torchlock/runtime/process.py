"""Run untrusted programs: end them with all their children, and limit their output and time."""

from __future__ import annotations

import contextlib
import os
from threading import Thread
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from torchlock.runtime.guarding import ready, watched
from torchlock.runtime.interrupts import deferred_signals

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Sequence

# How long a killed process may take to end. A process that hangs in the kernel is left alone.
_KILL_SECONDS = 5.0
# How long a program that was heard may take to leave by itself.
_EXIT_SECONDS = 0.2


@contextlib.contextmanager
def child(command: Sequence[str], **settings: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program for a block, in its own session; at the end of the block it ends with its group.

    It also ends when this process ends, by any signal. A process that left the group (``setsid``) survives; on
    Windows, so do the children of a program that ends before this process. ``settings`` are those of ``Popen``.

    Raises:
        OSError, ValueError: it cannot be started.
    """
    import subprocess

    process: subprocess.Popen[bytes] | None = None
    with contextlib.ExitStack() as stack:
        try:
            with deferred_signals():
                ready()
                process = subprocess.Popen(  # noqa: S603 - no shell; docs/settings.md says which programs
                    command, start_new_session=os.name == "posix", **settings
                )
                stack.enter_context(watched("group", process.pid))
            yield process
        finally:
            if process is not None:
                with deferred_signals():
                    _kill(process)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_KILL_SECONDS)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that was started in its own session, and its group."""
    if hasattr(os, "killpg"):
        import signal

        try:
            os.killpg(process.pid, signal.SIGKILL)
        except OSError:
            process.kill()
    else:
        process.kill()


@contextlib.contextmanager
def temporary_folder() -> Iterator[str]:
    """A temporary folder for a block. It is removed with its content, also if this process is killed."""
    import tempfile

    with contextlib.ExitStack() as stack:
        try:
            with deferred_signals():
                place = stack.enter_context(
                    tempfile.TemporaryDirectory(prefix="torchlock-", ignore_cleanup_errors=True)
                )
                stack.enter_context(watched("folder", place))
            yield place
        finally:
            with deferred_signals():
                stack.close()


class ProgramOutput(NamedTuple):
    """The output of a program. ``code`` is its exit status, None if it was killed; ``slow``: its time was up."""

    printed: bytes
    code: int | None
    slow: bool


def run_program(
    command: Sequence[str],
    seconds: float,
    most: int,
    meanwhile: Callable[[], object] | None = None,
    **settings: Any,
) -> ProgramOutput:
    """Run a program and read its standard output, with a limit of seconds and bytes.

    ``meanwhile`` is called once, while the program runs.

    Raises:
        OSError, ValueError: it cannot be started.
    """
    import subprocess

    with child(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **settings) as process:
        assert process.stdout is not None
        said: list[bytes] = []
        listener = Thread(target=_listen, args=(process.stdout, said, most), daemon=True)
        listener.start()
        if meanwhile is not None:
            meanwhile()
        listener.join(seconds)
        slow = listener.is_alive()
        code = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(_EXIT_SECONDS)
    listener.join(_EXIT_SECONDS)
    if not listener.is_alive():
        process.stdout.close()
    return ProgramOutput(b"".join(said), code, slow)


def _listen(pipe: IO[bytes], said: list[bytes], most: int) -> None:
    """Read until the end of the output, or the limit. A surviving child may keep the pipe open."""
    with contextlib.suppress(OSError):
        while most > 0 and (part := os.read(pipe.fileno(), most)):
            said.append(part)
            most -= len(part)


class Tail:
    """Reads all output of a pipe, and keeps its end."""

    def __init__(self, pipe: IO[bytes], size: int = 16 << 10) -> None:
        self._pipe = pipe
        self._size = size
        self._said = b""
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        try:
            while part := os.read(self._pipe.fileno(), 1 << 16):
                self._said = (self._said + part)[-self._size :]
        except OSError:
            pass

    def text(self, seconds: float = 1.0) -> str:
        """The end of the output. A surviving child may keep the pipe open: it is not waited for."""
        self._listener.join(seconds)
        if not self._listener.is_alive():
            self._pipe.close()
        return self._said.decode("utf-8", "replace").strip()
