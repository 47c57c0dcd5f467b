"""Tables of folders, as ``compat_data/builds/files`` has them, for what a local wheel index publishes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from torchlock.knowledge.releases import Catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pytest

    from support.wheel_index import Published

DATE = "2026-11-28"


def use_tables(
    monkeypatch: pytest.MonkeyPatch,
    path: Path,
    folders: Mapping[str, Sequence[Published]],
    *,
    requires: Callable[[Published], Sequence[str] | None] = lambda file: (),
    sha256: Callable[[Published], str | None] = lambda file: file.sha256,
) -> None:
    """Let the program know these files, and nothing else of the PyTorch index.

    ``folders`` maps a folder to its files; ``requires`` and ``sha256`` say what the table knows of a file (None:
    nothing).
    """
    (path / "DATE").parent.mkdir(parents=True, exist_ok=True)
    (path / "DATE").write_text(DATE, encoding="ascii")
    for folder in {*folders, "root"}:
        (path / folder).mkdir()
        for name in sorted({file.project for file in folders.get(folder, ())}):
            files = [file for file in folders[folder] if file.project == name]
            table = _table(folder, name, files, requires, sha256)
            (path / folder / f"{name}.json").write_text(table, encoding="utf-8")

    def catalogue(folder: str) -> Catalogue:
        return Catalogue(path / folder, date=path / "DATE")

    source = "torchlock.index.build_source"
    monkeypatch.setattr(f"{source}.folders", lambda: tuple(sorted({*folders} - {"root"})))
    monkeypatch.setattr(f"{source}.build_catalogue", catalogue)
    monkeypatch.setattr(f"{source}.triton_catalogue", lambda: catalogue("root"))
    monkeypatch.setattr(f"{source}.evidence_of", lambda folder, filename: None)
    monkeypatch.setattr(f"{source}.BuildSource._declared", lambda self, name, rows: iter(()))


def _table(
    folder: str,
    name: str,
    files: Sequence[Published],
    requires: Callable[[Published], Sequence[str] | None],
    sha256: Callable[[Published], str | None],
) -> str:
    tags: list[str] = []
    requirements: list[list[str]] = []
    sets: list[list[int]] = []
    releases: dict[str, Any] = {}
    rows: dict[str, list[Any]] = {}
    for file in files:
        record = releases.setdefault(file.version, {"wheels": [], "date": "2025-08-06", "requires": []})
        record["wheels"].append(_at(tags, "-".join(file.filename.removesuffix(".whl").split("-")[2:])))
        known = requires(file)
        record["requires"].append(
            None if known is None else _at(sets, [_at(requirements, _split(each)) for each in known])
        )
        rows.setdefault(file.version, []).append([file.filename, sha256(file), None, None, file.row, [1]])
    head = {
        "name": name,
        "build": "" if folder == "root" else folder,
        "tags": tags,
        "requirements": requirements,
        "requires": sets,
        "releases": releases,
    }
    lines = [f'"{key}": {json.dumps(value)}' for key, value in head.items()]
    listed = ",\n".join(f'"{version}": {json.dumps(each)}' for version, each in rows.items())
    return "{\n" + ",\n".join(lines) + ',\n"files": {\n' + listed + "\n}}\n"


def _split(requirement: str) -> list[str]:
    at = next((index for index, letter in enumerate(requirement) if letter in "=<>!~"), len(requirement))
    return [requirement[:at], requirement[at:]]


def _at(values: list[Any], value: Any) -> int:
    if value not in values:
        values.append(value)
    return values.index(value)
