"""The results of an audit or a check, as plain values for the reports."""

from __future__ import annotations

from enum import IntEnum

from torchlock.location import NOWHERE, Place
from torchlock.records import NamedTuple, dataclass, field
from torchlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchlock.location import Edit
    from torchlock.runtime.fence import Breakage

# A longer line is quoted only in part, because each finding on a line repeats it.
LONGEST_LINE = 2000
# From worst to harmless; a report has the severity of its worst finding.
SEVERITIES = ("error", "warning", "note")


class Strength(IntEnum):
    """The evidence for a finding, from weak to strong. Weaker evidence never overrules or outranks stronger.

    ``REPORTED``: somebody says so. ``DECLARED``: metadata or documentation says so. ``MEASURED``: a rule that was
    tried or read from binaries. ``SHOWN``: the files of this environment show it, as the loader reads them.
    ``RAN``: it was run.
    """

    REPORTED = 0
    DECLARED = 1
    MEASURED = 2
    SHOWN = 3
    RAN = 4


class DataUpdate(NamedTuple):
    """The last ``torchlock data update`` on this machine: its day, and its index or bundle without credentials."""

    date: str
    source: str

    def __str__(self) -> str:
        return f"The data were updated on {self.date} from {self.source} (torchlock data update)."

    def row(self) -> dict[str, str]:
        """The same for JSON."""
        return {"date": self.date, "from": self.source}


class Evidence(NamedTuple):
    """A source of a fact, from ``compat_data/sources.toml``.

    ``address`` is a link, or describes the measurement. ``kind`` is ``declared``, ``measured`` or ``reported``.
    ``system`` is the operating system if it is about one only: ``linux``, ``macos`` or ``windows``.
    """

    id: str
    address: str
    kind: str = ""
    date: str = ""
    note: str = ""
    system: str = ""

    @classmethod
    def from_row(cls, identifier: str, row: Mapping[str, str]) -> Evidence:
        """Read one source of a compiled table."""
        return cls(
            identifier,
            row["address"],
            row["kind"],
            row.get("date", ""),
            row.get("note", ""),
            row.get("platform", ""),
        )


class Change(NamedTuple):
    """A whole line before and after, without its line end. ``old`` is None for a new line."""

    path: str
    line: int
    old: str | None
    new: str


class Command(NamedTuple):
    """A line for a shell. ``tool`` is ``pip``, ``uv``, ``conda``, ``system`` (a package manager) or ``shell``."""

    tool: str
    line: str


@dataclass(slots=True)
class Remedy:
    """The smallest change that fixes a finding.

    ``summary`` is one sentence in the imperative. ``changes`` are the changed lines, ``edits`` the same changes as
    positions in the text; both are empty if no edit of the file helps. ``commands`` fix an environment: each
    command alone is enough, for one tool.
    """

    summary: str
    changes: tuple[Change, ...] = ()
    edits: tuple[Edit, ...] = ()
    commands: tuple[Command, ...] = ()


@dataclass(slots=True)
class Finding:
    """One result: something that is wrong, may be wrong, or was not judged.

    ``message`` is one sentence that names versions; ``because`` says why that is so; ``packages`` are
    ``(name, version or specifier)`` pairs; ``related`` are further places of the same file.

    In an environment, ``path`` is the file or folder instead of a line, ``expected_error`` the text that Python
    prints when this fails, and ``consequences`` are findings that disappear when this one is fixed.
    ``lacks`` are the libraries, symbols or modules that were not found.
    """

    rule: str
    severity: str
    message: str
    place: Place = NOWHERE
    because: str = ""
    packages: tuple[tuple[str, str], ...] = ()
    sources: tuple[Evidence, ...] = ()
    related: tuple[Place, ...] = ()
    remedy: Remedy | None = None
    path: str = ""
    expected_error: str = ""
    consequences: tuple[Finding, ...] = ()
    strength: Strength = Strength.SHOWN
    lacks: tuple[str, ...] = ()

    @property
    def package(self) -> str:
        """The name of the first of ``packages``; "" for a finding that is about none."""
        return self.packages[0][0] if self.packages else ""


@dataclass(slots=True)
class FileReport:
    """One file with its findings, in the order of lines. ``status`` is the worst severity, or ``unreadable``.

    ``text`` is the content, so that a report can show a line; ``error`` says why the file could not be read.
    ``guessed``: the format was guessed from the content; ``names_stack``: it names a package of this stack.
    ``broken`` is a bug because of which the file was not judged; a finding (TL908) reports it. ``config`` is the
    configuration file of its project, and ``target`` the target that this sets, if it is not that of the run.
    """

    path: str
    kind: str
    findings: list[Finding] = field(default_factory=list)
    text: str = ""
    error: str | None = None
    guessed: bool = False
    names_stack: bool = False
    broken: Breakage | None = None
    config: str = ""
    target: dict[str, Any] | None = None

    @property
    def status(self) -> str:
        """``error``, ``warning``, ``ok`` (notes do not count) or ``unreadable``."""
        if self.error is not None or self.broken is not None:
            return "unreadable"
        found = {finding.severity for finding in self.findings}
        return next((severity for severity in ("error", "warning") if severity in found), "ok")


@dataclass(slots=True)
class Report:
    """All files of one run. ``target`` is the target for the JSON report; ``date`` the date of the data.

    ``update`` is the update of the data on this machine, if there is one.
    """

    files: list[FileReport]
    date: str
    target: dict[str, Any] = field(default_factory=dict)
    update: DataUpdate | None = None
