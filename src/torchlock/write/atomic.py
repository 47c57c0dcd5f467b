"""Files that are whole or not there: written beside the target, then moved into its place."""

from __future__ import annotations

import contextlib
import os
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
        # tempfile would find a name as well, but importing it costs 8 ms, a tenth of a whole run.
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        with temporary.open("xb") as file:
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
