"""The results of the public functions. Each keeps its JSON, which ``to_dict`` returns, beside typed values."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from torchlock.api.values import Finding, Message, Package, Source, finding_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_Result = TypeVar("_Result", bound="Result")


@dataclass(frozen=True)
class Result:
    """What all results have. ``torchlock`` is the version, ``data`` the date of the bundled data.

    ``data_update`` is the date of the update of the data on this machine, None without one. ``document`` is the
    JSON that the command prints with ``--json``.
    """

    torchlock: str
    data: str
    data_update: str | None
    messages: tuple[Message, ...]
    document: str = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The documented JSON (docs/json.md) as a new dictionary."""
        table: dict[str, Any] = json.loads(self.document)
        return table


@dataclass(frozen=True)
class AuditedFile:
    """One file: ``status`` is ok, warning, error or unreadable; ``error`` says why it is unreadable."""

    path: str
    kind: str
    status: str
    error: str | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class AuditResult(Result):
    """The files that were judged, in reading order."""

    files: tuple[AuditedFile, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of all files."""
        return tuple(finding for file in self.files for finding in file.findings)

    @property
    def ok(self) -> bool:
        """Whether every file was judged and none has an error. Warnings do not count."""
        return all(file.status in ("ok", "warning") for file in self.files)


@dataclass(frozen=True)
class CheckResult(Result):
    """What is wrong with an environment. ``summary`` is one sentence; ``command`` fixes it, None if none is known.

    ``python``, ``platform`` and ``accelerator`` describe the environment; None for what is not known.
    """

    path: str
    status: str
    summary: str
    command: str | None
    python: str | None
    platform: str | None
    accelerator: str | None
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether no error was found. Warnings do not count."""
        return self.status in ("ok", "warning")


@dataclass(frozen=True)
class Explanation:
    """What a rule does, or why requirements work together or not."""

    headline: str
    together: bool
    steps: tuple[str, ...]
    packages: tuple[Package, ...]
    builds: tuple[str, ...]
    remedies: tuple[str, ...]
    notes: tuple[str, ...]
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class ExplainResult(Result):
    """One explanation for each rule, or one for all requirements."""

    explained: tuple[Explanation, ...]

    @property
    def ok(self) -> bool:
        """Whether the requirements work together; True for rules."""
        return all(each.together for each in self.explained)


@dataclass(frozen=True)
class Evidence:
    """A wheel that was read."""

    file: str
    sha256: str
    date: str


@dataclass(frozen=True)
class MatrixCell:
    """One build of a companion beside one build of torch on one platform; the keys are those of docs/json.md."""

    package: str
    version: str
    build: str | None
    torch: str
    torch_build: str | None
    platform: str
    pythons: tuple[str, ...]
    public: bool
    metadata_allows: bool
    yanked: bool
    verdict: str
    kind: str | None
    rule: str | None
    reason: str
    symbol: str | None
    sources: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    gpu: str | None
    gpu_because: str | None


@dataclass(frozen=True)
class MatrixResult(Result):
    """The cells that the filters leave."""

    cells: tuple[MatrixCell, ...]


@dataclass(frozen=True)
class File:
    """A file of a package. ``hashes`` are ``algorithm:digest``."""

    filename: str
    url: str | None
    hashes: tuple[str, ...]


@dataclass(frozen=True)
class LockedPackage:
    """A package of a lock. ``marker`` is "" if it is always installed; ``index`` is "" for the default index."""

    name: str
    version: str
    marker: str
    index: str
    files: tuple[File, ...]
    required_by: tuple[str, ...]
    rules: tuple[str, ...]


@dataclass(frozen=True)
class LockedTarget:
    """One target: ``status`` is locked or left out, and ``because`` says why it is left out.

    ``name`` is that of its table in the project, or "".
    """

    name: str
    python: str
    platform: str
    accelerator: str
    status: str
    because: tuple[str, ...]
    packages: tuple[LockedPackage, ...]


@dataclass(frozen=True)
class OutputFile:
    """The text of one lock; ``name`` is that of its output, "" if none was named. Nothing is written."""

    name: str
    text: str


@dataclass(frozen=True)
class LockResult(Result):
    """A lock, or why there is none: then ``files`` is empty, and each target that was left out says why."""

    files: tuple[OutputFile, ...]
    targets: tuple[LockedTarget, ...]

    @property
    def ok(self) -> bool:
        """Whether there is a lock (with ``partial``, of some of the targets)."""
        return bool(self.files)

    @property
    def text(self) -> str:
        """The text of the lock.

        Raises:
            ValueError: there is no lock, or there are several files.
        """
        if len(self.files) != 1:
            raise ValueError(f"there are {len(self.files)} files, and not one")
        return self.files[0].text

    @property
    def packages(self) -> tuple[LockedPackage, ...]:
        """The packages of the only target.

        Raises:
            ValueError: there are several targets.
        """
        if len(self.targets) != 1:
            raise ValueError(f"there are {len(self.targets)} targets, and not one")
        return self.targets[0].packages


def result_of(kind: type[_Result], document: str, said: Iterable[tuple[str, str]], **values: Any) -> _Result:
    """A result of a document and of what was said, with the values that its kind adds."""
    table = json.loads(document)
    update = table.get("data_update")
    shared = {"torchlock": table["torchlock"], "data": table["data"], "document": document}
    messages = tuple(Message(*each) for each in said)
    return kind(data_update=update and update["date"], messages=messages, **shared, **values)


def audited_file(row: Mapping[str, Any]) -> AuditedFile:
    """A file of the documented JSON."""
    findings = tuple(map(finding_of, row["findings"]))
    return AuditedFile(row["path"], row["kind"], row["status"], row.get("error"), findings)


def explanation_of(row: Mapping[str, Any]) -> Explanation:
    """An explanation of the documented JSON."""
    return Explanation(
        row["headline"],
        row["together"],
        tuple(row["steps"]),
        tuple(Package(**each) for each in row["packages"]),
        tuple(row.get("builds", ())),
        tuple(row["remedies"]),
        tuple(row["notes"]),
        tuple(Source(**each) for each in row["sources"]),
    )


def cell_of(row: Mapping[str, Any]) -> MatrixCell:
    """A cell of the documented JSON."""
    lists = {"pythons": tuple(row["pythons"]), "sources": tuple(row["sources"])}
    return MatrixCell(**{**row, **lists, "evidence": tuple(Evidence(**each) for each in row["evidence"])})


def target_of(row: Mapping[str, Any]) -> LockedTarget:
    """A target of the documented JSON; that of a single target is the whole object."""
    target = row["target"]
    return LockedTarget(
        row.get("name") or "",
        target["python"],
        target["platform"],
        target["accelerator"],
        row.get("status", "locked"),
        tuple(row.get("because", ())),
        tuple(map(_package, row["packages"])),
    )


def _package(row: Mapping[str, Any]) -> LockedPackage:
    return LockedPackage(
        row["name"],
        row["version"],
        row.get("marker", ""),
        row.get("index", ""),
        tuple(_file(each) for each in row["files"]),
        tuple(row["required_by"]),
        tuple(row["rules"]),
    )


def _file(row: Mapping[str, Any]) -> File:
    hashes = tuple(f"{algorithm}:{digest}" for algorithm, digest in row["hashes"].items())
    return File(row["filename"], row["url"], hashes)
