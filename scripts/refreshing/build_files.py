"""``compat_data/builds``: the tables of wheel files, read and written. People do not edit them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from refreshing.build_rendering import Renderer
from refreshing.build_rows import ROOT_FOLDER, Conflict, Tables, Wheel
from torchlock.gathering.rendering import compact, entries, lines
from torchlock.gathering.storage import write_if_changed
from torchlock.knowledge.stack import FAMILY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def read_tables(root: Path) -> Tables:
    """Read ``compat_data/builds``; empty tables if it has no files yet."""
    if not (root / "sources.json").exists():
        return Tables()
    tables = Tables(date=(root / "DATE").read_text(encoding="ascii").strip())
    tables.sources = {int(number): text for number, text in _load(root / "sources.json").items()}
    for path in sorted((root / "files").glob("*/*.json")):
        for wheel in _read_file(path):
            tables.wheels[wheel.folder, wheel.filename] = wheel
    for row in _load(root / "conflicts.json"):
        values = {sha256: tuple(sources) for sha256, sources in row["values"]}
        tables.conflicts[row["folder"], row["file"]] = Conflict(row["used"], row["why"], values)
    return tables


def _load(path: Path) -> Any:
    return json.loads(path.read_bytes())


def _read_file(path: Path) -> Iterator[Wheel]:
    """The wheels of one table, without those that it lists from another folder."""
    folder = path.parent.name
    table = _load(path)
    for version, rows in table["files"].items():
        record = table["releases"][version]
        for at, (filename, sha256, size, uploaded, address, sources) in enumerate(rows):
            wheel = Wheel(folder, filename, sha256, size, uploaded, tuple(sources))
            if wheel.address != address:
                continue
            if at in record.get("own", ()):
                wheel = wheel._replace(declared=_texts(table, record["requires"], at))
            yield wheel


def _texts(table: dict[str, Any], requires: Any, at: int) -> tuple[str, ...]:
    """The requirements of the wheel with this index, as Requires-Dist has them."""
    items = table["requires"][requires[at] if isinstance(requires, list) else requires]
    texts = []
    for name, specifier, marker, extras in ([*table["requirements"][item], "", "", []][:4] for item in items):
        asked = f"[{','.join(extras)}]" if extras else ""
        texts.append(f"{name}{asked}{specifier}" + (f"; {marker}" if marker else ""))
    return tuple(texts)


def write_tables(root: Path, tables: Tables, renderer: Renderer, *, dry: bool = False) -> list[Path]:
    """Write ``compat_data/builds``; tables without wheels are removed. Returns the files that changed."""
    texts = {
        root / "DATE": tables.date,
        root / "sources.json": lines(
            "{}", entries({str(key): tables.sources[key] for key in sorted(tables.sources)})
        ),
        root / "conflicts.json": lines("[]", map(compact, _conflict_rows(tables))),
    }
    found = {path: f"{text}\n".encode() for path, text in texts.items()}
    for (folder, package), wheels in by_table(tables, renderer).items():
        found[root / "files" / folder / f"{package}.json"] = renderer(folder, package, wheels)
    stale = [path for path in (root / "files").glob("*/*.json") if path not in found]
    if not dry:
        for path in stale:
            path.unlink()
    return [*stale, *(path for path, content in found.items() if write_if_changed(path, content, dry=dry))]


def by_table(tables: Tables, renderer: Renderer) -> dict[tuple[str, str], list[Wheel]]:
    """The wheels that each folder lists of each package, oldest version first.

    The page of each folder also lists the files of the root page. Of these, the table of a folder has the members
    of the torch family that are of its build. The root page lists the files of all folders; of these, its tables
    have the tritons.
    """
    found: dict[tuple[str, str], dict[str, Wheel]] = {}
    for wheel in tables.wheels.values():
        found.setdefault((wheel.folder, wheel.package), {})[wheel.filename] = wheel
    for wheel in tables.wheels.values():
        is_member, of_root = wheel.package in FAMILY, wheel.folder == ROOT_FOLDER
        folder = (renderer.build_of(ROOT_FOLDER, wheel) if of_root else "") if is_member else ROOT_FOLDER
        if folder:
            found.setdefault((folder, wheel.package), {}).setdefault(wheel.filename, wheel)
    return {
        key: sorted(wheels.values(), key=lambda wheel: (Version(wheel.version), wheel.filename))
        for key, wheels in sorted(found.items())
    }


def _conflict_rows(tables: Tables) -> list[dict[str, Any]]:
    return [
        {"folder": folder, "file": file, "used": one.used, "why": one.why, "values": list(one.values.items())}
        for (folder, file), one in sorted(tables.conflicts.items())
    ]
