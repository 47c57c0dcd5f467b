"""The metadata file inside a wheel (the package ``sdist`` reads source archives)."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from torchlock.index.filenames import normalise

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Sequence

# METADATA holds the long description too; beyond this it is an attack.
_LIMIT = 16 << 20


class ArchiveError(Exception):
    """Why an archive gave no metadata, as the end of a sentence."""


def wheel_metadata(file: IO[bytes], filename: str) -> str:
    """The text of ``<name>-<version>.dist-info/METADATA``.

    Raises:
        ArchiveError: this is no zip file, or it holds no such member.
    """
    import zipfile
    import zlib

    try:
        with zipfile.ZipFile(file) as archive:
            return _text(archive.open(_member(archive, filename)))
    except (zipfile.BadZipFile, zlib.error, RuntimeError, OSError, EOFError, ValueError) as error:
        raise ArchiveError("is not a readable wheel") from error


def wheel_members(file: IO[bytes], names: Sequence[str]) -> dict[str, str]:
    """The texts of those of these members that a wheel has.

    Raises:
        ArchiveError: this is not a zip file, or a member is too large.
    """
    import zipfile
    import zlib

    try:
        with zipfile.ZipFile(file) as archive:
            held = set(archive.namelist())
            return {name: _text(archive.open(name)) for name in names if name in held}
    except (zipfile.BadZipFile, zlib.error, RuntimeError, OSError, EOFError, ValueError) as error:
        raise ArchiveError("is not a readable wheel") from error


def _member(archive: zipfile.ZipFile, filename: str) -> str:
    """The METADATA whose folder bears the wheel's own name (PEP 427); vendored ones lie deeper."""
    project = normalise(filename.partition("-")[0])
    for name in archive.namelist():
        folder, _, rest = name.partition("/")
        if rest == "METADATA" and folder.endswith(".dist-info") and normalise(folder.partition("-")[0]) == project:
            return name
    raise ArchiveError("holds no METADATA")


def _text(content: IO[bytes]) -> str:
    with content:
        raw = content.read(_LIMIT + 1)
    if len(raw) > _LIMIT:
        raise ArchiveError("holds metadata of more than 16 MB")
    return raw.decode("utf-8", errors="replace")
