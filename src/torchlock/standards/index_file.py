"""A file as the simple API of an index describes it (PEP 503, 592, 658, 691, 700)."""

from __future__ import annotations

from torchlock.records import NamedTuple


class File(NamedTuple):
    """One file of a release, as one index serves it.

    ``url`` is absolute when an index was asked, else relative to the index's file host. ``uploaded`` is
    an ISO 8601 time in UTC. ``yanked`` is None, or the reason (possibly empty) of PEP 592.
    ``metadata_hashes`` is None where no PEP 658 metadata file is offered. Sizes are in bytes.
    """

    filename: str
    url: str
    hashes: dict[str, str]
    size: int | None = None
    uploaded: str | None = None
    requires_python: str | None = None
    yanked: str | None = None
    metadata_hashes: dict[str, str] | None = None
