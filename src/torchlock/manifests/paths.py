"""The paths of files that other files name."""

from __future__ import annotations

import os
from pathlib import Path


def beside(path: str, name: str) -> str:
    """The path of a file that another file names; never standard input."""
    joined = str(Path(path).parent / name)
    return str(Path(joined).absolute()) if joined == "-" else joined


def near(path: str, value: str) -> str:
    """The path of a file that another file names, from the current folder on; a URL stays as it is."""
    if "://" in value or Path(value).is_absolute():
        return value
    joined = os.path.normpath(beside(path, value))
    return joined if joined.startswith((".", "/")) else f"./{joined}"


def is_folder(path: str) -> bool:
    """Whether this is a folder; False for text that cannot be a path."""
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False


def is_there(path: str) -> bool:
    """Whether this is a file or a folder; False for text that cannot be a path."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False
