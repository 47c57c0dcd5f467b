"""Read untrusted files: regular files only, within a size limit, without blocking."""

from __future__ import annotations

import os
import stat

from torchlock.records import NamedTuple
from torchlock.typed import TYPE_CHECKING

# A folder with more items than this is not listed completely.
LIMIT = 200_000

if TYPE_CHECKING:
    from typing import Final, Literal

    Kind = Literal["folder", "file", "other"]
_FLAGS: Final = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)


class Unreadable(NamedTuple):
    """A file or folder that could not be read, and why: the message of the operating system, or ours.

    ``unknown``: one of our limits ended the reading, and the file may be fine.
    """

    path: str
    reason: str
    unknown: bool = False


class NotRegular(OSError):
    """A folder, pipe, socket or device instead of a file; it was not opened."""


def open_regular(path: str) -> int:
    """Open a regular file for reading; the caller closes the descriptor.

    Raises:
        NotRegular: it is something else.
        OSError: it cannot be opened.
    """
    return _opened(path)[0]


def _opened(path: str) -> tuple[int, int]:
    """The descriptor of a regular file, and its size."""
    # Check first, because opening a device can have effects.
    if not stat.S_ISREG(_stat(path).st_mode):
        raise NotRegular(f"not a regular file: {path}")
    descriptor = os.open(path, _FLAGS)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise NotRegular(f"not a regular file: {path}")
    return descriptor, status.st_size


def _stat(path: str) -> os.stat_result:
    try:
        return os.stat(path)
    except ValueError as error:  # a zero byte in the name
        raise FileNotFoundError(str(error)) from error


def read(path: str, limit: int) -> bytes:
    """The first ``limit`` bytes of a regular file.

    Raises:
        OSError: it cannot be opened or read, or is not a regular file.
    """
    descriptor, size = _opened(path)
    try:
        data = os.read(descriptor, min(limit, size + 1))
        if len(data) == size > 0:
            return data  # Fewer bytes than were asked for: this is its end.
        while len(data) < limit and (more := os.read(descriptor, limit - len(data))):
            data += more
        return data
    finally:
        os.close(descriptor)


def beginning(path: str, limit: int, folder: int | None = None) -> bytes:
    """The first bytes, at most ``limit``, of a file that is known to be regular; cheaper than ``read``.

    ``folder`` is a handle of the folder that a relative path starts in.

    Raises:
        OSError: it cannot be opened or read.
    """
    descriptor = os.open(path, _FLAGS, dir_fd=folder)
    try:
        return os.read(descriptor, limit)
    finally:
        os.close(descriptor)


def text(path: str, limit: int, errors: str = "replace") -> str | None:
    """The start of a file as text, with invalid bytes replaced; None if it cannot be read.

    ``errors="surrogateescape"`` keeps what is not UTF-8 as file names have it.
    """
    try:
        return read(path, limit).decode("utf-8-sig", errors)
    except OSError:
        return None


def is_file(path: str) -> bool:
    """Whether this is a regular file, or a link to one."""
    try:
        return stat.S_ISREG(_stat(path).st_mode)
    except OSError:
        return False


def is_folder(path: str) -> bool:
    """Whether this is a folder, or a link to one."""
    try:
        return stat.S_ISDIR(_stat(path).st_mode)
    except OSError:
        return False


class Tree:
    """A cache of folder listings, so that all readers of one check see the same files.

    ``unreadable`` collects the folders that exist but could not be listed, or not to their end, and the files
    that were asked for here and could not be read.
    """

    def __init__(self) -> None:
        self.unreadable: list[Unreadable] = []
        self._listed: dict[str, dict[str, Kind]] = {}

    def names(self, folder: str) -> dict[str, Kind]:
        """The names in a folder, following links; empty if it does not exist."""
        found = self._listed.get(folder)
        if found is None:
            found = self._listed[folder] = self._list(folder)
        return found

    def text(self, path: str, limit: int, errors: str = "replace") -> str:
        """The start of a file from ``names``, as text; a file that cannot be read is recorded."""
        try:
            return read(path, limit).decode("utf-8-sig", errors)
        except OSError as error:
            found = Unreadable(path, error.strerror or str(error))
            if found not in self.unreadable:
                self.unreadable.append(found)
            return ""

    def _list(self, folder: str) -> dict[str, Kind]:
        found: dict[str, Kind] = {}
        try:
            with os.scandir(folder) as items:
                for item in items:
                    if len(found) == LIMIT:
                        self.unreadable.append(Unreadable(folder, f"more than {LIMIT} items"))
                        break
                    found[item.name] = _kind(item)
        except (FileNotFoundError, NotADirectoryError, ValueError):
            pass
        except OSError as error:
            self.unreadable.append(Unreadable(folder, error.strerror or type(error).__name__))
        return found


def _kind(item: os.DirEntry[str]) -> Kind:
    try:
        return "folder" if item.is_dir() else "file" if item.is_file() else "other"
    except OSError:  # a link to itself
        return "other"
