"""The attributes of a file: owner, permissions, extended attributes, access control lists."""

from __future__ import annotations

import errno
import os

# Attributes that depend on the content, or that the system removes when a file is written.
_OF_THE_CONTENT = frozenset({"security.ima", "security.evm", "security.capability"})
_NO_ATTRIBUTES = (errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)
_ACL, _XATTR = 1, 4  # flags of copyfile(3) on macOS


class CannotKeep(Exception):
    """A new file cannot get the attributes of the old one; the message is a predicate: "belongs to …"."""


def copy_attributes(descriptor: int, source: str, old: os.stat_result) -> None:
    """Copy the attributes of an existing file to an open new file.

    Raises:
        Unkept: this user may not set them, or the file system does not support them.
    """
    if hasattr(os, "fchown"):
        made = os.fstat(descriptor)
        if (made.st_uid, made.st_gid) != (old.st_uid, old.st_gid):
            try:
                os.fchown(descriptor, old.st_uid, old.st_gid)
            except OSError as error:
                raise CannotKeep("belongs to another user or group") from error
    try:
        _give_attributes(descriptor, source)
    except OSError as error:
        raise CannotKeep("has attributes that cannot be copied to a new file") from error
    _set_mode(descriptor, old.st_mode & 0o777)


def set_default_mode(descriptor: int) -> None:
    """Give an open new file the default permissions: rw-rw-rw- without the umask."""
    mask = os.umask(0o077)
    os.umask(mask)
    _set_mode(descriptor, 0o666 & ~mask)


def _set_mode(descriptor: int, mode: int) -> None:
    if os.name == "posix":
        os.fchmod(descriptor, mode)


def _give_attributes(descriptor: int, source: str) -> None:
    """Copy the extended attributes of the source; on Linux they include access control lists."""
    if not hasattr(os, "listxattr"):
        if os.name == "posix":
            _copy_on_macos(descriptor, source)
        return
    wanted, had = _attributes(source), _attributes(descriptor)
    for name in had.keys() - wanted.keys():
        # The new file has only attributes that it inherits from the folder; a label of the system stays.
        if not name.startswith("security."):
            os.removexattr(descriptor, name)
    for name, value in wanted.items():
        if had.get(name) != value:
            os.setxattr(descriptor, name, value)


def _attributes(file: str | int) -> dict[str, bytes]:
    try:
        names = os.listxattr(file)
    except OSError as error:
        if error.errno in _NO_ATTRIBUTES:
            return {}
        raise
    return {name: os.getxattr(file, name) for name in names if name not in _OF_THE_CONTENT}


def _copy_on_macos(descriptor: int, source: str) -> None:
    """Copy as shutil does on macOS, with a function of posix that has no public name."""
    import posix

    copy = getattr(posix, "_fcopyfile", None)
    if copy is not None:
        from_ = os.open(source, os.O_RDONLY)
        try:
            copy(from_, descriptor, _ACL | _XATTR)
        finally:
            os.close(from_)
