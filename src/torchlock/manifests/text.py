"""Read files as bytes and as text; every error names the file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from torchlock.errors import InputError
from torchlock.manifests.decoding import decode_strictly
from torchlock.manifests.paths import is_folder, is_there

if TYPE_CHECKING:
    from typing import BinaryIO

# No requirements file is this large; some devices have no end.
_LIMIT = 64 << 20
_PIECE = 1 << 18


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
    if is_there(path) and not (Path(path).is_file() or is_folder(path)):
        raise InputError("is not a regular file", path=path)
    return read_text(path)


def read_bytes(path: str) -> bytes:
    """The content of a file, or of standard input for ``-``.

    Raises:
        InputError: it cannot be read.
    """
    if path == "-":
        try:
            return _bounded(sys.stdin.buffer, "standard input")
        except (OSError, AttributeError) as error:  # Without a standard input sys.stdin is None.
            raise InputError("standard input cannot be read") from error
    try:
        with Path(path).open("rb") as file:
            return _bounded(file, path)
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


def _neighbour(path: str) -> str | None:
    """A hint at a file with a similar name in the same folder."""
    from difflib import get_close_matches

    try:
        names = [item.name for item in Path(path).parent.iterdir()]
    except (OSError, ValueError):
        return None
    close = get_close_matches(Path(path).name, names, n=1)
    return f"did you mean {str(Path(path).with_name(close[0]))!r}?" if close else None
