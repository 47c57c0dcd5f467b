"""The errors that the stack prints, and the rules that may cause each (``prints`` of each rule).

Every pattern is searched for in one line, in time proportional to its length: each repeat in a pattern has a
bound.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from torchlock.knowledge import registry

# The weight of a line. An echo follows an earlier failure. A general one is what any program may print: it counts
# only if no other line does. A headline starts a list of attempts. Each attempt may fail for its own reason; the
# cause is the attempt that was expected to work.
ECHO, GENERAL, HEADLINE, ATTEMPT, CAUSE = range(5)
_WEIGHTS = {"echo": ECHO, "general": GENERAL, "headline": HEADLINE, "attempt": ATTEMPT, "cause": CAUSE}


class Known(NamedTuple):
    """One failure: a line shows it if the line matches both patterns. ``rules`` has the likeliest cause first."""

    line: re.Pattern[str]
    beside: re.Pattern[str] | None
    rules: tuple[str, ...]
    weight: int


@cache
def signatures() -> tuple[Known, ...]:
    """The known failures, in the order in which a line is compared with them; the first match counts.

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


# Each line that shows a failure contains one of these words. All other lines are skipped.
WORDS = (
    "error", "not ", "n't", "cannot", "no ", "missing", "undefined", "unable", "failed", "wrong", "invalid",
    "bad crc", "too ", "compiled", "incompatible", "unsupported", "partially", "removed", "only has", "different",
    "but you", "fault", "sigsegv", "violation", "illegal", "changed", "neither", "0xc0000005", "is required",
    "killed", "denied", "137", "signal", "externally", "too long", "long path", "conflict", "unsatisfiable",
    "weights only", "refused", "provides", "__kmp_", "has blocked", "0x800711c7", "bad_alloc",
    "timed out", "not found", "notfound", "exit", "pip<", "load command", "bootstrapping", "mismatch", "ptxas",
    "cuda_home", "needs numpy", "capability", "detected", "expected one of", "baseline", "lower than",
    "using pytorch", "status_", "nvcc fatal", "non-zero", "zlib not", "active drivers", "toodeep",
    "backends for target",
)  # fmt: skip
