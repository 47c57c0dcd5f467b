"""Lists that ``conda list --export`` writes for ``conda create --file``: one ``name=version=build`` per line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock.knowledge.stack import FAMILY
from torchlock.location import Place, Span
from torchlock.manifests.conda_builds import label_of
from torchlock.manifests.document import Document, Entry, ParseIssue
from torchlock.manifests.syntax import conda_match_spec
from torchlock.patterns import pattern
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER = "# This file may be used to create an environment using"
_PLATFORM = pattern(r"^# platform: (\S+)", re.MULTILINE)
_ROW = pattern(r"(?P<indent>\s*)(?P<written>[\w.-](?:[^#;@/]*[^\s#;@/])?)\s*(?:(?<=\s)#.*)?")
_SINGLE = pattern(r"[^=<>!~]+=[^=]")
_BUILD = pattern(r"[^=<>!~]+==?[^=]+=(?P<build>[^=]+)")


class _Row(NamedTuple):
    """A package. ``offset`` is the start of ``written`` in the text."""

    line: int
    column: int
    offset: int
    written: str
    spec: conda_match_spec.MatchSpec

    @property
    def from_pip(self) -> bool:
        """Whether pip installed the package, so that conda only lists it."""
        return self.spec.build.startswith("pypi")


def is_conda_list(text: str) -> bool:
    """Whether all lines can be conda's, and enough of them can only be conda's."""
    written = []
    for row in _rows(text):
        if row is None:
            return False
        written.append(row.written)
    single = sum(bool(_SINGLE.match(row)) for row in written)
    return bool(single) and (_HEADER in text or any(map(_BUILD.fullmatch, written)) or single * 2 > len(written))


def read(text: str, path: str) -> Document:
    """Read a list that conda wrote."""
    document = Document(path=path, kind="requirements", text=text)
    platform = _PLATFORM.search(text)
    if platform and platform[1] in conda_match_spec.SUBDIRS:
        document.platforms = (conda_match_spec.SUBDIRS[platform[1]],)
    rows = [row for row in _rows(text) if row is not None]
    for row in rows:
        if row.spec.name != "python":
            document.entries.append(_entry(row, path))
        elif not document.python:
            document.python, document.python_place = row.spec.specifier or "", Place(row.line, row.column)
    foreign = [row for row in rows if row.from_pip]
    if foreign:
        document.issues.append(_foreign(foreign))
    return document


def _rows(text: str) -> Iterator[_Row | None]:
    """The packages; None for an invalid line."""
    offset = 0
    for number, line in enumerate(re.split(r"(?<=\n)|(?<=\r)(?!\n)", text), 1):
        bare = line.strip()
        if bare and not bare.startswith("#"):
            match = _ROW.fullmatch(line.rstrip())
            spec = conda_match_spec.parse(match["written"]) if match else None
            start = match.start("written") if match else 0
            yield _Row(number, start + 1, offset + start, match["written"], spec) if match and spec else None
        offset += len(line)


def _entry(row: _Row, path: str) -> Entry:
    return Entry(
        name=normalise(row.spec.name) if row.from_pip else row.spec.index_name,
        specifier=row.spec.specifier or "",
        place=Place(row.line, row.column),
        text=row.written,
        path=path,
        version=Span(row.offset + row.spec.start, row.offset + row.spec.end),
        style="conda",
        channel="pip" if row.from_pip else "conda",
        build=label_of(row.spec.build),
    )


def _foreign(rows: list[_Row]) -> ParseIssue:
    """One issue for all packages of pip, at the first one of the torch family, else at the first one."""
    first = min(rows, key=lambda row: (normalise(row.spec.name) not in FAMILY, row.line))
    came = f"this and {len(rows) - 1} more packages came" if len(rows) > 1 else "this package came"
    message = f"{came} from pip, and conda has no build pypi_0: conda cannot install this list"
    because = (
        "conda writes the build pypi_0 for packages that pip installed, and pip cannot read name=version=build"
    )
    remedy = "Export the list again with conda env export, which lists the packages of pip separately"
    return ParseIssue("TL505", "error", message, Place(first.line, first.column), because, remedy)
