"""What every test begins with, so that they may run in any order, and how many processes run them."""

from __future__ import annotations

import gc
import os
from itertools import count

import pytest

from torchlock import redaction

_tests = count(1)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """A worker per CPU for the whole suite; none for named files, where starting them costs more than it saves."""
    whole = config.args_source is not pytest.Config.ArgsSource.ARGS and not config.option.keyword
    return None if whole or "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ else 0


def pytest_collection_finish() -> None:
    """What is imported and collected by now stays to the end: no collection of garbage need look at it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _tables_closed() -> None:
    """A run keeps its tables open; one of many runs in a process leaves them to the garbage collector."""
    if next(_tests) % 200 == 0:
        gc.collect()


@pytest.fixture(autouse=True)
def _nothing_learned() -> None:
    """No secrets: a message would have stars in place of what another test read."""
    redaction.forget()
