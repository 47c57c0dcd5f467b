"""Read files as bytes and as text; every error names the file."""

from __future__ import annotations

import os
import sys
from collections import deque

from torchlock.errors import InputError
from torchlock.manifests.decoding import decode_strictly
from torchlock.manifests.paths import is_folder, is_there
from torchlock.records import NamedTuple
from torchlock.runtime.staging import current
from torchlock.spelling import similar
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO, TypeVar

    T = TypeVar("T")

# No requirements file is this large; some devices have no end.
_LIMIT = 64 << 20
_PIECE = 1 << 18
# So much of a larger log is passed over: bytes, and lines.
_MOST_SKIPPED = 16 << 30
_MOST_LINES = 50_000_000


class Ends(NamedTuple):
    """The first and the last bytes of a file, and how many bytes and lines between them were not kept."""

    head: bytes
    skipped: int
    lines: int
    tail: bytes


def read_text(path: str) -> str:
    """The text of a file, or of standard input for ``-``; see ``decode_strictly``.

    Raises:
        InputError: it cannot be read or decoded.
    """
    return decode_strictly(read_bytes(path), path)


def read_included(path: str) -> str:
    """The text of an included file; a pipe or device is refused, because it may have no end.

    Raises:
        InputError: it cannot be read or decoded.
    """
    if is_there(path) and not (os.path.isfile(path) or is_folder(path)):
        raise InputError("is not a regular file", path=path)
    return read_text(path)


def read_bytes(path: str) -> bytes:
    """The content of a file, or of standard input for ``-``.

    Of a staged file, it is the staged content.

    Raises:
        InputError: it cannot be read, or is larger than 64 MB.
    """
    stage = current()
    content = stage.read(path) if stage is not None else None
    return _read(path, _bounded) if content is None else content


def read_ends(path: str) -> Ends:
    """The content of a file, or of standard input for ``-``; of one larger than 64 MB its two ends.

    Raises:
        InputError: it cannot be read, or has no end.
    """
    return _read(path, _ends)


def _read(path: str, reader: Callable[[BinaryIO, str], T]) -> T:
    if path == "-":
        try:
            return reader(sys.stdin.buffer, "standard input")
        except (OSError, AttributeError) as error:  # Without a standard input sys.stdin is None.
            raise InputError("standard input cannot be read") from error
    try:
        with open(path, "rb") as file:
            return reader(file, path)
    except FileNotFoundError:
        raise InputError("there is no such file", path=path, hint=_neighbour(path)) from None
    except (OSError, ValueError) as error:
        if is_folder(path):
            raise InputError("is a folder, not a file", path=path, hint="name a file in it") from None
        if isinstance(error, PermissionError):
            raise InputError(
                "cannot be read: permission denied", path=path, hint="check its permissions"
            ) from None
        raise InputError(f"cannot be read ({getattr(error, 'strerror', None) or error})", path=path) from error


def _bounded(file: BinaryIO, path: str) -> bytes:
    """The whole file, read in pieces: one read of the whole limit would allocate its memory for any file."""
    pieces, size = [], 0
    while piece := file.read(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > _LIMIT:
            raise InputError(f"is larger than {_LIMIT >> 20} MB", path=path)
    return b"".join(pieces)


def _ends(file: BinaryIO, path: str) -> Ends:
    """The ends of a file in bounded memory: the pieces between them are only counted."""
    head, size = file.read(_LIMIT // 2), 0
    tail: deque[bytes] = deque()
    skipped = lines = 0
    while piece := file.read(_PIECE):
        tail.append(piece)
        size += len(piece)
        if size > _LIMIT // 2:
            left_out = tail.popleft()
            size -= len(left_out)
            skipped += len(left_out)
            lines += left_out.count(b"\n")
        if skipped > _MOST_SKIPPED or lines > _MOST_LINES:
            raise InputError("is too large", path=path, hint="cut out the part with the failure")
    return Ends(head, skipped, lines, b"".join(tail))


def _neighbour(path: str) -> str | None:
    """A hint at a file with a similar name in the same folder."""
    from pathlib import Path

    try:
        names = [item.name for item in Path(path).parent.iterdir()]
    except (OSError, ValueError):
        return None
    close = similar(Path(path).name, names)
    return f"did you mean {str(Path(path).with_name(close[0]))!r}?" if close else None
