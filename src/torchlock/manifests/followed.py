"""Projects and environments that a command installs from a folder or file: ``pip install .``, ``uv sync``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from torchlock.errors import InputError
from torchlock.manifests.paths import is_there
from torchlock.manifests.working_folder import PROJECT_FILES
from torchlock.patterns import pattern
from torchlock.records import replace
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from torchlock.manifests.builder import DocumentBuilder
    from torchlock.manifests.document import Document, Entry

_CLAUSE = pattern(r"(~=|===?|!=|<=?|>=?)\s*(\S+)")


class Asked(NamedTuple):
    """The parts of a project that a command installs: None for all extras or groups. ``uv``: uv installs it."""

    extras: Collection[str] | None = ()
    groups: Collection[str] | None = ()
    uv: bool = False
    only_groups: bool = False

    def scopes(self, document: Document) -> set[str]:
        """The scopes of a document that the command installs."""
        extras = [item.scope for name, item in document.extras.items() if self._names(name, self.extras)]
        groups = [item.scope for name, item in document.groups.items() if self._names(name, self.groups)]
        return {*([] if self.only_groups else [""]), *extras, *groups}

    @staticmethod
    def _names(name: str, asked: Collection[str] | None) -> bool:
        return asked is None or name in map(normalise, asked)


def project_entries(builder: DocumentBuilder, folder: str, asked: Asked, at: int) -> list[Entry]:
    """The requirements of the project in a folder, each with the place of the command.

    ``pyproject.toml`` states them, else ``setup.cfg`` and ``setup.py``. What cannot be read gets a note (TL901).
    """
    found: list[Entry] = []
    for name in PROJECT_FILES:
        path = str(Path(folder, name))
        if (name == "pyproject.toml" or not found) and is_there(path):
            found += file_entries(builder, path, asked, at)
    return found


def file_entries(builder: DocumentBuilder, path: str, asked: Asked, at: int) -> list[Entry]:
    """The requirements in one file of any format, each with the place of the command."""
    document = _document(builder, path, at, uv=asked.uv)
    if document is None:
        return []
    scopes = asked.scopes(document)
    take_issues(builder, document, scopes, at)
    if path not in builder.document.includes:
        builder.document.includes.append(path)
    if asked.uv or document.kind == "conda":
        builder.take_indexes(document.indexes)
    if document.kind != "conda":
        builder.done.pythons += python_markers(document.python)
    place = builder.place(at)
    return [
        replace(entry, scope="", version=None, via=place)
        for entry in document.entries
        if entry.scope in scopes and entry.name not in ("", "python")
    ]


def _document(builder: DocumentBuilder, path: str, at: int, *, uv: bool) -> Document | None:
    """The file as pip reads it, or as uv does, with its sources and overrides; None and a note if it cannot be."""
    from torchlock.manifests.reader import read_as_written, read_content, read_document

    key = f"{'uv' if uv else 'pip'}:{path}"
    if key not in builder.done.files:
        from torchlock.manifests.detection import kind_by_name

        try:
            kind = kind_by_name(path)
            plain = not uv and kind in ("pyproject", "setup.cfg", "setup.py")
            document = read_as_written(path, read_content(path), str(kind), {}) if plain else read_document(path)
        except InputError as error:
            stop = builder.error(f"{path}: {error.message}", at, hint=error.hint)
            builder.issue("TL901", "note", f"{path} is not judged: {error.message}", at, error=stop)
            return None
        builder.done.files[key] = document
    return builder.done.files[key]


def take_issues(builder: DocumentBuilder, document: Document, scopes: Collection[str], at: int) -> None:
    """The first issue of each rule: the audit of the file itself has them all."""
    seen: set[str] = set()
    for issue in document.issues:
        if issue.scope in scopes and issue.rule not in seen:
            seen.add(issue.rule)
            where = f"{document.path}:{issue.place.line}" if issue.place.line else document.path
            builder.issue(issue.rule, issue.severity, f"{where}: {issue.message}", at, because=issue.because)


def python_markers(python: str) -> Iterator[str]:
    """The Pythons of a project or environment as markers."""
    for clause in python.split(","):
        if match := _CLAUSE.fullmatch(clause.strip()):
            yield f"python_full_version {match[1]} '{match[2]}'"


def extras_of(text: str) -> tuple[str, list[str]]:
    """``.[audio,dev]`` as a path and its extras."""
    path, bracket, inside = text.partition("[")
    names: Iterable[str] = inside.partition("]")[0].split(",") if bracket else ()
    return path.strip() or ".", [name.strip() for name in names if name.strip()]
