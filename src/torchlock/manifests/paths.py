"""The paths of files that other files name."""

from __future__ import annotations

import os


def beside(path: str, name: str) -> str:
    """The path of a file named in another file; never standard input."""
    from pathlib import Path

    joined = str(Path(path).parent / name)
    return str(Path(joined).absolute()) if joined == "-" else joined


def near(path: str, value: str) -> str:
    """A path in a file, relative to the current folder; a URL stays as it is."""
    if "://" in value or os.path.isabs(value):  # noqa: PTH117
        return value
    joined = os.path.normpath(beside(path, value))
    return joined if joined.startswith((".", "/")) else f"./{joined}"


def is_folder(path: str) -> bool:
    """Whether a folder of this name exists; False for an invalid name."""
    try:
        return os.path.isdir(path)  # noqa: PTH112
    except (OSError, ValueError):
        return False


def is_there(path: str) -> bool:
    """Whether a file or folder of this name exists; False for an invalid name."""
    try:
        return os.path.exists(path)  # noqa: PTH110
    except (OSError, ValueError):
        return False
