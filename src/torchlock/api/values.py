"""The parts of results: frozen values that can be pickled, compared and hashed. Their texts have no secrets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Message:
    """What the command would write to standard error: ``kind`` is error, warning, note, hint or line."""

    kind: str
    text: str


@dataclass(frozen=True)
class Package:
    """A package; ``version`` is a version or a specifier, "" if it is not installed."""

    name: str
    version: str


@dataclass(frozen=True)
class Source:
    """A source of a fact: ``kind`` is declared, measured or reported; ``address`` a link, or words."""

    id: str
    address: str
    kind: str
    date: str


@dataclass(frozen=True)
class Change:
    """A line before and after; ``old`` is None for a new line. ``masked``: do not write it as it is shown."""

    line: int
    old: str | None
    new: str
    masked: bool = False


@dataclass(frozen=True)
class Command:
    """A line for a shell; ``tool`` is pip, uv, conda, system or shell."""

    tool: str
    line: str


@dataclass(frozen=True)
class Remedy:
    """What fixes a finding: one sentence, the changes of a file, and commands, of which each alone is enough."""

    summary: str
    changes: tuple[Change, ...] = ()
    commands: tuple[Command, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One result. ``severity`` is error, warning or note.

    In a file, ``line`` and ``column`` count from 1, None for the whole file. In an environment, ``path`` is the
    file in question, ``says`` the text that Python prints, and ``consequences`` what disappears with this finding.
    """

    rule: str
    severity: str
    message: str
    because: str = ""
    line: int | None = None
    column: int | None = None
    path: str | None = None
    says: str | None = None
    packages: tuple[Package, ...] = ()
    sources: tuple[Source, ...] = ()
    remedy: Remedy | None = None
    consequences: tuple[Finding, ...] = ()


def finding_of(row: Mapping[str, Any]) -> Finding:
    """A finding of the documented JSON."""
    return Finding(
        row["rule"],
        row["severity"],
        row["message"],
        row["because"],
        row.get("line"),
        row.get("column"),
        row.get("path"),
        row.get("says"),
        tuple(Package(**each) for each in row["packages"]),
        tuple(Source(**each) for each in row["sources"]),
        None if row["remedy"] is None else _remedy(row["remedy"]),
        tuple(map(finding_of, row.get("consequences", ()))),
    )


def _remedy(row: Mapping[str, Any]) -> Remedy:
    changes = tuple(Change(**each) for each in row["changes"])
    return Remedy(row["summary"], changes, tuple(Command(**each) for each in row.get("commands", ())))
