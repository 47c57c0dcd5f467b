"""The pins of an existing lock, of any format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.errors import InputError
from torchlock.manifests.reader import read_as_written, read_content

if TYPE_CHECKING:
    from torchlock.manifests.document import Document


def read_pins(path: str, kind: str) -> dict[str, str]:
    """The versions that a lock pins, by normalised name, without packages that have no version.

    Of several versions of one package, for different environments, the first one counts.

    Raises:
        InputError: the file cannot be read as a lock of this kind.
    """
    return pins_of(read_lock(path, kind))


def read_lock(path: str, kind: str) -> Document:
    """Read an existing lock.

    Raises:
        InputError: the file cannot be read as a lock of this kind.
    """
    document = read_as_written(path, read_content(path), kind, {})
    for issue in document.issues:
        if issue.severity == "error":
            where, line, message = issue.origin or (path, issue.place.line, issue.message)
            raise InputError(message, path=where, line=line or None, hint=issue.because or None)
    return document


def pins_of(document: Document) -> dict[str, str]:
    """The versions that the entries of a document pin, by normalised name."""
    found: dict[str, str] = {}
    for entry in document.entries:
        version = exact_version(entry.specifier)
        if version and entry.name and not entry.constraint and entry.channel == "pip":
            found.setdefault(entry.name, version)
    return found


def exact_version(specifier: str) -> str:
    """The one version that a specifier set pins; "" if it pins none."""
    version = specifier[2:]
    is_pin = specifier.startswith("==") and not version.startswith("=") and not {*version} & {*",*"}
    return version if is_pin else ""
