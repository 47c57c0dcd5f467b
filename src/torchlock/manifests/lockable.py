"""Which files can be locked, and how they are read."""

from __future__ import annotations

import os

from torchlock.errors import InputError
from torchlock.manifests.decoding import decode
from torchlock.manifests.detection import belongs_to, format_of, kind_by_name, refuse_unread
from torchlock.manifests.document import Document
from torchlock.manifests.formats import BY_KIND, FORMATS
from torchlock.manifests.paths import name_of, suffix_of
from torchlock.manifests.reader import read_as_written, read_content
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlock.manifests.formats import Format

_NO_LISTS = (".yml", ".yaml", ".json", ".lock", ".toml")
_RECORDS = "it records chosen versions, not the requirements of a project"
_BESIDE = (
    "name the file of the project too, as in -r pyproject.toml -r uv.lock: then the pins of the lock are kept"
)


def lock_kind(path: str) -> str | None:
    """The format of a lock, by the name of its file; None for every other file."""
    kind = kind_by_name(path)
    return kind if kind and BY_KIND[kind].role == "lock" else None


def document_to_lock(path: str, *, extras: bool = False, groups: bool = False) -> Document:
    """The document of a file that can be locked, with environment variables expanded.

    ``extras`` and ``groups``: whether the user asked for some.

    Raises:
        InputError: it cannot be read, or its format does not declare requirements, or no extras or groups.
    """
    refuse_unread(path)
    raw = read_content(path)
    kind = _kind_of(path, raw)
    row = BY_KIND[kind]
    if groups and not row.groups:
        hint = f"--group works with {_titles(each for each in FORMATS if each.groups)}"
        raise InputError("has no dependency groups", path=path, hint=hint)
    if extras and not row.extras:
        hint = f"--extra works with {_titles(each for each in FORMATS if each.extras)}"
        raise InputError("has no extras", path=path, hint=hint)
    if row.role == "lock":
        raise InputError(f"is a lock ({kind}): {_RECORDS}", path=path, hint=_BESIDE)
    if row.role == "commands":
        message = f"contains commands ({kind}), not the requirements of a project"
        raise InputError(message, path=path, hint=f"a lock is made from {_titles(FORMATS)}")
    document = read_as_written(path, raw, kind, os.environ)
    if document.locked and kind != "requirements":
        raise InputError(f"is a lock ({kind}): {_RECORDS}", path=path, hint=_BESIDE)
    return document


def _titles(rows: Iterable[Format]) -> str:
    """The formats that have a title, in words."""
    *most, last = [row.title for row in rows if row.title]
    return f"{', '.join(most)} and {last}"


def list_to_lock(path: str, kind: str) -> Document:
    """The document of a requirements or constraints file in pip's format, with environment variables expanded.

    Raises:
        InputError: it cannot be read, or is named as constraints and has another format by its name.
    """
    if kind == "constraints":
        _refuse_other_formats(path)
    return read_as_written(path, read_content(path), kind, os.environ)


def _refuse_other_formats(path: str) -> None:
    """Refuse a constraints file whose name belongs to another format."""
    refuse_unread(path)
    what = belongs_to(path)
    if what and not what.endswith(" constraints"):
        raise InputError(
            f"its name says that it is {what}", path=path, hint="constraints are written in pip's format"
        )


def _kind_of(path: str, raw: bytes) -> str:
    """The format of a file; a requirements file if neither name nor content says one, as for pip."""
    try:
        kind = format_of(path, decode(raw, path).text).kind
    except InputError:
        if suffix_of(name_of(path)).lower() in _NO_LISTS:
            raise
        kind = "requirements"
    return {"constraints": "requirements", "python": "script"}.get(kind, kind)
