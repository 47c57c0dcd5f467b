"""Stage files: for a while, reads see new contents, and writes are collected instead of made.

A command that changes several files together computes all of them first. So it writes all, or none.
"""

from __future__ import annotations

import os
from contextlib import contextmanager

from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Stage:
    """Contents that files do not have yet, by path. ``final``: what is written here is going to be written."""

    def __init__(self, contents: Mapping[str, bytes], *, final: bool) -> None:
        self.final = final
        self.written: dict[str, bytes] = {}
        """The files that were written while the stage was open, as they were named."""
        self._contents = {os.path.realpath(path): content for path, content in contents.items()}

    def read(self, path: str) -> bytes | None:
        """The staged content of a file; None if it has none."""
        return self._contents.get(os.path.realpath(path)) if self._contents and path != "-" else None

    def write(self, path: str, content: bytes) -> None:
        """Collect a file instead of writing it."""
        self.written[path] = content


_open: list[Stage] = []


@contextmanager
def staged(contents: Mapping[str, bytes], *, final: bool) -> Iterator[Stage]:
    """Open a stage for a block. Stages do not nest."""
    assert not _open, "a stage is open already"
    stage = Stage(contents, final=final)
    _open.append(stage)
    try:
        yield stage
    finally:
        _open.clear()


def current() -> Stage | None:
    """The stage that is open, or None."""
    return _open[0] if _open else None
