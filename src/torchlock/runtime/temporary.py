"""Temporary files next to the file that they will replace (a result, a cache entry), and the removal of old ones.

The standard library has such files, too, but the import of tempfile takes 8 ms, a tenth of a whole run; and its
file names do not show whether their process still runs.

A temporary file is locked (flock) as long as it exists, and the system releases the lock when the process ends,
however it ends. So an abandoned file is a file with our name whose lock is free. The name contains the machine:
locks do not always work between machines, and some file systems have none. There a file counts as abandoned after
a day.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from functools import cache

from torchlock.patterns import pattern

_BEGIN = ".torchlock-"
_NAME = pattern(r"\.torchlock-([0-9a-f]{8})-[0-9a-f]{12}\.tmp")
_OPEN = (
    os.O_RDWR
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOINHERIT", 0)
    | getattr(os, "O_NOFOLLOW", 0)
)
_LEFT_BEHIND = 24 * 3600.0  # seconds: no file is being written for so long
_TRIES = 100


class Temporary:
    """A new, empty file in a folder, readable by its owner only; locked, and removed at the end.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, folder: str) -> None:
        for _ in range(_TRIES):
            # Short, so that it is possible next to a name of any length.
            self.path = os.path.join(folder, f".torchlock-{_machine()}-{os.urandom(6).hex()}.tmp")
            try:
                self.descriptor = os.open(self.path, _OPEN | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                continue
            # Another process that sweeps this folder may have come between: then the file is lost.
            if _lock(self.descriptor) is not False and os.fstat(self.descriptor).st_nlink:
                return
            os.close(self.descriptor)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), folder)

    def __enter__(self) -> Temporary:
        return self

    def __exit__(self, *exception: object) -> None:
        # Removed before it is closed: until then, the lock protects this name.
        if os.name != "nt":
            self._remove()
        self.close()
        if os.name == "nt":
            self._remove()

    def close(self) -> None:
        """Close the file, which frees its lock."""
        if self.descriptor >= 0:
            descriptor, self.descriptor = self.descriptor, -1
            os.close(descriptor)

    def take_place_of(self, target: str) -> None:
        """Rename the file in its folder, and replace a file of the new name.

        Raises:
            OSError: the system does not allow it.
        """
        if os.name == "nt":  # which moves no open file
            self.close()
        os.replace(self.path, target)
        self.path = ""

    def _remove(self) -> None:
        if self.path:
            with contextlib.suppress(OSError):
                os.unlink(self.path)


_swept: set[str] = set()


def sweep(folder: str) -> None:
    """Remove temporary files of dead processes in a folder; each folder is searched once."""
    if folder in _swept:
        return
    _swept.add(folder)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = _NAME.fullmatch(entry.name) if entry.name.startswith(_BEGIN) else None
            if match:
                with contextlib.suppress(OSError):
                    _remove_stray(entry.path, here=match[1] == _machine())


def _remove_stray(path: str, *, here: bool) -> None:
    if os.name == "nt":  # without locks, and an open file cannot be removed
        if _is_old(os.lstat(path)):
            os.unlink(path)
        return
    descriptor = os.open(path, _OPEN | os.O_NONBLOCK)
    try:
        found = os.fstat(descriptor)
        free = _lock(descriptor)
        dead = (here and free is True) or (free is not False and _is_old(found))
        same = os.path.samestat(found, os.lstat(path))
        if dead and same and stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
            os.unlink(path)
    finally:
        os.close(descriptor)


def _is_old(found: os.stat_result) -> bool:
    return stat.S_ISREG(found.st_mode) and time.time() - found.st_mtime > _LEFT_BEHIND


def _lock(descriptor: int) -> bool | None:
    """Lock an open file; False if another process has the lock, None if locks are not supported."""
    try:
        import fcntl
    except ImportError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


@cache
def _machine() -> str:
    """Eight digits that identify the running system: all containers of one system have the same."""
    import binascii

    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            name = file.read()
    except OSError:
        name = (os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")).encode()
    return f"{binascii.crc32(name):08x}"
