"""A file made of pieces that are not all at hand: what its readers share."""

from __future__ import annotations

import io


class SeekableFile(io.RawIOBase):
    """A file to read and to seek in, at ``_position``; subclasses say how."""

    def __init__(self) -> None:
        super().__init__()
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position
