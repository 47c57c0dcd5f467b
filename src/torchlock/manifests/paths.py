"""The paths of files: their parts, and those that other files name."""

from __future__ import annotations

import os

_SEPARATORS = os.sep + (os.altsep or "")


def beside(path: str, name: str) -> str:
    """The path of a file named in another file; never standard input."""
    from pathlib import Path

    joined = str(Path(path).parent / name)
    return str(Path(joined).absolute()) if joined == "-" else joined


def near(path: str, value: str) -> str:
    """A path in a file, relative to the current folder; a URL stays as it is."""
    if "://" in value or os.path.isabs(value):
        return value
    joined = os.path.normpath(beside(path, value))
    return joined if joined.startswith((".", "/")) else f"./{joined}"


def name_of(path: str) -> str:
    """The last part of a path."""
    return os.path.basename(path.rstrip(_SEPARATORS))


def folder_of(path: str) -> str:
    """The name of the folder that a path names; "" if it names none."""
    return name_of(os.path.dirname(path.rstrip(_SEPARATORS)))


def suffix_of(name: str) -> str:
    """The end of a name from its last dot on, as in pathlib: "" of ``.env`` and of ``name.``."""
    at = name.rfind(".")
    return name[at:] if 0 < at < len(name) - 1 else ""


def is_folder(path: str) -> bool:
    """Whether a folder of this name exists; False for an invalid name."""
    try:
        return os.path.isdir(path)
    except (OSError, ValueError):
        return False


def is_there(path: str) -> bool:
    """Whether a file or folder of this name exists; False for an invalid name."""
    try:
        return os.path.exists(path)
    except (OSError, ValueError):
        return False
