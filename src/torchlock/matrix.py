"""The rules: what wheel metadata does not say. *When X is there, Y must hold, because Z, says S.*"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torchlock import data
from torchlock.errors import DataError
from torchlock.words import Dependency

if TYPE_CHECKING:
    from pathlib import Path

# Stand beside real packages, with the one version that the target has.
BUILD_CUDA = "build-cuda"
HOST_PREFIX = "host-"


def is_virtual(name: str) -> bool:
    """Whether this name is the machine or a build rather than a project that an index serves."""
    return name.startswith(HOST_PREFIX) or name == BUILD_CUDA


@dataclass(frozen=True, slots=True)
class Source:
    """Where a fact was found; ``kind`` is declared, measured or reported."""

    id: str
    address: str
    kind: str
    date: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of a rule, with its own grounds or the rule's. The fields are those of the table."""

    rule: str
    when: Dependency
    because: str
    kind: str
    sources: tuple[str, ...]
    checked: str
    needs: tuple[Dependency, ...] = ()
    forbids: tuple[Dependency, ...] = ()
    wants: tuple[Dependency, ...] = ()
    bundles: tuple[str, ...] = ()
    never: bool = False
    optional: bool = False
    wheel: str = ""
    build: str = ""


class Matrix:
    """All statements, found by the name they speak of; parsed when that name first comes up."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or data.ROOT / "compiled" / "rules.json"
        table = data.load_json(self._path)
        try:
            self.date: str = table["date"]
            self._rules: dict[str, dict[str, Any]] = table["rules"]
            self._sources: dict[str, dict[str, str]] = table["sources"]
            self._rows: dict[str, list[dict[str, Any]]] = table["statements"]
        except (KeyError, TypeError) as error:
            raise DataError(f"damaged ({error})", path=str(self._path)) from error
        self._statements: dict[str, list[Statement]] = {}

    def about(self, name: str) -> list[Statement]:
        """The statements whose ``when`` names this package."""
        if name not in self._statements:
            self._statements[name] = [self._statement(row) for row in self._rows.get(name, ())]
        return self._statements[name]

    def names(self) -> list[str]:
        """The names that any statement's ``when`` speaks of."""
        return list(self._rows)

    def forbidding(self) -> list[Statement]:
        """The statements that forbid something beside the package they speak of."""
        return [
            self._statement(row) for rows in self._rows.values() for row in rows if row.get("forbids")
        ]

    def title(self, rule: str) -> str:
        """The one-line title of a rule."""
        return str(self._rules[rule]["title"])

    def source(self, source: str) -> Source:
        """The source with this identifier."""
        row = self._sources[source]
        return Source(source, row["address"], row["kind"], row.get("date", ""), row.get("note", ""))

    def _statement(self, row: dict[str, Any]) -> Statement:
        rule = self._rules[row["rule"]]
        return Statement(
            rule=row["rule"],
            when=Dependency.from_row(row["when"]),
            because=row.get("because", rule["because"]),
            kind=row.get("kind", rule["kind"]),
            sources=tuple(row.get("sources", rule["sources"])),
            checked=row.get("checked", rule["checked"]),
            needs=tuple(Dependency.from_row(item) for item in row.get("needs", ())),
            forbids=tuple(Dependency.from_row(item) for item in row.get("forbids", ())),
            wants=tuple(Dependency.from_row(item) for item in row.get("wants", ())),
            bundles=tuple(row.get("bundles", ())),
            never=bool(row.get("never")),
            optional=bool(row.get("optional")),
            wheel=row.get("wheel", ""),
            build=row.get("build", ""),
        )

