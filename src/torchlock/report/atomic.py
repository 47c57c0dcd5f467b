"""Write files atomically: write a temporary file in the same folder, then rename it over the target.

A file that cannot be replaced is written in place, and the caller learns why: a file with other hard links (they
would keep the old content), a file whose owner or folder does not allow it, a device, a pipe.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys

from torchlock.errors import InputError
from torchlock.patterns import pattern
from torchlock.records import NamedTuple
from torchlock.report import attributes
from torchlock.report.attributes import CannotKeep
from torchlock.report.ledger import current
from torchlock.runtime import staging
from torchlock.runtime.interrupts import deferred_signals
from torchlock.runtime.temporary import Temporary, sweep

_FLAGS = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOINHERIT", 0)
# The names of the files that a process has open (/proc/self is the process that asks).
_DESCRIPTOR = pattern(r"/dev/(?:fd/(\d{1,9})|(stdin)|(stdout)|(stderr))|/proc/(self|\d+)/fd/(\d{1,9})")
_LINKS = 40  # the number of symbolic links in a row that Linux follows
_REFUSED_BY_FOLDER = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG)
# A file that is a mount point, as in containers; a sticky folder; on Windows, a file that is open.
_REFUSED_IN_PLACE = (errno.EBUSY, errno.EACCES, errno.EPERM, errno.EXDEV)
_NO_SYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)


class WrittenFile(NamedTuple):
    """How a file was written: ``remark`` is a sentence for the user if it was not replaced, else "".

    ``whole`` is False if the reader of a pipe exited before the end, or the file is only staged.
    """

    remark: str = ""
    whole: bool = True


def write_text(path: str, text: str) -> WrittenFile:
    """Like ``write_bytes``, for text: UTF-8, line feeds."""
    return write_bytes(path, text.encode(errors="backslashreplace"))


def write_bytes(path: str, content: bytes, *, expected: bytes | None = None) -> WrittenFile:
    """Replace a file's content, or create the file.

    If anything fails, or the process or the machine stops, the file has the old or the new content, never a part.
    An existing file keeps its owner, permissions and extended attributes, and a symbolic link stays a link.
    If that is not possible, the file is written in place, and ``WrittenFile.remark`` says why: a failure then
    restores the old content, but a process that is killed meanwhile can leave a part.

    With ``expected``, the file is written only if this is its content. If a stage is open, the file is only
    collected; it counts as written if the stage is final.

    Raises:
        InputError: the file cannot be written, or has another content than expected.
    """
    stage = staging.current()
    if stage is not None:
        stage.write(path, content)
        return WrittenFile(whole=stage.final)
    try:
        return _written(path, content, expected)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be written ({getattr(error, 'strerror', None) or error})", path=path) from error


def is_replaceable(path: str) -> bool:
    """Whether this is a regular file or does not exist yet: no device, pipe, or open file of this process.

    Raises:
        OSError, ValueError: it cannot be looked up.
    """
    found = _found(path)
    return _descriptor(path) is None and (found is None or stat.S_ISREG(found.st_mode))


def _written(path: str, content: bytes, expected: bytes | None) -> WrittenFile:
    old = _found(path)
    number = _descriptor(path)
    if number is not None or (old is not None and not stat.S_ISREG(old.st_mode)):
        return _written_through(path, number, old, content)
    if os.path.basename(path) in ("", ".", ".."):
        raise InputError("is a folder by its name, not a file", path=path)
    target = os.path.realpath(path)
    try:
        if old is not None and old.st_nlink > 1:
            raise CannotKeep("has other hard links")
        _replace(path, target, old, content, expected)
        return WrittenFile()
    except CannotKeep as reason:
        _overwrite(path, target, content, expected)
        return WrittenFile(f"{path} {reason}, so it was written in place, not replaced")


def _found(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _replace(path: str, target: str, old: os.stat_result | None, content: bytes, expected: bytes | None) -> None:
    """Write a new file and move it to the target.

    Raises:
        Unkept: a new file cannot take the place of the old one.
        InputError, OSError: as ``write_bytes``.
    """
    if old is not None and not os.access(target, os.W_OK):
        os.close(os.open(target, os.O_WRONLY | _FLAGS))  # raises if this user may not write it
    folder = os.path.dirname(target)
    sweep(folder)
    try:
        temporary = Temporary(folder)
    except OSError as error:
        if old is None or error.errno not in _REFUSED_BY_FOLDER:
            raise
        raise CannotKeep("is in a folder in which no file can be created") from error
    with temporary:
        if old is None:
            attributes.set_default_mode(temporary.descriptor)
        else:
            attributes.copy_attributes(temporary.descriptor, target, old)
        _write(temporary.descriptor, content)
        _sync(temporary.descriptor)
        if expected is not None:
            _compare(target, _content(target), expected)
        try:
            with deferred_signals():  # record what was done, even if a signal comes
                temporary.take_place_of(target)
                current().note(path)
        except OSError as error:
            if old is None or error.errno not in _REFUSED_IN_PLACE:
                raise
            raise CannotKeep(f"cannot be replaced here ({error.strerror})") from error
    _sync_folder(folder)


def _overwrite(path: str, target: str, content: bytes, expected: bytes | None) -> None:
    """Write a file in place; restore the old content on a failure."""
    descriptor = os.open(target, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | _FLAGS)
    try:
        old = _read(descriptor)
        if expected is not None:
            _compare(target, old, expected)
        current().begin(path)
        try:
            _overwrite_content(descriptor, content, len(old))
            _sync(descriptor)
            current().note(path)
        except BaseException:
            with contextlib.suppress(OSError):
                _overwrite_content(descriptor, old, len(old))
                current().undo(path)
            raise
    finally:
        os.close(descriptor)


def _overwrite_content(descriptor: int, content: bytes, size: int) -> None:
    """Write the content over a file of the given size.

    The part beyond its end is written first, so that a full disk fails before old content is lost.
    """
    for start, part in ((size, content[size:]), (0, content[:size])):
        os.lseek(descriptor, start, os.SEEK_SET)
        _write(descriptor, part)
    os.ftruncate(descriptor, len(content))


def _written_through(path: str, number: int | None, old: os.stat_result | None, content: bytes) -> WrittenFile:
    """Write to an open file, or to a device or pipe: nothing is replaced."""
    if old is not None and stat.S_ISDIR(old.st_mode):
        raise InputError("is a folder, not a file", path=path)
    if old is not None and stat.S_ISBLK(old.st_mode):
        raise InputError("is a disk, not a file", path=path)
    if number is not None:
        if number == 1:
            sys.stdout.flush()
        descriptor = os.dup(number)
    else:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_NOCTTY", 0) | _FLAGS)
    try:
        _write(descriptor, content)
    except BrokenPipeError:
        return WrittenFile(f"{path} was closed by its reader before everything was written", whole=False)
    finally:
        os.close(descriptor)
    what = "is open already" if number is not None else "is not a regular file"
    return WrittenFile(f"{path} {what}, so it was written to, not replaced")


def _descriptor(path: str) -> int | None:
    """The descriptor of an open file of this process that a path names, directly or through symbolic links."""
    path = os.path.abspath(path)
    for _ in range(_LINKS):
        match = _DESCRIPTOR.fullmatch(path) if path.startswith(("/dev/", "/proc/")) else None
        if match and match[5] in (None, "self", str(os.getpid())):
            number, standard = match[1] or match[6], (match[2], match[3], match[4])
            return int(number) if number else next(place for place, name in enumerate(standard) if name)
        if not os.path.islink(path):
            return None
        link = os.readlink(path)
        path = os.path.normpath(os.path.join(os.path.dirname(path), link))
    return None


def _write(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:  # a non-blocking pipe
            import selectors

            with selectors.DefaultSelector() as room:  # select() takes no descriptor above 1023
                room.register(descriptor, selectors.EVENT_WRITE)
                room.select()


def _read(descriptor: int) -> bytes:
    parts = []
    while part := os.read(descriptor, 1 << 20):
        parts.append(part)
    return b"".join(parts)


def _content(path: str) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | _FLAGS)
    except FileNotFoundError:
        return None
    try:
        return _read(descriptor)
    finally:
        os.close(descriptor)


def _compare(path: str, content: bytes | None, expected: bytes) -> None:
    if content != expected:
        what = "removed" if content is None else "changed"
        raise InputError(
            f"was {what} by another program meanwhile, so torchlock does not write it",
            path=path,
            hint="run the command again",
        )


def _sync(descriptor: int) -> None:
    """Flush the content to the disk before anything depends on it."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


def _sync_folder(folder: str) -> None:
    """Flush the new name to the disk, if the folder can be opened; the file is complete without it, too."""
    if os.name == "posix":
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | _FLAGS)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
