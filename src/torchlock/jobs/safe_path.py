"""Import no module of the current folder, neither in ``python -m torchlock`` nor in its worker processes."""

from __future__ import annotations

import contextlib
import os
import sys

from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_VARIABLE = "PYTHONSAFEPATH"


def can_share() -> bool:
    """Whether workers can be started that do not search the current folder.

    A worker that is not forked is started with ``python -c``, which imports from the current folder first. Only
    Python 3.11 and newer have an option against that.
    """
    if sys.version_info >= (3, 11):
        return True
    from multiprocessing import get_start_method

    return get_start_method() == "fork"


@contextlib.contextmanager
def safe_path() -> Iterator[None]:
    """Python processes that start within this block do not search the current folder."""
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = before or "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = before
