"""Builds a document: offsets become places, PEP 508 requirements become entries, invalid ones get fixes."""

from __future__ import annotations

import re
from bisect import bisect_right
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

from torchlock.errors import InputError
from torchlock.location import NOWHERE, Edit, Place, Span
from torchlock.manifests.document import Declared, Document, Entry, IndexLine, ParseIssue
from torchlock.manifests.paths import beside, is_there
from torchlock.manifests.syntax.pep508 import parse_general
from torchlock.manifests.text import read_text
from torchlock.patterns import pattern
from torchlock.redaction import masked, shortened
from torchlock.runtime.project_folder import NOT_QUOTED, is_outside
from torchlock.standards.names import normalise
from torchlock.standards.versions import fault_of_specifier
from torchlock.terms import Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


# The limit of entries, with those of included files: variables, loops and files included many times can produce
# more entries than any real file has.
_MOST = 50_000


# A line of a requirements file with an option, alone or behind a requirement.
_OPTION = pattern(r"\s*-|[^#]*\s--[a-z]")


@dataclass(slots=True)
class Done:
    """The contents of a document so far: issues, included files, and the number of entries.

    ``pythons`` are markers of the Pythons of projects that the last command installs; ``environments`` are the
    Pythons of the environments that commands make. ``scripts`` are the lengths of those that commands run, each as
    often as it is run, ``running`` the paths of those that run at the moment.
    """

    seen: set[tuple[object, ...]] = field(default_factory=set)
    files: dict[str, Document] = field(default_factory=dict)
    entries: int = 0
    pythons: list[str] = field(default_factory=list)
    environments: list[str] = field(default_factory=list)
    scripts: list[int] = field(default_factory=list)
    running: list[str] = field(default_factory=list)


