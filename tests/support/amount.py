"""How much a test marked ``sampled`` tries: a part in a plain run, all of it with ``TORCHLOCK_TESTS=thorough``."""

from __future__ import annotations

import os

THOROUGH = os.environ.get("TORCHLOCK_TESTS") == "thorough"


def amount(every: int, *, quick: int) -> int:
    """How many inputs to try, of all that a thorough run tries."""
    return every if THOROUGH else quick
