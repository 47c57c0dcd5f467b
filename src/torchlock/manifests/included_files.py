"""The files that requirements files include: their text, and when two paths are the same file."""

from __future__ import annotations

import os

from torchlock.errors import InputError
from torchlock.manifests.decoding import decode
from torchlock.manifests.paths import is_folder, is_there
from torchlock.manifests.text import read_bytes
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from torchlock.manifests.decoding import Decoded

# A larger file was included by mistake, and might have no end.
_HUGE = 10_000_000


def read_included(path: str) -> Decoded:
    """The text of an included file.

    Raises:
        InputError: it cannot be read, or might never end.
    """
    if is_there(path) and not (os.path.isfile(path) or is_folder(path)):
        raise InputError("is not a regular file", path=path)
    if is_there(path) and os.stat(path).st_size > _HUGE:
        raise InputError(f"is larger than {_HUGE // 1_000_000} MB", path=path)
    return decode(read_bytes(path), path)


def identity(path: str) -> str:
    """The identity of a file, however its path is written."""
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):
        return path
