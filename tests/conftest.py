"""What every test begins with, so that they may run in any order."""

from __future__ import annotations

import gc
from itertools import count

import pytest

from torchlock import redaction

_tests = count(1)


@pytest.fixture(autouse=True)
def _tables_closed() -> None:
    """A run keeps its tables open; one of many runs in a process leaves them to the garbage collector."""
    if next(_tests) % 200 == 0:
        gc.collect()


@pytest.fixture(autouse=True)
def _nothing_learned() -> None:
    """No secrets: a message would have stars in place of what another test read."""
    redaction.forget()
