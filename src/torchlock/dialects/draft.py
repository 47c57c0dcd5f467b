"""A document that is being read: places from offsets, entries from PEP 508 requirements, mends of what is none."""

from __future__ import annotations

import re
from bisect import bisect_right
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from torchlock.dialects.poetry_versions import specifier_of
from torchlock.document import NOWHERE, Document, Edit, Entry, IndexLine, Place, Problem, Span
from torchlock.errors import InputError
from torchlock.read.requirement import parse_requirement
from torchlock.read.text import beside, is_there, read_text
from torchlock.words import Origin, without_credentials

if TYPE_CHECKING:
    from collections.abc import Iterable

_NAME = r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?"
# Name and extras; behind them the specifier, which may stand in parentheses, and the marker.
_HEAD = re.compile(rf"\s*{_NAME}(?:\s*\[[^\]]*\])?")
_TAIL = re.compile(r"\s*(?:\(\s*)?(?P<versions>[^;()]*?)\s*(?:\)\s*)?(?:;.*)?", re.DOTALL)
_BROKEN = re.compile(
    rf"(?P<name>\s*{_NAME}(?:\[[^\]]*\])?)\s*(?P<operator>[\^~=<>!]*)\s*(?P<version>\d[\w.+!*-]*)(?P<rest>\s*(?:;.*)?)"
)
# Besides packaging's own error, what odd strings and deep parentheses in markers bring about.
_UNPARSED = (ValueError, SyntaxError, RecursionError)


class Draft:
    """One document, grown by its reader."""

    def __init__(self, text: str, path: str, kind: str) -> None:
        self.document = Document(path=path, kind=kind, text=text)
        self.text = text
        self.path = path

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer(r"\r\n?|\n", self.text))]

    def place(self, offset: int | None) -> Place:
        """The line and column of an offset in the text; nowhere for None."""
        if offset is None:
            return NOWHERE
        line = bisect_right(self._starts, offset)
        return Place(line, offset - self._starts[line - 1] + 1)

    def problem(
        self,
        rule: str,
        severity: str,
        message: str,
        at: int | None,
        *,
        because: str = "",
        remedy: str = "",
        edits: tuple[Edit, ...] = (),
    ) -> None:
        """Record a problem at an offset, each once."""
        found = Problem(rule, severity, message, self.place(at), because, remedy, edits)
        if found not in self.document.problems:
            self.document.problems.append(found)

    def requirement(
        self, written: str, at: int | None, exact: Span | None = None, *, quiet: bool = False
    ) -> Entry | None:
        """The entry for a PEP 508 requirement that begins at an offset; None and a problem (TL501) if it is none.

        ``exact`` is where it stands character by character, None if the file spells it otherwise. With
        ``quiet`` no problem is recorded.
        """
        requirement = parsed(written)
        if requirement is None:
            if not quiet:
                self._no_requirement(written, at, exact)
            return None
        versions = versions_in(written) if exact is not None and requirement.url is None else None
        return Entry(
            name=canonicalize_name(requirement.name),
            specifier=str(requirement.specifier),
            place=self.place(at),
            text=written.strip(),
            path=self.path,
            marker=str(requirement.marker or ""),
            extras=tuple(sorted(map(canonicalize_name, requirement.extras))),
            version=Span(exact.start + versions.start, exact.start + versions.end) if exact and versions else None,
            url=requirement.url,
        )

    def _no_requirement(self, written: str, at: int | None, exact: Span | None) -> None:
        try:
            parse_requirement(written, Origin(self.path, None, written))
        except InputError as error:
            message, because = without_credentials(error.message), error.hint or ""
        else:
            message, because = f"{without_credentials(written)!r} is no requirement: it has no name", ""
        mended = mend(written)
        if mended is None:
            self.problem("TL501", "error", message, at, because=because)
            return
        edits = (Edit(exact, mended),) if exact is not None else ()
        self.problem("TL501", "error", message, at, because=because, remedy=f"Write {mended}", edits=edits)

    def index(self, kind: str, address: str, at: int | None) -> None:
        """Record an address that packages are taken from, each once."""
        line = IndexLine(kind, address, self.place(at), self.path)
        if not any((known.kind, known.address) == (kind, address) for known in self.document.indexes):
            self.document.indexes.append(line)

    def python(self, specifier: str, at: int | None) -> None:
        """Record what the file says of Python, if nothing has been said before."""
        if specifier and not self.document.python:
            self.document.python, self.document.python_place = specifier, self.place(at)

    def include(self, name: str, at: int | None, scope: str = "", *, constraint: bool = False) -> list[Entry]:
        """The entries of a requirements file named here, in place; a note (TL901) where it is not there."""
        from torchlock.dialects import requirements

        path = beside(self.path, name)
        if "://" in name or not is_there(path):
            self.problem("TL901", "note", f"{name} is not there, so what it asks for is not judged", at)
            return []
        try:
            found = requirements.read(read_text(path), path)
        except InputError as error:
            self.problem("TL901", "note", f"{name} is not judged: {error.message}", at)
            return []
        self._take(found, name, at)
        return [
            replace(entry, scope=scope, constraint=entry.constraint or constraint, version=None)
            for entry in found.entries
        ]

    def _take(self, found: Document, name: str, at: int | None) -> None:
        """What an included file says beside its entries."""
        self.document.includes += [
            path for path in (found.path, *found.includes) if path not in self.document.includes
        ]
        self.document.indexes += found.indexes
        self.document.pre = self.document.pre or found.pre
        for problem in found.problems:
            where = f"{name}:{problem.place.line}" if problem.place.line else name
            self.problem(
                problem.rule, problem.severity, f"{where}: {problem.message}", at, because=problem.because
            )

    def add(self, entries: Iterable[Entry | None]) -> None:
        """Take up entries, passing over what could not be read."""
        self.document.entries += [entry for entry in entries if entry is not None]


def parsed(written: str) -> Requirement | None:
    """A PEP 508 requirement, or None."""
    with suppress(*_UNPARSED):
        return Requirement(written)
    return None


def versions_in(written: str) -> Span | None:
    """Where a PEP 508 requirement holds its versions, or could: empty behind the name where there are none."""
    head = _HEAD.match(written)
    tail = _TAIL.fullmatch(written, head.end()) if head else None
    if head is None or tail is None:
        return None
    if tail["versions"]:
        return Span(*tail.span("versions"))
    return None if "(" in tail[0].partition(";")[0] else Span(head.end(), head.end())


def mend(written: str) -> str | None:
    """What was meant by a string that is no PEP 508 requirement, where that is plain."""
    broken = _BROKEN.fullmatch(written)
    if not broken:
        return None
    name, operator, version, rest = broken.group("name", "operator", "version", "rest")
    if operator in ("", "=") or ("+" in version and operator in ("~=", ">=", "<=", ">", "~", "^")):
        versions = f"=={version}" if operator not in ("<=", ">") else None
    elif operator in ("^", "~", "^=", "~>"):
        versions = specifier_of(f"{'^' if '^' in operator else '~'}{version}")
    elif operator in ("=>", "=<"):
        versions = f"{operator[::-1]}{version}"
    elif operator in (">=", "<=", ">", "<", "~=") and version.endswith(".*"):
        versions = f"{operator}{version.removesuffix('.*')}"
    else:
        versions = None
    found = f"{name}{versions}{rest}" if versions else None
    return found if found and parsed(found) else None
