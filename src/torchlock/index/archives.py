"""Read the metadata file in a wheel. (The package ``sdist`` reads source archives.)"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, cast

from torchlock.standards.names import project_name

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Sequence

# METADATA contains the long description; a larger file is an attack.
_LIMIT = 16 << 20
# The size of the list of members at the end of a zip file; it needs ten times as much memory. torch has 2 MB.
_LIST = 12 << 20


class ArchiveError(Exception):
    """Why the metadata of an archive cannot be read, as the end of a sentence."""


def wheel_metadata(file: IO[bytes], filename: str) -> str:
    """The text of ``<name>-<version>.dist-info/METADATA``.

    Raises:
        ArchiveError: this is not a zip file, or it has no such member.
    """
    try:
        with open_zip(file) as archive:
            return _text(open_member(archive, archive.getinfo(_member(archive, filename))))
    except archive_errors() as error:
        raise ArchiveError("is not a readable wheel") from error


def wheel_members(file: IO[bytes], names: Sequence[str]) -> dict[str, str]:
    """The texts of these members, if the wheel has them.

    Raises:
        ArchiveError: this is not a zip file, or a member is too large.
    """
    try:
        with open_zip(file) as archive:
            held = set(archive.namelist())
            members = [archive.getinfo(name) for name in names if name in held]
            return {member.filename: _text(open_member(archive, member)) for member in members}
    except archive_errors() as error:
        raise ArchiveError("is not a readable wheel") from error


def archive_errors() -> tuple[type[Exception], ...]:
    """The exceptions that the standard library's archive readers raise."""
    import lzma
    import struct
    import tarfile
    import zipfile
    import zlib

    readers = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error)
    return (*readers, RuntimeError, OSError, EOFError, ValueError, OverflowError)


def open_zip(file: IO[bytes]) -> zipfile.ZipFile:
    """A zip file whose list of members is short enough for memory.

    Raises:
        ArchiveError: it is longer.
        Exception: one of ``archive_errors``.
    """
    import zipfile

    listed = _Listed(file)
    archive = zipfile.ZipFile(cast("IO[bytes]", listed))
    listed.limit = None
    return archive


class _Listed:
    """A file of which at most ``limit`` bytes are read at once, as long as ``limit`` is set."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.limit: int | None = _LIST
        self.seek, self.tell, self.close = file.seek, file.tell, file.close
        self.seekable = file.seekable

    def read(self, size: int = -1) -> bytes:
        if self.limit is not None and size > self.limit:
            raise ArchiveError(f"has a list of members of more than {_LIST >> 20} MB")
        return self._file.read(size)


def open_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes]:
    """The content of a member, decompressed while it is read.

    Raises:
        ArchiveError: its compression method would decompress everything at once.
        Exception: one of ``archive_errors``.
    """
    import zipfile

    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ArchiveError("has metadata that is not compressed with deflate")
    return archive.open(member)


def _member(archive: zipfile.ZipFile, filename: str) -> str:
    """The METADATA in the folder with the wheel's own name (PEP 427); vendored ones are deeper."""
    project = project_name(filename.partition("-")[0])
    for name in archive.namelist():
        folder, _, rest = name.partition("/")
        if (
            rest == "METADATA"
            and folder.endswith(".dist-info")
            and project_name(folder.partition("-")[0]) == project
        ):
            return name
    raise ArchiveError("contains no METADATA")


def _text(content: IO[bytes]) -> str:
    with content:
        raw = content.read(_LIMIT + 1)
    if len(raw) > _LIMIT:
        raise ArchiveError("contains metadata of more than 16 MB")
    return raw.decode("utf-8", errors="replace")
