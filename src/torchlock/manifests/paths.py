"""The paths of files that other files name."""

from __future__ import annotations

from pathlib import Path


def beside(path: str, name: str) -> str:
    """The path of a file named in another file; never standard input."""
    joined = str(Path(path).parent / name)
    return str(Path(joined).absolute()) if joined == "-" else joined


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
