"""The release file of one project, byte for byte."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from torchlock.gathering.pages import Release
from torchlock.gathering.requirements import Row, compact_row, parse_row
from torchlock.gathering.samples import Table, TorchBuilds, build_values, metadata_sample, requirement_sets
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


def one_or_all(values: Sequence[Any]) -> Any:
    """The one value if all agree (None for none at all), else the list."""
    if not values:
        return None
    return values[0] if all(value == values[0] for value in values) else list(values)


def make_record(
    table: Table,
    release: Release,
    tags: Mapping[str, int],
    sets: Mapping[tuple[Row, ...], int],
    torch: TorchBuilds,
) -> dict[str, Any]:
    """One release as ``releases`` holds it; ``tags`` and ``sets`` give the indices."""
    files = release.files
    dates = [file.uploaded for file in files if file.uploaded]
    pythons = [file.python for file in release.wheels or files]
    required = [None if one is None else sets[one] for one in requirement_sets(table, release)]
    record = {
        "wheels": [tags[wheel.tag] for wheel in release.wheels],
        "date": min(dates)[:10] if dates else None,
        "python": one_or_all(pythons),
        "requires": one_or_all(required),
        "build": one_or_all(build_values(table, release, torch)),
        "yanked": files[0].yanked if all(file.yanked is not None for file in files) else None,
        "sdist": True if release.sdist else None,
        "extras": _extras(table, release) or None,
        "invalid": _invalid(table, release) or None,
    }
    return {key: value for key, value in record.items() if value is not None}


def _known_metadata(table: Table, release: Release) -> list[dict[str, list[str]]]:
    """The metadata read of this release's wheels, each once, in order of upload."""
    speakers = {file.sha256: file for file in metadata_sample(table.name, release).values()}
    known = [file for file in speakers.values() if file.sha256 in table.metadata]
    known.sort(key=lambda file: (file.uploaded or "", file.filename))
    return [table.metadata[file.sha256] for file in known]


def _extras(table: Table, release: Release) -> list[str]:
    known = _known_metadata(table, release)
    return sorted({normalise(extra) for extra in known[-1]["extras"]}) if known else []


def _invalid(table: Table, release: Release) -> list[str]:
    texts = {text for known in _known_metadata(table, release) for text in known["requires"]}
    return sorted(text for text in texts if parse_row(text) is None)


def render(table: Table, torch: TorchBuilds) -> bytes:
    """The project's file, byte for byte; equal knowledge gives equal bytes."""
    releases = table.project.releases
    tags = sorted({wheel.tag for release in releases for wheel in release.wheels})
    found = {one for release in releases for one in requirement_sets(table, release) if one is not None}
    rows = sorted({row for one in found for row in one})
    row_at = {row: at for at, row in enumerate(rows)}
    ordered = sorted(found, key=lambda one: [row_at[row] for row in one])
    tag_at = {tag: at for at, tag in enumerate(tags)}
    set_at = {one: at for at, one in enumerate(ordered)}
    records = {str(release.version): make_record(table, release, tag_at, set_at, torch) for release in releases}
    files = {str(release.version): [file.row() for file in release.files] for release in releases}
    parts = [
        f'"name": {compact(table.name)}',
        f'"tags": {compact(tags)}',
        f'"requirements": {lines("[]", map(compact, map(compact_row, rows)))}',
        f'"requires": {lines("[]", (compact([row_at[row] for row in one]) for one in ordered))}',
        f'"releases": {lines("{}", entries(records))}',
        f'"files": {lines("{}", entries(files))}',
    ]
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode()


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def entries(mapping: Mapping[str, Any]) -> Iterator[str]:
    """Each key and its value, one line each."""
    return (f"{compact(key)}: {compact(value)}" for key, value in mapping.items())


def lines(brackets: str, items: Iterable[str]) -> str:
    """A JSON list or object (by its two brackets) with each item on a line of its own."""
    body = ",\n".join(items)
    return f"{brackets[0]}\n{body}\n{brackets[1]}" if body else f"{brackets[0]}\n{brackets[1]}"
