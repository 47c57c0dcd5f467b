"""The user's data folder: tables are put into it as a whole, or not at all.

Each update has its own folder. It counts from the moment when the manifest names it, and the manifest is
replaced atomically. The folder before it stays until the next update, for programs that read it now.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchlock import __version__
from torchlock.errors import InputError
from torchlock.knowledge import tables
from torchlock.knowledge.overlay import FORMAT, MANIFEST, SETS, Overlay, active, digest_of, overlay_of, user_folder
from torchlock.runtime.temporary import Temporary

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Folders of interrupted updates are removed after this many seconds.
_ABANDONED = 24 * 3600.0


def data_folder() -> Path:
    """The user's data folder.

    Raises:
        InputError: there is no home folder.
    """
    folder = user_folder()
    if folder is None:
        raise InputError("there is no home folder for the data", hint="set TORCHLOCK_DATA_DIR to a folder")
    return folder


class NewSet:
    """The folder of an update that does not count yet. ``manifest`` is what is known of it."""

    def __init__(self, folder: Path, name: str, manifest: Mapping[str, Any]) -> None:
        self.root = folder / SETS / name
        self._folder = folder
        self._manifest = {
            "format": FORMAT,
            "torchlock": __version__,
            "set": name,
            **manifest,
            "bundled": {"date": bundled_date(), "digest": digest_of(tables.ROOT)},
            "files": {},
        }

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest as it is so far."""
        return self._manifest

    @property
    def overlay(self) -> Overlay:
        """The tables as they are so far."""
        found = overlay_of(self._manifest, self._folder / SETS)
        assert isinstance(found, Overlay)
        return found

    def put(self, table: str, content: bytes) -> None:
        """Add a table."""
        path = self.root / table
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self._manifest["files"][table] = [hashlib.sha256(content).hexdigest(), len(content)]


def bundled_date() -> str:
    """The date of the bundled releases."""
    return (tables.ROOT / "releases" / "DATE").read_text(encoding="ascii").strip()


@contextmanager
def new_set(folder: Path, manifest: Mapping[str, Any]) -> Iterator[NewSet]:
    """A new folder for tables. At the end it counts; after an exception it is gone, and nothing has changed.

    Raises:
        InputError: the data folder cannot be written.
    """
    made = NewSet(folder, os.urandom(8).hex(), manifest)
    try:
        made.root.mkdir(mode=0o700, parents=True)
        yield made
        _name(folder, made)
    except BaseException as error:
        shutil.rmtree(made.root, ignore_errors=True)
        if isinstance(error, OSError):
            where = error.filename or folder
            raise InputError(
                f"cannot be written ({error.strerror or error})", path=str(where), hint="set TORCHLOCK_DATA_DIR"
            ) from error
        raise
    active.cache_clear()


def _name(folder: Path, made: NewSet) -> None:
    """Let the manifest name the new folder, and remove folders that nobody reads any more."""
    before = _named(folder)
    with Temporary(str(folder)) as temporary:
        with os.fdopen(temporary.descriptor, "wb", closefd=False) as file:
            file.write(json.dumps(made.manifest, indent=1, sort_keys=True).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.take_place_of(str(folder / MANIFEST))
    for path in (folder / SETS).iterdir():
        if path.name not in (made.root.name, before) and _is_old(path):
            shutil.rmtree(path, ignore_errors=True)


def _named(folder: Path) -> str:
    """The folder that the manifest names; "" if there is none."""
    try:
        return str(json.loads((folder / MANIFEST).read_bytes())["set"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""


def _is_old(path: Path) -> bool:
    """Whether no update that still runs can be writing this folder: one that was named is complete."""
    try:
        return time.time() - path.stat().st_mtime > _ABANDONED
    except OSError:
        return False


def reset(folder: Path) -> bool:
    """Remove all tables of updates; returns whether there were any.

    Raises:
        InputError: they cannot be removed.
    """
    there = (folder / MANIFEST).exists() or (folder / SETS).exists()
    try:
        (folder / MANIFEST).unlink(missing_ok=True)
        if (folder / SETS).exists():
            shutil.rmtree(folder / SETS)
    except OSError as error:
        raise InputError(
            f"cannot be removed ({error.strerror or error})", path=str(error.filename or folder)
        ) from error
    active.cache_clear()
    return there
