"""What one input may cost, in steps: calls of Python and C functions. Only inputs that were slow are counted."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from cProfile import Profile
from types import FrameType
from typing import Any, TypeVar

_Result = TypeVar("_Result")

# An input of n bytes may take so many calls, and so many more a byte. A file is audited three times, and changes
# are searched for as often, each time with the whole budget of that search. The most seen in 30,000 inputs is
# above 8.2 million calls: a script with the same commands three times, of which one audit takes 4.5 million.
_CALLS = 12_000_000
_CALLS_A_BYTE = 200
# Processor time from which on it is worth counting, and at which an input is given up (a pattern takes no calls).
_SLOW = 0.5
_ENDLESS = 20.0


class OverBudget(BaseException):
    """An input took more than it may; no ``except Exception`` of a reader keeps this back."""


def within(function: Callable[[], _Result], size: int, *, counted: bool = True) -> _Result:
    """Call a function on an input of so many bytes; returns its result.

    Not ``counted``: processor time alone decides, since the code is instrumented and its calls are not its own.

    Raises:
        OverBudget: it takes more calls than an input of this size may, or no end of processor time.
    """
    before = signal.signal(signal.SIGPROF, _give_up)
    signal.setitimer(signal.ITIMER_PROF, _ENDLESS)
    started = time.process_time()
    try:
        result = function()
        if counted and time.process_time() - started > _SLOW:
            signal.setitimer(signal.ITIMER_PROF, 10 * _ENDLESS)  # counting is slow
            most = _CALLS + _CALLS_A_BYTE * size
            if calls(function) > most:
                raise OverBudget(f"takes more than {most:,} calls")
        return result
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _give_up(number: int, frame: FrameType | None) -> None:
    raise OverBudget("is still busy after its processor time")


def calls(function: Callable[[], Any]) -> int:
    """How many calls, of Python and of C, a function comes to: its own and those of all that it calls.

    The profiler in C counts them: a function in Python that counts makes the work three times as long.
    """
    before, counter = sys.getprofile(), Profile(subcalls=False)
    counter.enable()
    try:
        function()
    finally:
        counter.disable()
        sys.setprofile(before)
    return sum(entry.callcount for entry in counter.getstats())
