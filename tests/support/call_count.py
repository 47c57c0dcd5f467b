"""Work is counted, never timed: machines are busy, and a busy machine is no fault of the code."""

from __future__ import annotations

import sys
from collections.abc import Callable
from cProfile import Profile
from typing import Any


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
