"""Which releases of torch export a symbol, as their wheels show it (``compat_data/proofs/exports/``)."""

from __future__ import annotations

from functools import cache
from typing import Any

from torchlock.errors import DataError
from torchlock.knowledge import tables
from torchlock.knowledge.spans import in_span, in_words


def exported_in(symbol: str, platform: str, without: str = "") -> str:
    """The releases of torch that export a symbol of an ELF file: ``from 2.10.0 on``; "" if that is not known.

    Only symbols that some companion uses, and those of the stable ABI, are known. ``without`` is a release that
    was found without it: if its wheel has the symbol, another build is installed, and nothing is said.

    Raises:
        DataError: the table is damaged.
    """
    path = tables.path(f"proofs/exports/torch-{platform}.json")
    table = _table(str(path)) if path.exists() else {}
    span = table.get("exports", {}).get(symbol, "")
    if not span:
        return ""
    versions = [row[0] for row in table["wheels"]]
    try:
        having = in_span(versions, span)
        return "" if dict(zip(versions, having, strict=True)).get(without) else in_words(versions, having)
    except ValueError as error:
        raise DataError(f"damaged ({error})", path=str(path)) from error


@cache
def _table(path: str) -> dict[str, Any]:
    from pathlib import Path

    table: dict[str, Any] = tables.load_json(Path(path))
    return table
