"""What the tests of the formats share: a document in short words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.audit import Auditor
from torchlock.manifests import read_document

if TYPE_CHECKING:
    from torchlock.manifests.document import Document

# Pairs that cannot load, and the right one, as most formats write them.
TORCH, AUDIO, FITTING = "torch==2.7.0", "torchaudio==2.6.0", "torchaudio==2.7.0"


def read(path: str, text: str) -> Document:
    """A file of this name and text."""
    return read_document(path, raw=text.encode())


def asked(document: Document) -> list[tuple[str, str]]:
    """Names and specifiers, in the order of the file."""
    return [(entry.name, entry.specifier) for entry in document.entries]


def scopes(document: Document) -> dict[str, list[str]]:
    """What is installed together, by scope."""
    found: dict[str, list[str]] = {}
    for entry in document.entries:
        found.setdefault(entry.scope, []).append(entry.name)
    return found


def stretches(document: Document) -> list[str | None]:
    """What an edit would replace."""
    return [document.text[slice(*entry.version)] if entry.version else None for entry in document.entries]


def rules(document: Document) -> list[tuple[str, str, int]]:
    """What could not be read, and on which lines."""
    return [(problem.rule, problem.severity, problem.place.line) for problem in document.issues]


def fixed(path: str, raw: bytes) -> bytes | None:
    """The file as --fix leaves it, None where it changes nothing."""
    return Auditor().fixed(path, raw=raw)


def errors(path: str, raw: bytes) -> list[tuple[str, int]]:
    """The errors of an audit, with their lines."""
    report = Auditor().report(path, raw)
    assert report.error is None, report.error
    return [(each.rule, each.place.line) for each in report.findings if each.severity == "error"]
