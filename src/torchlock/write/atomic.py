"""Files that are whole or not there: written beside the target, then moved into its place."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from torchlock.errors import InputError


def write_text(path: str, text: str) -> None:
    """Replace a file's content; on any failure the old content stays. UTF-8, line feeds.

    An existing file keeps its permissions, and a symbolic link stays a link.

    Raises:
        InputError: the file cannot be written.
    """
    target = Path(path).resolve()
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(_mode(target))
        temporary.replace(target)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()
        raise InputError(f"cannot be written ({error.strerror or error})", path=path) from error


def _mode(target: Path) -> int:
    """The permissions of an existing file, else what the umask leaves of rw-rw-rw-."""
    try:
        return target.stat().st_mode & 0o777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
