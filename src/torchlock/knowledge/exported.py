"""Which releases of torch export a symbol, as their wheels show it (``compat_data/proofs/exports/``)."""

from __future__ import annotations

from functools import cache
from typing import Any

from torchlock.errors import DataError
from torchlock.knowledge import tables
from torchlock.knowledge.spans import in_span, in_words


def exported_in(symbol: str, platform: str) -> str:
    """The releases of torch that export a symbol of an ELF file: ``from 2.10.0 on``; "" if that is not known.

    Only symbols that some companion uses, and those of the stable ABI, are known.

    Raises:
        DataError: the table is damaged.
    """
    versions, having = _exporting(symbol, platform)
    return in_words(versions, having) if any(having) else ""


def is_exported_by(symbol: str, version: str, platform: str) -> bool:
    """Whether the wheel of a release of torch on the public index exports a symbol; False if that is not known.

    Raises:
        DataError: the table is damaged.
    """
    return any(has for each, has in zip(*_exporting(symbol, platform), strict=True) if each == version)


def _exporting(symbol: str, platform: str) -> tuple[list[str], list[bool]]:
    """The releases whose wheels were read, and whether each of them exports a symbol."""
    path = tables.path(f"proofs/exports/torch-{platform}.json")
    table = _table(str(path)) if path.exists() else {}
    span = table.get("exports", {}).get(symbol, "")
    if not span:
        return [], []
    versions = [row[0] for row in table["wheels"]]
    try:
        return versions, in_span(versions, span)
    except ValueError as error:
        raise DataError(f"damaged ({error})", path=str(path)) from error


@cache
def _table(path: str) -> dict[str, Any]:
    from pathlib import Path

    table: dict[str, Any] = tables.load_json(Path(path))
    return table
