"""What the wheels themselves show: whether a release of a companion loads beside a release of torch.

``scripts/prove_matrix.py`` reads the libraries of the wheels on the public index and writes
``compat_data/compiled/proofs.json``. A *cell* is one release of a companion beside one release of torch on one
platform. A cell that is not in the table was not proven: ask the rules (``knowledge.judge``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from packaging.version import InvalidVersion, Version

from torchlock.errors import DataError
from torchlock.knowledge import tables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Verdict = Literal["loads", "fails", "unknown"]
Kind = Literal["measured", "declared", "reported"]


class Evidence(NamedTuple):
    """A wheel that was read: its file name, its hash, and the day on which it was read (YYYY-MM-DD)."""

    file: str
    sha256: str
    date: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One release of a companion beside one release of torch on one platform.

    ``build`` and ``torch_build`` are those of the wheels that were read (``cpu``, ``cu126``), None if unknown.
    ``kind`` is how the verdict is known; ``reason`` is one sentence. ``symbol`` is the first symbol that is
    missing, as a programmer writes it. ``evidence`` has the wheel of the companion, then that of torch.
    """

    package: str
    version: Version
    torch: Version
    platform: str
    build: str | None
    torch_build: str | None
    verdict: Verdict
    kind: Kind
    reason: str
    symbol: str | None
    evidence: tuple[Evidence, ...]
    sources: tuple[str, ...]
    pythons: tuple[str, ...] = ()

    def is_about(self, python: str) -> bool:
        """Whether a Python (``3.12``; "" for any) installs the wheel that was read, or one like it."""
        return not python or not self.pythons or python in self.pythons


class _Wheel(NamedTuple):
    """A row of the table: a wheel, and for a companion its verdicts over spans of releases of torch."""

    version: Version
    build: str | None
    evidence: Evidence
    spans: tuple[tuple[int, int, Verdict, Kind, int, int, int], ...] = ()


class Proofs:
    """The table of proofs.

    ``compared`` has, by project and platform, how many wheels were read, and how many show something else than a
    wheel for another Python of their release.

    Raises:
        DataError: the table is missing or damaged.
    """

    def __init__(self, path: Path | None = None) -> None:
        path = path or tables.path("compiled/proofs.json")
        table = tables.load_json(path)
        try:
            self.date: str = table["date"]
            self.platforms: tuple[str, ...] = tuple(table["torch"])
            self.packages: tuple[str, ...] = tuple(table["pairs"])
            self._sources = tuple(table["sources"])
            self._reasons: list[str] = table["reasons"]
            self._symbols: list[str] = table["symbols"]
            self._pythons = [tuple(each) for each in table["pythons"]]
            self.compared: dict[str, dict[str, list[int]]] = table["compared"]
            self._torch = {platform: list(map(_wheel, rows)) for platform, rows in table["torch"].items()}
            self._pairs: dict[str, dict[str, list[Any]]] = table["pairs"]
            self._read: dict[tuple[str, str], list[_Wheel]] = {}
        except (KeyError, TypeError, ValueError, InvalidVersion) as error:
            raise DataError(f"damaged ({error})", path=str(path)) from error

    def cells(self, package: str = "", version: str = "", torch: str = "", platform: str = "") -> Iterator[Cell]:
        """The proven cells, oldest releases first; each argument that is not empty selects those that have it."""
        for name in self.packages:
            for place in self._pairs[name] if package in ("", name) else ():
                if platform in ("", place):
                    yield from self._cells(name, place, _parsed(version), _parsed(torch))

    def cell(self, package: str, version: str, torch: str, platform: str, python: str = "") -> Cell | None:
        """The proof for one release beside one torch on one platform; None if there is none.

        Without a Python (``3.12``), of a release whose wheels differ one that loads, if there is any.
        """
        found = [each for each in self.cells(package, version, torch, platform) if each.is_about(python)]
        return min(found, key=lambda each: each.verdict != "loads", default=None)

    def torches(self, platform: str) -> list[Version]:
        """The releases of torch that were read for a platform, oldest first."""
        return sorted({wheel.version for wheel in self._torch.get(platform, ())})

    def _cells(
        self, package: str, platform: str, version: Version | None, torch: Version | None
    ) -> Iterator[Cell]:
        for wheel in self._wheels(package, platform):
            if version is not None and wheel.version != version:
                continue
            for first, last, verdict, kind, reason, symbol, pythons in wheel.spans:
                for beside in self._torch[platform][first : last + 1]:
                    if torch is None or beside.version == torch:
                        yield Cell(
                            package=package,
                            version=wheel.version,
                            torch=beside.version,
                            platform=platform,
                            build=wheel.build,
                            torch_build=beside.build,
                            verdict=verdict,
                            kind=kind,
                            reason=self._reasons[reason],
                            symbol=self._symbols[symbol] if symbol >= 0 else None,
                            evidence=(wheel.evidence, beside.evidence),
                            sources=self._sources,
                            pythons=self._pythons[pythons] if pythons >= 0 else (),
                        )

    def _wheels(self, package: str, platform: str) -> list[_Wheel]:
        key = package, platform
        if key not in self._read:
            self._read[key] = [_wheel(row) for row in self._pairs[package][platform]]
        return self._read[key]


def _wheel(row: list[Any]) -> _Wheel:
    version, build, file, sha256, date, *spans = row
    # A span that is about each Python does not name any.
    whole = tuple((*span, -1) if len(span) == 6 else tuple(span) for span in spans)
    return _Wheel(Version(version), build, Evidence(file, sha256, date), whole)


def _parsed(text: str) -> Version | None:
    """A release without its label: ``2.8.0`` of ``2.8.0+cu128``."""
    return Version(Version(text).public) if text else None


@cache
def proofs() -> Proofs:
    """The bundled table, read once.

    Raises:
        DataError: the table is missing or damaged.
    """
    return Proofs()


def cells(package: str = "", version: str = "", torch: str = "", platform: str = "") -> Iterator[Cell]:
    """The proven cells of the bundled table (``Proofs.cells``).

    Raises:
        DataError: the table is missing or damaged.
    """
    return proofs().cells(package, version, torch, platform)


def cell(package: str, version: str, torch: str, platform: str, python: str = "") -> Cell | None:
    """The proof for one release beside one torch on one platform (``Proofs.cell``); None if there is none.

    Raises:
        DataError: the table is missing or damaged.
    """
    return proofs().cell(package, version, torch, platform, python)
