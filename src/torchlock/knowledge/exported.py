"""Which releases of torch export a symbol, as their wheels show it (``compat_data/proofs/exports/``)."""

from __future__ import annotations

from functools import cache
from typing import Any

from torchlock.errors import DataError
from torchlock.knowledge import tables
from torchlock.knowledge.spans import in_span, in_words, row_labels


def exported_in(symbol: str, platform: str) -> str:
    """The releases of torch that export a symbol: ``from 2.10.0 on``; "" if that is not known, or true of all.

    Only symbols that some companion uses, and those of the stable ABI, are known.

    Raises:
        DataError: the table is damaged.
    """
    versions, having = _exporting(symbol, platform)
    return in_words(versions, having) if any(having) else ""


def forms_of(name: str, platform: str) -> list[tuple[str, str]]:
    """Symbols that may be forms of one function, and the releases of torch that export each, oldest first.

    ``name`` is a part of the symbol, such as ``4cuda9SetDeviceE``: the function as compilers write its names.

    Raises:
        DataError: the table is damaged.
    """
    path = tables.path(f"proofs/exports/torch-{platform}.json")
    exports = _table(str(path)).get("exports", {}) if path.exists() else {}
    mine = [each for each in exports if name in each and exports[each]]
    order = [_exporting(each, platform)[1].index(True) for each in mine]
    return [
        (mine[at].rpartition("!")[2], exported_in(mine[at], platform))
        for at in sorted(range(len(mine)), key=order.__getitem__)
    ]


def is_exported_by(symbol: str, version: str, platform: str) -> bool:
    """Whether the wheel of a release of torch on the public index exports a symbol; False if that is not known.

    Raises:
        DataError: the table is damaged.
    """
    return any(has for each, has in zip(*_exporting(symbol, platform), strict=True) if each == version)


def _exporting(symbol: str, platform: str) -> tuple[list[str], list[bool]]:
    """The releases whose wheels were read, and whether a wheel of each of them exports a symbol.

    The tables of macOS name the library, too; ``!`` alone stands for any.
    """
    path = tables.path(f"proofs/exports/torch-{platform}.json")
    table = _table(str(path)) if path.exists() else {}
    exports = table.get("exports", {})
    span = exports.get(symbol, "") or exports.get(f"!{symbol}", "")
    if not span:
        return [], []
    try:
        versions, labels = _rows(str(path))
        having: dict[str, bool] = {}
        for version, has in zip(versions, in_span(labels, span), strict=True):
            having[version] = has or having.get(version, False)
    except (KeyError, IndexError, ValueError) as error:
        raise DataError(f"damaged ({error})", path=str(path)) from error
    return list(having), list(having.values())


@cache
def _rows(path: str) -> tuple[list[str], list[str]]:
    """The release of each row, and what spans call the row."""
    wheels = [(row[0], row[2]) for row in _table(path)["wheels"]]
    return [version for version, _ in wheels], row_labels(wheels)


@cache
def _table(path: str) -> dict[str, Any]:
    from pathlib import Path

    table: dict[str, Any] = tables.load_json(Path(path))
    return table