class DocumentBuilder:
    """A document under construction. ``step`` is the number of the command that is being read, else 0."""

    def __init__(self, text: str, path: str, kind: str) -> None:
        self.document = Document(path=path, kind=kind, text=text)
        self.text = text
        self.path = path
        self.done = Done()
        self.scope = ""
        self.step = 0

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer(r"\r\n?|\n", self.text))]

    def place(self, offset: int | None) -> Place:
        """The line and column of an offset in the text; ``NOWHERE`` for None."""
        if offset is None:
            return NOWHERE
        line = bisect_right(self._starts, offset)
        return Place(line, offset - self._starts[line - 1] + 1)

    def offset(self, line: int, column: int = 0) -> int:
        """The offset of a line (from 1) and a column in UTF-8 bytes, as Python's parser counts."""
        start = self._starts[max(0, min(line, len(self._starts)) - 1)]
        rest = self.text[start : start + column]
        if rest.isascii():
            return start + len(rest)
        return start + len(rest.encode("utf-8", "surrogatepass")[:column].decode("utf-8", "replace"))

    def issue(
        self,
        rule: str,
        severity: str,
        message: str,
        at: int | None,
        *,
        because: str = "",
        remedy: str = "",
        edits: tuple[Edit, ...] = (),
        origin: Origin | None = None,
        error: InputError | None = None,
    ) -> None:
        """Record an issue of the current scope at an offset; the same issue only once."""
        found = (rule, severity, message, self.place(at), because, remedy, edits, self.scope)
        if found not in self.done.seen:
            self.done.seen.add(found)
            self.document.issues.append(ParseIssue(*found, origin=origin, error=error))

    def error(self, message: str, at: int | None, *, hint: str | None = None) -> InputError:
        """The error that stops a lock at an offset."""
        return InputError(message, path=self.path, line=self.place(at).line or None, hint=hint)

    def refuse(self, message: str, at: int | None, *, hint: str | None = None) -> None:
        """Record an error that stops a lock of the current scope; audit does not report it."""
        self.document.refusals.append((self.scope, self.error(message, at, hint=hint)))

    def note(self, text: str, at: int | None) -> None:
        """Record a setting that has no effect on a lock."""
        note = Origin(self.path, self.place(at).line, text)
        if note not in self.document.notes:
            self.document.notes.append(note)

    def declare_extra(self, name: str, at: int | None) -> str:
        """Record a declared extra; returns its scope."""
        scope = f"extra:{normalise(name)}"
        self.document.extras.setdefault(normalise(name), Declared(name, self.place(at), scope))
        return scope

    def declare_group(self, name: str, at: int | None, *, alone: bool = False) -> str:
        """Record a declared dependency group; returns its scope.

        ``alone``: it is installed without the rest of the project.
        """
        scope = f"{'alone' if alone else 'group'}:{normalise(name)}"
        self.document.groups.setdefault(normalise(name), Declared(name, self.place(at), scope))
        return scope

    @contextmanager
    def within(self, scope: str) -> Iterator[str]:
        """Record issues for a scope."""
        before, self.scope = self.scope, scope
        try:
            yield scope
        finally:
            self.scope = before

    def requirement(
        self, written: str, at: int | None, exact: Span | None = None, *, quiet: bool = False
    ) -> Entry | None:
        """The entry of a PEP 508 requirement at an offset; None and an issue (TL501) if it is invalid.

        ``exact`` is its span if the file has it character by character, None if the file spells it differently.
        With ``quiet`` no issue is recorded.
        """
        self.done.entries += 1
        if self.done.entries > _MOST:
            if self.done.entries == _MOST + 1:
                message = f"more than {_MOST:,} requirements: those from here on are not judged"
                self.issue("TL902", "note", message, at)
            return None
        asked = parse_general(written)
        if asked is None:
            if not quiet:
                self._no_requirement(written, at, exact)
            return None
        versions = asked.versions if exact is not None else None
        return Entry(
            name=asked.name,
            specifier=asked.specifier,
            place=self.place(at),
            text=written.strip(),
            path=self.path,
            marker=asked.marker,
            extras=asked.extras,
            version=Span(exact.start + versions[0], exact.start + versions[1]) if exact and versions else None,
            url=asked.url,
        )

    def _no_requirement(self, written: str, at: int | None, exact: Span | None) -> None:
        from torchlock.manifests.corrections import suggest
        from torchlock.manifests.syntax.requirement import parse_requirement

        try:
            parse_requirement(written, Origin(self.path, None, written))
        except InputError as error:
            message, because = error.message, error.hint or ""
        else:
            message, because = f"{written!r} is not a requirement: it has no name", ""
        corrected = suggest(written)
        if corrected is None:
            self.issue("TL501", "error", message, at, because=because)
            return
        edits = (Edit(exact, corrected),) if exact is not None else ()
        self.issue("TL501", "error", message, at, because=because, remedy=f"Write {corrected}", edits=edits)

    def index(
        self,
        kind: str,
        address: str,
        at: int | None,
        *,
        tool: str = "",
        name: str = "",
        last: bool = False,
        step: int = 0,
    ) -> None:
        """Record an index address; the same address only once. ``explicit`` ones serve named packages only.

        ``step``: the command that has it as an option.
        """
        lines = self.document.explicit if kind == "explicit" else self.document.indexes
        steps = (step,) if step else ()
        self._index(IndexLine(kind, address, self.place(at), self.path, tool, name, last, steps), lines)

    def _index(self, line: IndexLine, lines: list[IndexLine]) -> None:
        """Record an index address for its commands, unless these already have it."""
        keys = [("index", line.kind, line.address, step) for step in (0, *line.steps)]
        if self.done.seen.isdisjoint(keys):
            self.done.seen.add(keys[-1])
            lines.append(line)

    def take_indexes(self, lines: Iterable[IndexLine]) -> None:
        """Record the indexes of another file, for the command that names it."""
        for line in lines:
            self._join(line._replace(steps=(self.step,)) if self.step else line)

    def confine(self, known: int, steps: range) -> None:
        """Limit the indexes behind the first ``known`` ones to the commands of a part of the file."""
        lines = self.document.indexes
        fresh, lines[known:] = lines[known:], []
        for line in fresh:
            self.done.seen.discard(("index", line.kind, line.address, 0))
            self._join(line if line.steps else line._replace(steps=tuple(steps) or (-1,)))

    def _join(self, line: IndexLine) -> None:
        """Record an index for its commands, beside those that the same place already has it for."""
        lines = self.document.indexes
        number = next((number for number, known in enumerate(lines) if known[:-1] == line[:-1]), None)
        if number is None:
            lines.append(line)
        elif lines[number].steps:
            lines[number] = line._replace(steps=(*lines[number].steps, *line.steps) if line.steps else ())

    def python(self, specifier: str, at: int | None) -> None:
        """Record the Python versions that the file declares; the first declaration counts."""
        if specifier and not self.document.python:
            self.document.python, self.document.python_place = specifier, self.place(at)

    def python_of_command(self, specifier: str, at: int | None) -> None:
        """Record the Python of an environment that a command makes; of several, none counts for the file."""
        known = self.done.environments
        if not self.document.python and not known:
            self.python(specifier, at)
            known.append(specifier)
        elif known and specifier not in known:
            known.append(specifier)
            self.document.python, self.document.python_place = "", NOWHERE

    def python_requires(self, key: str, value: str, at: int | None, exact: Span | None) -> None:
        """Record the Python versions of a key; an issue (TL501) if it is not a specifier set."""
        if not fault_of_specifier(value):
            self.python(str(SpecifierSet(value)), at)
        else:
            from torchlock.manifests.syntax.poetry_constraints import specifier_of

            corrected = specifier_of(value)
            remedy = f"Write {corrected}" if corrected else ""
            edits = (Edit(exact, corrected),) if corrected and exact else ()
            message = f"{key}: {shortened(value)!r} is not a version specifier"
            self.issue("TL501", "error", message, at, remedy=remedy, edits=edits)
            self.python(corrected or "", at)

    def include(
        self,
        name: str,
        at: int | None,
        scope: str = "",
        *,
        constraint: bool = False,
        plain: bool = False,
    ) -> list[Entry]:
        """The entries of a requirements file named here; a note (TL901) if it does not exist.

        With ``plain`` an option in the file is an error, as in setuptools.
        """
        path = beside(self.path, name)
        if "://" in name or not is_there(path):
            what = "is not fetched" if "://" in name else "does not exist"
            message = f"{name} {what}, so its requirements are not judged"
            self.issue("TL901", "note", message, at, error=self.error(f"{path}: there is no such file", at))
            return []
        from torchlock.manifests.formats import requirements_txt

        if path not in self.done.files:
            try:
                self.done.files[path] = requirements_txt.read(read_text(path), path)
            except InputError as error:
                stop = self.error(f"{path}: {error.message}", at, hint=error.hint)
                self.issue("TL901", "note", f"{name} is not judged: {error.message}", at, error=stop)
                return []
            self._take(self.done.files[path], name, at)
        found = self.done.files[path]
        self.take_indexes(found.indexes)
        if plain:
            self._refuse_options(found, name, at)
        if self.done.entries + len(found.entries) > _MOST:
            self.issue(
                "TL901", "note", f"{name} is not judged here: the included files are too large together", at
            )
            return []
        self.done.entries += len(found.entries)
        return [
            replace(
                entry,
                scope=scope,
                constraint=entry.constraint or constraint,
                version=None,
                via=self.place(at),
            )
            for entry in found.entries
        ]

    def _refuse_options(self, found: Document, name: str, at: int | None) -> None:
        """Report the first line with an option; setuptools allows only requirements in such a file."""
        for number, line in enumerate(found.text.splitlines(), 1):
            if _OPTION.match(line):
                message = f"{name}:{number}: setuptools allows no options in a requirements file"
                self.issue("TL501", "error", message, at)
                return

    def _take(self, found: Document, name: str, at: int | None) -> None:
        """Take the notes and issues of an included file."""
        for path in (found.path, *found.includes):
            if ("include", path) not in self.done.seen:
                self.done.seen.add(("include", path))
                self.document.includes.append(path)
        self.document.notes += found.notes
        self.document.pre = self.document.pre or found.pre
        outside = bool(found.issues) and is_outside(found.path, self.path)
        for issue in _first_of_each(found.issues) if outside else found.issues:
            where = f"{name}:{issue.place.line}" if issue.place.line else name
            message, because = (NOT_QUOTED, "") if outside else (issue.message, issue.because)
            origin = issue.origin or Origin(found.path, issue.place.line, message)
            self.issue(
                issue.rule,
                issue.severity,
                masked(f"{where}: {message}"),
                at,
                because=because,
                origin=None if outside else origin,
                error=None if outside else issue.error,
            )

    def add(self, entries: Iterable[Entry | None]) -> None:
        """Add entries; None is skipped."""
        self.document.entries += [entry for entry in entries if entry is not None]


def _first_of_each(issues: Iterable[ParseIssue]) -> Iterable[ParseIssue]:
    """The first issue of each rule."""
    return {issue.rule: issue for issue in reversed(list(issues))}.values()
