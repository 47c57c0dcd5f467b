"""Signals that end a run: each becomes an exception, so that open files are closed and children are ended."""

from __future__ import annotations

import _thread
import contextlib
import signal
import sys
import time

from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

# Windows sends SIGBREAK for Ctrl-Break, and when the console is closed or the user logs off.
ENDING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)
# A signal often comes twice (`timeout` sends it to the process and to its group). Within so many seconds the
# second one is ignored, because the first is being obeyed.
_OBEYING = 3.0
# Seconds until a signal is sent again whose exception was lost.
_AGAIN = 0.01


class Interrupted(KeyboardInterrupt):
    """A signal asks the run to end. ``code`` is the exit code for the signal: 128 plus its number."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__()
        self.code = 128 + number


class _State:
    """``held`` counts the blocks that no signal may interrupt; ``waiting`` is a signal that came in one."""

    deferring = 0
    waiting: int | None = None
    obeyed = float("-inf")


@contextlib.contextmanager
def handled() -> Iterator[None]:
    """Within this block a signal that ends a run raises ``Interrupted`` in the main thread.

    A signal that is ignored when the block begins (``nohup``, a job in the background) stays ignored, and so does
    a handler of the program that called us. Does nothing in other threads, which cannot set handlers.
    """
    before = {}
    _State.obeyed = float("-inf")
    with contextlib.suppress(ValueError):
        for number in ENDING:
            if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                before[number] = signal.signal(number, _raise)
    try:
        with _lost_sent_again() if before else contextlib.nullcontext():
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _lost_sent_again() -> Iterator[None]:
    """Within this block a signal is sent again if Python dropped its exception.

    Python prints an exception of a finalizer or of the callback of a weak reference, and goes on. Imports have
    such callbacks, so a signal that comes within one would end nothing.
    """
    before = sys.unraisablehook
    thread = _thread.get_ident()

    def unraisable(lost: sys.UnraisableHookArgs) -> None:
        if isinstance(lost.exc_value, Interrupted):
            _thread.start_new_thread(_send, (lost.exc_value.code - 128, thread))
        else:
            before(lost)

    sys.unraisablehook = unraisable
    try:
        yield
    finally:
        sys.unraisablehook = before


def _send(number: int, thread: int) -> None:
    """Send a signal to a thread a moment from now, and wake it."""
    time.sleep(_AGAIN)
    _State.obeyed = float("-inf")
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(thread, number)
    else:
        signal.raise_signal(number)


def _raise(number: int, _: FrameType | None) -> None:
    if _State.deferring:
        _State.waiting = number
    elif time.monotonic() - _State.obeyed > _OBEYING:
        _State.obeyed = time.monotonic()
        raise Interrupted(number)


@contextlib.contextmanager
def deferred_signals() -> Iterator[None]:
    """Delay a signal that comes within this block to its end."""
    _State.deferring += 1
    try:
        yield
    finally:
        _State.deferring -= 1
        if not _State.deferring and _State.waiting is not None:
            number, _State.waiting = _State.waiting, None
            signal.raise_signal(number)


@contextlib.contextmanager
def blocked() -> Iterator[None]:
    """Like ``held``; and workers that start within this block receive no signal until ``unblocked``."""
    if not hasattr(signal, "pthread_sigmask"):
        with deferred_signals():
            yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def unblocked() -> None:
    """In a worker: ignore Ctrl-C, which all processes receive; the main process handles it."""
    _State.deferring = 0
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in ENDING[1:]:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
