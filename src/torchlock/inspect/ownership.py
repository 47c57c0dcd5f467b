"""Whose files are there, by content: the files against the sizes and hashes in the records that claim them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.inspect.record import Record, read_record

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from torchlock.inspect.distributions import Distribution
    from torchlock.inspect.record import Row

# A source file of a package is smaller. A larger file is compared by its size only.
_HASHED = 1 << 20


def rows_of(distribution: Distribution) -> dict[str, Row]:
    """The recorded files of a package itself, by their paths: without metadata, scripts and compiled modules."""
    record = read_record(distribution)
    if not isinstance(record, Record):
        return {}
    return {
        os.path.normpath(os.path.join(record.base, row.path)): row
        for row in record
        if ".dist-info/" not in row.path and not row.path.startswith("..") and not row.path.endswith(".pyc")
    }


def is_whole(distribution: Distribution) -> bool:
    """Whether all recorded files of a distribution are there with their content."""
    rows = rows_of(distribution)
    return bool(rows) and all_have_content(rows)


def all_have_content(rows: Mapping[str, Row]) -> bool:
    """Whether files (path → row) have the recorded content, by their sizes and the hashes of the small ones."""
    sizes = {path: _size(path) for path in rows}
    if any(
        size is None or row.size not in (None, size)
        for size, row in zip(sizes.values(), rows.values(), strict=True)
    ):
        return False
    from torchlock.inspect.hashing import HashJob, hash_all

    jobs = [HashJob(path, "", row.hash, sizes[path] or 0) for path, row in rows.items() if row.hash]
    return not hash_all([job for job in jobs if job.size <= _HASHED])[1]


def _size(path: str) -> int | None:
    try:
        return os.stat(path).st_size
    except (OSError, ValueError):
        return None


def different(first: Distribution, second: Distribution, paths: Collection[str]) -> Iterator[tuple[str, Row, Row]]:
    """The files that two distributions recorded with different content."""
    mine, theirs = rows_of(first), rows_of(second)
    for path in paths:
        if path in mine and path in theirs and mine[path][1:] != theirs[path][1:]:
            yield path, mine[path], theirs[path]
