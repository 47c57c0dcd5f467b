"""Fixes as remedies of findings, and as a new text of the file."""

from __future__ import annotations

import os
import re

from torchlock.audit.fix.edits import apply, changes_of
from torchlock.audit.fix.variables import value_of
from torchlock.audit.phrasing import listed
from torchlock.finding import Remedy
from torchlock.location import Edit, Span
from torchlock.patterns import pattern
from torchlock.standards.dependency import readable_specifier
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torchlock.finding import Finding
    from torchlock.manifests.document import Document, Entry

# The sign that continues a command in the next line: of a POSIX shell, of cmd, of PowerShell.
_CONTINUED = pattern(r"[\\^`][ \t]*\Z")
_QUOTES = pattern(r"\\.|(?P<quote>[\"'])", re.DOTALL)


def remedy_of(document: Document, changes: Mapping[int, str]) -> Remedy:
    """The remedy with these changes: in words, as changed lines, and as edits of the text."""
    entries = document.entries
    steps = dict.fromkeys(_step(entries[index], new) for index, new in changes.items())
    summary = f"Write {listed(list(steps))}"
    edits = edits_of(document, changes)
    fixed = [
        entries[index] for index, new in changes.items() if not _edits_of_entry(document, entries[index], new)
    ]
    if fixed:
        return Remedy(f"{summary}{_elsewhere(document, fixed)}.")
    return Remedy(f"{summary}.", changes_of(document, edits), edits)


def _elsewhere(document: Document, entries: Sequence[Entry]) -> str:
    """Where to write what this file does not state itself."""
    others = dict.fromkeys(f"{os.path.normpath(each.path)}:{each.place.line}" for each in entries if each.via.line)
    if others:
        return f" in {listed(list(others))}"
    if not document.locked and not any(entry.hashes for entry in entries):
        return " where this file sets the value"
    return " in the input of this file, and generate the file again"


def edits_of(document: Document, changes: Mapping[int, str]) -> tuple[Edit, ...]:
    """The edits that write new specifiers. An entry that an edit cannot fix is left out."""
    edits = [
        edit for index, new in changes.items() for edit in _edits_of_entry(document, document.entries[index], new)
    ]
    return tuple(dict.fromkeys(edits))


def _edits_of_entry(document: Document, entry: Entry, new: str) -> list[Edit]:
    """The edits that write a new specifier of one entry; where a variable is its version, those of its value."""
    span = entry.version
    if entry.hashes:
        return []  # The hashes belong to another release.
    if span is None:
        value = value_of(document, entry)
        return [Edit(value, new[2:])] if value is not None and re.fullmatch(r"==[\w.+!]+", new) else []
    written = rewritten(document.text[span.start : span.end], new, entry.style)
    return _quoted(document.text, span, written, document.kind) if entry.shell else [Edit(span, written)]


def _quoted(text: str, span: Span, written: str, kind: str) -> list[Edit]:
    """An edit that quotes the whole word of a range (a shell reads ``<`` as a file); none if quotes do not fit."""
    start = max(text.rfind(blank, 0, span.start) for blank in " \t\n\r") + 1
    if not re.search(r"[<>!*;]", written) or re.search(r"[\"']", text[start : span.start]):
        return [Edit(span, written)]
    opened = _open_quotes(text, _command_start(text, start), start)
    mark = "'" if '"' in opened else '"'
    if mark in opened or (mark == "'" and kind == "batch"):
        return []
    return [Edit(Span(start, start), mark), Edit(span, f"{written}{mark}")]


def _command_start(text: str, at: int) -> int:
    """The offset where the command of a place begins; the command may continue over several lines."""
    start = max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1
    while start:
        before = max(text.rfind("\n", 0, start - 1), text.rfind("\r", 0, start - 1)) + 1
        if not _CONTINUED.search(text[before:start].rstrip("\r\n")):
            break
        start = before
    return start


def _open_quotes(text: str, start: int, end: int) -> set[str]:
    """The quotes that are still open at the end of a range of text."""
    counts = {'"': 0, "'": 0}
    for match in _QUOTES.finditer(text, start, end):
        if match["quote"]:
            counts[match["quote"]] += 1
    return {mark for mark, count in counts.items() if count % 2}


def relevant(finding: Finding, document: Document, changes: Mapping[int, str]) -> dict[int, str]:
    """The changes on the lines of a finding, else those of its packages, else all."""
    places = {finding.place, *finding.related}
    names = {name for name, _ in finding.packages}
    here = {index: new for index, new in changes.items() if document.entries[index].place in places}
    mine = {index: new for index, new in changes.items() if document.entries[index].name in names}
    return here or mine or dict(changes)


def fixed(document: Document, changes: Mapping[int, str]) -> str:
    """The text of the document with these changes made; all other characters stay."""
    return apply(document.text, edits_of(document, changes))


def rewritten(written: str, new: str, style: str) -> str:
    """A specifier in the syntax of its format, with the new version in it."""
    if style == "conda":
        return re.sub(r"^==", "=", new) if not written.lstrip().startswith("==") else new
    if style == "poetry":
        if new.startswith("==") and not written.lstrip().startswith("="):
            return new[2:]
        return new
    old = re.fullmatch(r"(\s*)(===?|~=|[<>]=?|!=)(\s*)[^\s,]+(\s*)", written)
    made = re.fullmatch(r"(===?|~=|[<>]=?)(.+)", new)
    if old and made and "," not in new:
        return f"{old[1]}{made[1]}{old[3]}{made[2]}{old[4]}"
    if "," in new and written.strip() and new.startswith(written.strip()):
        return written.rstrip() + new[len(written.strip()) :]
    return new


def _step(entry: Entry, new: str) -> str:
    """One change in words: what to write, and whether it goes back across a major version."""
    was = readable_specifier(entry.specifier) if entry.specifier else ""
    text = f"{entry.name}{new} instead of {entry.name}{was}"
    before, after = re.search(r"(?<!\d)(\d+)\.(\d+)", entry.specifier), re.search(r"==\s*(\d+)\.(\d+)", new)
    if before and after and entry.specifier.lstrip().startswith(("=", "~", "^")):
        if int(after[1]) < int(before[1]):
            text += " (an older major version)"
        elif after[1] == before[1] == "0" and int(after[2]) < int(before[2]) - 4:
            text += " (a much older release)"
    return text
