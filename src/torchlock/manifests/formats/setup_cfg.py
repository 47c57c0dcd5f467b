"""setup.cfg: the declarative requirements of setuptools."""

from __future__ import annotations

import configparser
import re
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name

from torchlock.location import Span
from torchlock.manifests.builder import DocumentBuilder
from torchlock.manifests.self_references import OwnExtras
from torchlock.manifests.syntax.pep508 import ask
from torchlock.manifests.text import beside, is_there, read_included

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.manifests.document import Document, Entry

_EXTRAS = "options.extras_require"
_READ = ("options", _EXTRAS)
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*$")
_LINE = re.compile(r"[^\r\n]+")


class _Piece(NamedTuple):
    """A line of a value, without what is around it, and where it begins."""

    text: str
    start: int


def read(text: str, path: str) -> Document:
    """Read ``[options]`` and all of ``[options.extras_require]``, each extra in a scope of its own.

    A file that configparser refuses is a problem; its lines are read all the same.
    """
    builder = DocumentBuilder(text, path, "setup.cfg")
    values, lines = _values(text)
    _validate(builder, values)
    builder.document.project = any(section in ("options", _EXTRAS) for section, _ in lines)
    python = values.get(("options", "python_requires"), [])
    if python:
        text_of = " ".join(piece.text for piece in python)
        builder.python_requires(
            "python_requires", text_of, python[0].start, _span(python[0]) if len(python) == 1 else None
        )
    extras: dict[str, list[Entry]] = {
        canonicalize_name(key): _extra(builder, key, lines[section, key], pieces)
        for (section, key), pieces in values.items()
        if section == _EXTRAS
    }
    name = " ".join(piece.text for piece in values.get(("metadata", "name"), []))
    own = OwnExtras(name, extras, builder.document.extras)
    builder.add(own.unfold(_requirements(builder, values.get(("options", "install_requires"), [])), ""))
    for extra, entries in extras.items():
        builder.add(own.unfold(entries, f"extra:{extra}"))
    own.report_to(builder.document)
    for piece in values.get(("options", "dependency_links"), []):
        builder.index("find-links", piece.text, piece.start)
    _refuse_elsewhere(builder, values)
    _note_dashes(builder, lines)
    return builder.document


def _extra(builder: DocumentBuilder, key: str, at: int, pieces: list[_Piece]) -> list[Entry]:
    with builder.within(builder.declare_extra(key.lower(), at)) as scope:
        return [replace(entry, scope=scope) for entry in _requirements(builder, pieces)]


def _refuse_elsewhere(builder: DocumentBuilder, values: dict[tuple[str, str], list[_Piece]]) -> None:
    """Refuse a file without requirements, whose place is another file."""
    if not builder.document.project:
        builder.refuse("has no [options] section", None, hint="setuptools reads requirements from [options]")
    elif ("options", "install_requires") not in values and builder.path != "-":
        script = beside(builder.path, "setup.py")
        if is_there(script) and "install_requires" in read_included(script):
            builder.refuse(f"has no install_requires, which {script} sets", None, hint=f"name it: -r {script}")


def _note_dashes(builder: DocumentBuilder, lines: dict[tuple[str, str], int]) -> None:
    """Note keys of [metadata] and [options] that are written with dashes."""
    for at in (at for (section, key), at in lines.items() if key and section in ("metadata", "options")):
        written = builder.text[at:].split("=", 1)[0].split(":", 1)[0].rstrip()
        if "-" in written and "\n" not in written:
            wanted = written.replace("-", "_")
            builder.note(f"{written} is written with dashes: newer releases of setuptools require {wanted}", at)


def _validate(builder: DocumentBuilder, values: dict[tuple[str, str], list[_Piece]]) -> None:
    """Report what setuptools cannot read, and what it reads and is not read here."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(re.sub(r"\r\n?", "\n", builder.text))
    except configparser.Error as error:
        lines = [line for line, _ in getattr(error, "errors", [])] or [getattr(error, "lineno", None) or 1]
        start = [match.end() for match in re.finditer(r"\r\n?|\n", builder.text)]
        at = [0, *start][min(lines[0] - 1, len(start))]
        reason = _REASONS.get(type(error), "it does not parse")
        builder.issue("TL501", "error", f"is no valid setup.cfg: {reason}", at)
        return
    read = {(section, key) for section, key in values if section in _READ}
    for section in filter(parser.has_section, _READ):
        for key in parser.options(section):
            known = key if section == _EXTRAS else key.replace("-", "_")
            if parser.get(section, key).strip() and (section, known) not in {(a, b.lower()) for a, b in read}:
                message = f"{section}: {key} is not read: it is indented, or it is a default of all sections"
                builder.issue("TL902", "note", message, 0)


_REASONS: dict[type[configparser.Error], str] = {
    configparser.MissingSectionHeaderError: "it has a line in front of its first [section]",
    configparser.ParsingError: "this line is neither a [section] nor key = value",
    configparser.DuplicateOptionError: "this key stands here twice",
    configparser.DuplicateSectionError: "this section stands here twice",
}


def _values(text: str) -> tuple[dict[tuple[str, str], list[_Piece]], dict[tuple[str, str], int]]:
    """The lines of every value by section and key, comments left out, and where each key begins.

    A key's dashes are underscores.
    """
    found: dict[tuple[str, str], list[_Piece]] = {}
    keys: dict[tuple[str, str], int] = {}
    section, pieces = "", []  # type: str, list[_Piece]
    for match in _LINE.finditer(text):
        line, start = match[0], match.start()
        header = re.match(r"\[([^\]]+)\]", line)
        assignment = re.match(r"([^\s#;=:][^=:]*)[=:]", line)
        if header:
            section, pieces = header[1], []
            keys.setdefault((section, ""), start)
            continue
        if assignment:
            key = assignment[1].rstrip()
            key = key if section == _EXTRAS else key.lower().replace("-", "_")
            pieces = found[section, key] = []
            keys.setdefault((section, key), start)
            line, start = line[assignment.end() :], start + assignment.end()
        elif not line[0].isspace() or line.lstrip().startswith((";", "#")):
            continue
        words = _COMMENT.sub("", line)
        if words.strip():
            pieces.append(_Piece(words.strip(), start + len(words) - len(words.lstrip())))
    return found, keys


def _span(piece: _Piece) -> Span:
    return Span(piece.start, piece.start + len(piece.text))


def _requirements(builder: DocumentBuilder, pieces: list[_Piece]) -> list[Entry]:
    """The requirements of a value, or of the files that it names."""
    if pieces and pieces[0].text.startswith("file:"):
        names = ",".join(piece.text for piece in pieces).removeprefix("file:").split(",")
        return [
            entry for name in names if name.strip() for entry in builder.include(name.strip(), pieces[0].start)
        ]
    parts = list(_parted(pieces[0])) if len(pieces) == 1 else pieces
    found = [builder.requirement(part.text, part.start, _span(part)) for part in parts]
    return [entry for entry in found if entry is not None]


def _parted(piece: _Piece) -> Iterator[_Piece]:
    """A value of a single line may hold several requirements, parted by semicolons."""
    if ";" not in piece.text or ask(piece.text) is not None:
        yield piece
        return
    for match in re.finditer(r"[^;]+", piece.text):
        words = match[0]
        if words.strip():
            yield _Piece(words.strip(), piece.start + match.start() + len(words) - len(words.lstrip()))
