"""Read the files of a source archive that may state requirements, within limits."""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING, cast

from torchlock.index.archives import ArchiveError, archive_errors, open_member, open_zip
from torchlock.index.sdist.compressed import decompressed

if TYPE_CHECKING:
    from collections.abc import Iterator

# Files that may state requirements: metadata, the three files of a project, and lists that those may include.
_MAY_STATE = re.compile(
    r"PKG-INFO|pyproject\.toml|setup\.cfg|setup\.py"
    r"|(?:[^/]+/)?[^/]+\.egg-info/(?:PKG-INFO|requires\.txt|SOURCES\.txt)"
    r"|(?:[^/]+/){0,2}[^/]+\.(?:txt|in|pip)"
)
# The limit for one such file: PKG-INFO contains the long description, too.
_LONGEST = 16 << 20
# A list of requirements is shorter; a longer file is data.
_LONGEST_LIST = 256 << 10
_LONGEST_STATED = 1 << 20
# How much is unpacked at once: headers of a tar file may declare any length.
_PIECE = 32 << 20
_ALL = 64 << 20
# All headers of a tar file that are more than a block: long names, and those of pax.
_HEADERS = 16 << 20
_BLOCK = 512
# The limit of an unpacked archive: a larger one is an attack, or not source code.
_UNPACKED = 1 << 30
_MOST_MEMBERS = 200_000

# The files by their path below the archive's one top folder.
Files = dict[str, bytes]


def read_files(content: IO[bytes], filename: str) -> Files:
    """The files that may state requirements.

    Raises:
        ArchiveError: it is not an archive of the kind that its name says, or too large once unpacked.
    """
    members = _of_zip(content) if filename.endswith(".zip") else _of_tar(content)
    try:
        return _collected(members)
    except archive_errors() as error:
        raise ArchiveError("is not a readable source archive") from error


def _collected(members: Iterator[tuple[str, int, IO[bytes]]]) -> Files:
    """The path, stated size and content of every member; of equal paths, the first."""
    found: Files = {}
    total = 0
    for path, size, content in members:
        if path in found or (size > _LONGEST_LIST and may_be_list(path)):
            continue
        with content:
            found[path] = b"" if path.endswith("/SOURCES.txt") else _bounded(path, content)
        total += len(found[path])
        if total > _ALL:
            raise ArchiveError("has metadata of more than 64 MB")
    return found


def _bounded(path: str, content: IO[bytes]) -> bytes:
    limit = _LONGEST_STATED if path.endswith("/requires.txt") else _LONGEST
    raw = content.read(limit + 1)
    if len(raw) > limit:
        raise ArchiveError(f"has metadata of more than {limit >> 20} MB")
    return raw


class _Bounded:
    """An unpacked stream that never returns much at once, nor much of headers: they may declare any length."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._headers = _HEADERS
        self.in_member = False
        self.seek = stream.seek
        self.tell = stream.tell

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= _PIECE:
            raise ArchiveError("declares a header of more than 32 MB")
        if not self.in_member and size > _BLOCK:
            self._headers -= size
            if self._headers < 0:
                raise ArchiveError(f"has headers of more than {_HEADERS >> 20} MB")
        return self._stream.read(size)


def may_be_list(path: str) -> bool:
    """Whether this may be a list of requirements that a project includes."""
    return ".egg-info/" not in path and path.endswith((".txt", ".in", ".pip"))


def _speaking(name: str) -> str | None:
    """The path below the top folder, if the file may state requirements."""
    _, separator, path = name.removeprefix("./").partition("/")
    return path if separator and may_state(path) else None


def may_state(path: str) -> bool:
    """Whether a file of a source tree may state requirements."""
    return bool(_MAY_STATE.fullmatch(path)) and ".." not in path.split("/")


def _of_tar(content: IO[bytes]) -> Iterator[tuple[str, int, IO[bytes]]]:
    import tarfile

    bounded = _Bounded(decompressed(content))
    with tarfile.open(fileobj=cast("IO[bytes]", bounded), mode="r:") as archive:
        number = 0
        while (member := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined] # not in the types; else it keeps all of them
            number += 1
            if number > _MOST_MEMBERS:
                raise ArchiveError(f"has more than {_MOST_MEMBERS} members")
            if member.offset_data + member.size > _UNPACKED:
                raise ArchiveError("is larger than 1 GB after unpacking")
            path = _speaking(member.name)
            if path and member.isfile() and (found := archive.extractfile(member)):
                bounded.in_member = True
                yield path, member.size, found
                bounded.in_member = False


def _of_zip(content: IO[bytes]) -> Iterator[tuple[str, int, IO[bytes]]]:
    with open_zip(content) as archive:
        for member in archive.infolist():
            path = _speaking(member.filename)
            if path:
                yield path, member.file_size, open_member(archive, member)
