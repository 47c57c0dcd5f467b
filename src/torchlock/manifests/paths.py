"""The paths of files that other files name."""

from __future__ import annotations

import os
from pathlib import Path


def beside(path: str, name: str) -> str:
    """The path of a file named in another file; never standard input."""
    joined = str(Path(path).parent / name)
    return str(Path(joined).absolute()) if joined == "-" else joined


def near(path: str, value: str) -> str:
    """A path in a file, relative to the current folder; a URL stays as it is."""
    if "://" in value or Path(value).is_absolute():
        return value
    joined = os.path.normpath(beside(path, value))
    return joined if joined.startswith((".", "/")) else f"./{joined}"


def is_folder(path: str) -> bool:
    """Whether a folder of this name exists; False for an invalid name."""
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False


def is_there(path: str) -> bool:
    """Whether a file or folder of this name exists; False for an invalid name."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False
