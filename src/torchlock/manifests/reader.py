"""Reads a file of any format into a document. The name decides the format, else the content."""

from __future__ import annotations

import os
from importlib import import_module

from torchlock.errors import InputError
from torchlock.location import Place
from torchlock.manifests import merge_conflicts
from torchlock.manifests.decoding import decode
from torchlock.manifests.detection import Detected, format_of, may_be_space, refuse_unread
from torchlock.manifests.document import Document, ParseIssue
from torchlock.manifests.formats import BY_KIND
from torchlock.manifests.paths import is_folder, is_there
from torchlock.manifests.text import read_bytes
from torchlock.manifests.validation import drop_invalid
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchlock.manifests.decoding import Decoded

# Formats in which pip expands environment variables.
_EXPANDED = frozenset({"requirements", "constraints", "conda"})

_DEEP = "it is nested deeper than any tool of this format allows"


def kind_of(path: str, head: str | None) -> str:
    """The format of a file, one of ``Document.kind``: by its name, else by the beginning of its text.

    Raises:
        InputError: there is no reader for this kind of file.
    """
    return format_of(path, head or "").kind


def read_document(path: str, *, raw: bytes | None = None, kind: str | None = None) -> Document:
    """Read a file, ``-`` for standard input, for audit: its overrides and sources are applied.

    ``raw`` is its content and ``kind`` its format, if they are already known.

    Raises:
        InputError: it cannot be read, or there is no reader for this kind of file.
    """
    from torchlock.manifests.named_platforms import assume_platforms
    from torchlock.manifests.refinement import refine

    document, decoded = _read(path, raw, kind, None)
    refine(document)
    assume_platforms(document)
    # Commands also use settings outside of the file.
    if BY_KIND[document.kind].role == "commands" and document.entries:
        from torchlock.manifests.installer_settings import apply_settings

        apply_settings(document)
    return _checked(document, decoded)


def read_as_written(path: str, raw: bytes, kind: str, variables: Mapping[str, str]) -> Document:
    """Read the content of a file for lock: every entry as written, with nameless addresses.

    ``variables`` replace ``${NAME}`` in formats in which pip does so. ``kind`` is the format.

    Raises:
        InputError: it is not text.
    """
    return _checked(*_read(path, raw, kind, variables))


def read_content(path: str) -> bytes:
    """The bytes of a file, ``-`` for standard input; a pipe is read only if the shell created it.

    Raises:
        InputError: it cannot be read, or might never end.
    """
    opened = path == "-" or path.startswith(("/dev/fd/", "/dev/stdin", "/proc/"))
    if not opened and is_there(path) and not is_folder(path) and not os.path.isfile(path):
        raise InputError("is not a regular file", path=path)
    return read_bytes(path)


def _read(
    path: str, raw: bytes | None, kind: str | None, variables: Mapping[str, str] | None
) -> tuple[Document, Decoded]:
    if kind is None and not may_be_space(path):
        refuse_unread(path)
    decoded = decode(read_content(path) if raw is None else raw, path)
    detected = format_of(path, decoded.text) if kind is None else Detected(kind)
    row = BY_KIND[detected.kind]
    reader = getattr(import_module(f"torchlock.manifests.formats.{row.module}"), row.function)
    arguments = (variables,) if detected.kind in _EXPANDED else ()
    try:
        document: Document = reader(decoded.text, path, *arguments)
    except RecursionError:
        issues = [ParseIssue("TL501", "error", _DEEP, Place(1))]
        document = Document(path, detected.kind, decoded.text, issues=issues)
    document.kind, document.guessed = detected
    return document, decoded


def _checked(document: Document, decoded: Decoded) -> Document:
    """The document without entries that no installer can evaluate, and with the issues in its bytes."""
    if any(entry.channel == "conda" for entry in document.entries):
        from torchlock.manifests.conda_builds import infer_builds

        infer_builds(document)
    drop_invalid(document)
    merge_conflicts.report_markers(document)
    return decoded.apply_to(document)
