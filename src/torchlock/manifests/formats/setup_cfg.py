"""setup.cfg: the declarative requirements of setuptools."""

from __future__ import annotations

import configparser
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from torchlock.location import Span
from torchlock.manifests.builder import DocumentBuilder
from torchlock.manifests.paths import beside, is_there
from torchlock.manifests.self_references import OwnExtras
from torchlock.manifests.text import read_included
from torchlock.patterns import pattern
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.manifests.document import Document, Entry

_EXTRAS = "options.extras_require"
_COMMENT = pattern(r"(?:^|(?<=\s))#.*$")
_LINE = pattern(r"[^\r\n]+")
_HEADER = pattern(r"\[(.+)\]")
_ASSIGNMENT = pattern(r"([^=:]*)[=:]")


class _Piece(NamedTuple):
    """A line of a value without surrounding spaces, and its offset."""

    text: str
    start: int


@dataclass
class _Value:
    """The value of a key: its lines without comment lines, and whether it ends on the line of its key."""

    key: str
    start: int
    pieces: list[_Piece] = field(default_factory=list)
    one_line: bool = True

    @property
    def text(self) -> str:
        """The value as setuptools reads it."""
        return "\n".join(piece.text for piece in self.pieces)


_Values = dict[tuple[str, str], _Value]


def read(text: str, path: str) -> Document:
    """Read ``[options]`` and all of ``[options.extras_require]``, each extra in its own scope.

    A file that configparser refuses has an issue; its lines are still read.
    """
    builder = DocumentBuilder(text, path, "setup.cfg")
    _validate(builder)
    values, sections = _values(text)
    builder.document.project = not sections.keys().isdisjoint(("options", _EXTRAS))
    _python(builder, values.get(("options", "python_requires")))
    extras: dict[str, list[Entry]] = {}
    for (section, key), value in values.items():
        if section == _EXTRAS:
            extras.setdefault(normalise(key), []).extend(_extra(builder, value))
    name = values.get(("metadata", "name"))
    own = OwnExtras(name.text if name else "", extras, builder.document.extras)
    builder.add(own.unfold(_requirements(builder, values.get(("options", "install_requires"))), ""))
    for extra, entries in extras.items():
        builder.add(own.unfold(entries, f"extra:{extra}"))
    own.report_to(builder.document)
    links = values.get(("options", "dependency_links"))
    for piece in links.pieces if links else ():
        builder.index("find-links", piece.text, piece.start)
    _refuse_elsewhere(builder, values)
    _report_spellings(builder, values, sections)
    return builder.document


def _python(builder: DocumentBuilder, value: _Value | None) -> None:
    if value is not None and value.pieces:
        first = value.pieces[0]
        exact = _span(first) if len(value.pieces) == 1 else None
        builder.python_requires("python_requires", value.text, first.start, exact)


def _extra(builder: DocumentBuilder, value: _Value) -> list[Entry]:
    with builder.within(builder.declare_extra(value.key, value.start)) as scope:
        return [replace(entry, scope=scope) for entry in _requirements(builder, value)]


def _refuse_elsewhere(builder: DocumentBuilder, values: _Values) -> None:
    """Refuse a file without requirements if another file has them."""
    if not builder.document.project:
        builder.refuse("has no [options] section", None, hint="setuptools reads requirements from [options]")
    elif ("options", "install_requires") not in values and builder.path != "-":
        script = beside(builder.path, "setup.py")
        if is_there(script) and "install_requires" in read_included(script):
            builder.refuse(f"has no install_requires, which {script} sets", None, hint=f"name it: -r {script}")


def _report_spellings(builder: DocumentBuilder, values: _Values, sections: dict[str, int]) -> None:
    """Report keys of [metadata] and [options] with dashes as notes, and a section with dashes as an error."""
    for (section, _), value in values.items():
        if "-" in value.key and section in ("metadata", "options"):
            wanted = value.key.replace("-", "_")
            note = f"{value.key} is written with dashes: newer releases of setuptools require {wanted}"
            builder.note(note, value.start)
    for section, at in sections.items():
        if section != _EXTRAS and section.lower().replace("-", "_") == _EXTRAS:
            message = f"[{section}] is not a section of setuptools"
            builder.issue("TL501", "error", message, at, because=f"its name is [{_EXTRAS}]")


