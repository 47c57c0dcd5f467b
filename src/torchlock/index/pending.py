"""Requests in the background: a bounded number of threads, and answers to wait for."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from torchlock.index.course import Deadline

_Answer = TypeVar("_Answer")

# Requests at the same time. More gain little: the interpreter reads one answer at a time.
BOUND = 16
# After so many seconds of waiting for one answer progress says so, then after twice as many, and so on.
_PATIENT = 2.0
# A thread without work for so many seconds ends, so that a program that calls the library keeps none.
_REST = 10.0
clock = time.monotonic


class Pending(Generic[_Answer]):
    """An answer that a thread of a pool is getting. ``what`` names it in messages."""

    def __init__(self, ask: Callable[[], _Answer], what: str) -> None:
        self.what = what
        self._ask = ask
        self._done = threading.Event()
        self._answer: Any = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Get the answer, or keep the error for whoever asks for it."""
        try:
            self._answer = self._ask()
        except BaseException as error:
            self._error = error
        self._done.set()

    def wait(self, seconds: float) -> bool:
        """Whether the answer is there, after waiting for at most so long."""
        return self._done.wait(seconds)

    def result(self) -> _Answer:
        """The answer, once it is there. Raises what getting it raised."""
        if self._error is not None:
            raise self._error
        answer: _Answer = self._answer
        return answer


class Pool:
    """Gets answers in at most ``BOUND`` threads, which do not keep the process alive.

    ``report`` is called, in the thread that waits, with what it waits for.
    """

    def __init__(self, deadline: Deadline, report: Callable[[str], None]) -> None:
        self.deadline = deadline
        self._report = report
        self._waiting: deque[Pending[Any]] = deque()
        self._changed = threading.Condition()
        self._threads = 0
        self._idle = 0
        self._open = 0

    def ask(self, ask: Callable[[], _Answer], what: str) -> Pending[_Answer]:
        """Begin to get an answer."""
        pending = Pending(ask, what)
        with self._changed:
            self._waiting.append(pending)
            self._open += 1
            if self._idle < len(self._waiting) and self._threads < BOUND:
                self._threads += 1
                work = partial(copy_context().run, self._work)
                threading.Thread(target=work, name="torchlock-index", daemon=True).start()
            self._changed.notify()
        return pending

    def wait(self, pending: Pending[_Answer]) -> _Answer:
        """Wait for an answer, until the deadline.

        Raises:
            NetworkError: the deadline passed.
            Exception: what getting the answer raised.
        """
        self._report(f"asking {pending.what}")
        begun, pause = clock(), _PATIENT
        while not pending.wait(min(pause, left := self.deadline.left())):
            if left <= pause:
                raise self.deadline.missed(pending.what.partition(" for ")[2] or pending.what)
            waited = clock() - begun
            others = f", and {self._open - 1} other answers" if self._open > 1 else ""
            self._report(f"waiting for {waited:.0f} seconds for {pending.what}{others}")
            pause *= 2
        return pending.result()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._idle += 1
                    is_called = self._changed.wait(_REST)
                    self._idle -= 1
                    if not is_called and not self._waiting:
                        self._threads -= 1
                        return
                pending = self._waiting.popleft()
            pending.run()
            with self._changed:
                self._open -= 1
