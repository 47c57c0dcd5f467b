"""Read the tables that others publish, and what was settled about their differences."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from torchlock.target import PYTHONS

if TYPE_CHECKING:
    from pathlib import Path


class Row(NamedTuple):
    """A statement of a table: releases of companions (specifier sets by name) with releases of torch.

    ``pythons`` are minor releases of Python 3, empty if the row states none; ``builds`` are labels of the PyTorch
    index, empty for the builds of the public index.
    """

    label: str
    companions: dict[str, str]
    torch: str
    pythons: tuple[int, ...]
    builds: tuple[str, ...] = ()


class Published(NamedTuple):
    """A table that others publish: where it is, the state in which it was read, and its rows."""

    id: str
    title: str
    address: str
    state: str
    read: str
    rows: tuple[Row, ...]


class Settled(NamedTuple):
    """Who is right about some differences, and why. ``rows`` are labels of rows, empty for all."""

    table: str
    kind: str
    rows: tuple[str, ...]
    right: str
    why: str


def read_tables(folder: Path) -> list[Published]:
    """All tables of a folder, in the order of their file names."""
    paths = sorted(path for path in folder.glob("*.toml") if path.stem != "settled")
    return [_table(path.stem, tomllib.loads(path.read_text(encoding="utf-8"))) for path in paths]


def read_settled(path: Path) -> list[Settled]:
    """What was settled, in the order of the file: the first that fits a difference counts."""
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["settled"]
    return [
        Settled(row["table"], row["kind"], tuple(row.get("rows", ())), row["right"], row["why"]) for row in rows
    ]


def _table(name: str, table: dict[str, Any]) -> Published:
    package = table.get("package")
    rows = [_pair(package, *row) if package else _trio(*row) for row in table["rows"]]
    return Published(name, table["title"], table["address"], table["state"], str(table["read"]), tuple(rows))


def _pair(package: str, releases: str, torch: str, pythons: str) -> Row:
    return Row(f"{package} {_said(releases)}", {package: releases}, torch, _pythons(pythons))


def _trio(torch: str, torchvision: str, torchaudio: str, pythons: str, builds: str) -> Row:
    companions = {"torchvision": f"=={torchvision}", "torchaudio": f"=={torchaudio}"}
    return Row(f"torch {torch}", companions, f"=={torch}", _pythons(pythons), tuple(builds.split()))


def _said(specifier: str) -> str:
    return specifier.removeprefix("==").removesuffix(".*")


def _pythons(text: str) -> tuple[int, ...]:
    if not text:
        return ()
    first, last = (int(part.partition(".")[2]) for part in text.split("-"))
    return tuple(range(max(first, min(PYTHONS)), last + 1))
