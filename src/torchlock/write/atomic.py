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
    write_bytes(path, text.encode(errors="backslashreplace"))


def write_bytes(path: str, content: bytes) -> None:
    """As ``write_text``, for content that is bytes already."""
    temporary: Path | None = None
    try:
        target = Path(path).resolve()
        if target.exists() and not target.is_file():  # a device or a pipe: nothing to lose, nothing to replace
            target.write_bytes(content)
            return
        # tempfile would find a name as well, but importing it costs 8 ms, a tenth of a whole run.
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(_mode(target))
        temporary.replace(target)
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"cannot be written ({getattr(error, 'strerror', None) or error})", path=path) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()


def _mode(target: Path) -> int:
    """The permissions of an existing file, else what the umask leaves of rw-rw-rw-."""
    try:
        return target.stat().st_mode & 0o777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
