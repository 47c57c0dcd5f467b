"""Rows about wheel files that were gathered elsewhere: a JSON file that ``refresh_builds.py --add`` reads."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from refreshing.build_rows import ROOT_FOLDER, Wheel
from torchlock.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

_REQUIRED = ("folder", "file", "sources")
_COLUMNS = {*_REQUIRED, "sha256", "size", "uploaded"}
_KEYS = {"columns", "rows", "sources"}


def read_added(path: Path) -> tuple[list[Wheel], dict[int, str]]:
    """The rows of a file, and what the numbers of their sources mean.

    The file has ``columns`` (folder, file, sources, and as known sha256, size, uploaded), ``rows`` with these
    cells, and ``sources``: a text for each number. The folder of the root page is an empty string.

    Raises:
        InputError: it is not of this form; the message names the row, counted from 1.
    """
    table = _table(path)
    columns, sources = table["columns"], table["sources"]
    if not isinstance(columns, list) or not set(_REQUIRED) <= set(map(str, columns)) <= _COLUMNS:
        raise InputError(f"its columns must be some of {', '.join(sorted(_COLUMNS))}", path=str(path))
    if not isinstance(sources, dict) or not all(key.isdigit() and value for key, value in sources.items()):
        raise InputError("its sources must be texts by number", path=str(path))
    texts = {int(number): str(text) for number, text in sources.items()}
    wheels = []
    for number, row in enumerate(table["rows"], 1):
        problem = "not as many cells as columns"
        if isinstance(row, list) and len(row) == len(columns):
            cells = dict(zip(columns, row, strict=True))
            problem = _problem(cells, texts)
        if problem:
            raise InputError(f"row {number}: {problem}", path=str(path))
        wheels.append(_wheel(cells))
    return wheels, texts


def _table(path: Path) -> dict[str, Any]:
    try:
        table = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", path=str(path)) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"is not JSON ({error})", path=str(path)) from error
    if not isinstance(table, dict) or not table.keys() >= _KEYS or not isinstance(table["rows"], list):
        raise InputError("must be an object with columns, rows and sources", path=str(path))
    return table


def _problem(cells: dict[str, Any], sources: dict[int, str]) -> str:
    """What is wrong with a row; empty if nothing is."""
    sha256, size, uploaded = (cells.get(name) for name in ("sha256", "size", "uploaded"))
    if not isinstance(cells["folder"], str) or not isinstance(cells["file"], str):
        return "folder and file must be texts"
    if sha256 is not None and not re.fullmatch(r"[0-9a-f]{64}", str(sha256)):
        return f"{sha256!r} is not a SHA-256"
    if size is not None and (not isinstance(size, int) or size <= 0):
        return f"{size!r} is not a size"
    if uploaded is not None and not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", str(uploaded)):
        return f"{uploaded!r} is not a time like 2025-08-06T14:51:23Z"
    if not isinstance(cells["sources"], list) or not cells["sources"]:
        return "it has no source"
    unknown = [number for number in cells["sources"] if number not in sources]
    return f"the file has no source {unknown[0]}" if unknown else ""


def _wheel(cells: dict[str, Any]) -> Wheel:
    return Wheel(
        cells["folder"] or ROOT_FOLDER,
        cells["file"],
        cells.get("sha256"),
        cells.get("size"),
        cells.get("uploaded"),
        tuple(cells["sources"]),
    )
