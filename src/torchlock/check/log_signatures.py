"""What the failures of the stack print, and the rules that each may come from (``prints`` of each rule).

Every pattern is searched for in one line and takes time in proportion to it: a repeat in one has a bound.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from torchlock.knowledge import registry

# How much a line says. An echo follows an earlier failure; a headline opens a list of attempts; each attempt may
# fail for its own reason, and of those the one that was not bound to fail is the cause.
ECHO, HEADLINE, ATTEMPT, CAUSE = range(4)
_WEIGHTS = {"echo": ECHO, "headline": HEADLINE, "attempt": ATTEMPT, "cause": CAUSE}


class Known(NamedTuple):
    """One failure: a line shows it if both patterns are in it. ``rules`` begin with the likeliest."""

    line: re.Pattern[str]
    beside: re.Pattern[str] | None
    rules: tuple[str, ...]
    weight: int


@cache
def signatures() -> tuple[Known, ...]:
    """The known failures, in the order in which a line is compared; the first that fits is the one.

    Raises:
        DataError: the bundled registry is damaged.
    """
    return tuple(
        Known(
            re.compile(line, re.IGNORECASE),
            re.compile(beside, re.IGNORECASE) if beside else None,
            tuple(rules),
            _WEIGHTS[weight],
        )
        for line, beside, weight, rules in registry.prints()
    )


# One of these is in every line that shows a failure: the other lines are passed over at once.
WORDS = (
    "error", "not ", "n't", "cannot", "no ", "missing", "undefined", "unable", "failed", "wrong", "invalid",
    "bad crc", "too ", "compiled", "incompatible", "unsupported", "partially", "removed", "only has", "different",
    "but you", "fault", "sigsegv", "violation", "illegal", "changed", "neither", "0xc0000005", "is required",
)  # fmt: skip