def _validate(builder: DocumentBuilder) -> None:
    parser = configparser.RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # as in setuptools
    try:
        parser.read_string(re.sub(r"\r\n?", "\n", builder.text))
    except configparser.Error as error:
        lines = [line for line, _ in getattr(error, "errors", [])] or [getattr(error, "lineno", None) or 1]
        start = [match.end() for match in re.finditer(r"\r\n?|\n", builder.text)]
        at = [0, *start][min(lines[0] - 1, len(start))]
        reason = _REASONS.get(type(error), "it does not parse")
        builder.issue("TL501", "error", f"is not a valid setup.cfg: {reason}", at)


_REASONS: dict[type[configparser.Error], str] = {
    configparser.MissingSectionHeaderError: "it has a line in front of its first [section]",
    configparser.ParsingError: "this line is neither a [section] nor key = value",
    configparser.DuplicateOptionError: "this key is given twice",
    configparser.DuplicateSectionError: "this section is given twice",
}


def _values(text: str) -> tuple[_Values, dict[str, int]]:
    """The values by section and key, and the offset of each section.

    As in configparser, a line that is indented deeper than its key continues the value, and keys of [DEFAULT]
    apply to every section. Dashes in keys become underscores.
    """
    found: _Values = {}
    sections: dict[str, int] = {}
    section, indent = "", 0
    value: _Value | None = None
    for match in _LINE.finditer(text):
        line = match[0].strip()
        depth = len(match[0]) - len(match[0].lstrip())
        if not line or line.startswith(("#", ";")):
            continue
        start = match.start() + depth
        if value is not None and depth > indent:
            value.pieces.append(_Piece(line, start))
            value.one_line = False
            continue
        indent, value = depth, None
        if header := _HEADER.match(line):
            section = header[1]
            sections.setdefault(section, start)
        elif assignment := _ASSIGNMENT.match(line):
            value = found[section, _key(section, assignment[1])] = _assigned(line, start, assignment)
    for (_, key), default in [item for item in found.items() if item[0][0] == "DEFAULT"]:
        for name in sections:
            found.setdefault((name, _key(name, key)), default)
    return found, sections


def _key(section: str, written: str) -> str:
    key = written.strip()
    return key if section == _EXTRAS else key.lower().replace("-", "_")


def _assigned(line: str, start: int, assignment: re.Match[str]) -> _Value:
    """A value that begins on the line of its key."""
    rest = line[assignment.end() :]
    words = rest.strip()
    at = start + len(line) - len(rest.lstrip())
    return _Value(assignment[1].strip(), start, [_Piece(words, at)] if words else [])


def _span(piece: _Piece) -> Span:
    return Span(piece.start, piece.start + len(piece.text))


def _requirements(builder: DocumentBuilder, value: _Value | None) -> list[Entry]:
    """The requirements of a value, or of the files that it names."""
    if value is None:
        return []
    if value.text.startswith("file:"):
        names = [name.strip() for name in value.text.removeprefix("file:").split(",")]
        at = value.pieces[0].start
        return [entry for name in names if name for entry in builder.include(name, at, plain=True)]
    parts = [part for piece in value.pieces for part in _parts(piece, alone=value.one_line)]
    found = [builder.requirement(part.text, part.start, _span(part)) for part in parts]
    return [entry for entry in found if entry is not None]


def _parts(piece: _Piece, *, alone: bool) -> Iterator[_Piece]:
    """The requirements on a line without its comment: one, or with ``alone`` several separated by semicolons."""
    at = piece.start
    text = _COMMENT.sub("", piece.text)
    for part in text.split(";") if alone else [text]:
        if part.strip():
            yield _Piece(part.strip(), at + len(part) - len(part.lstrip()))
        at += len(part) + 1
