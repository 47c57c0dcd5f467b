"""The tables of ``compat_data/builds/accelerators.toml`` and ``gpus.toml``, compiled."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from torchlock.errors import DataError
from torchlock.knowledge import tables

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlock.finding import Evidence

_FILE = "accelerators.json"
_KEYS = {"labels", "drivers", "toolkits", "absent", "rows", "code", "gpus", "names", "sources", "date"}


@cache
def accelerator_table() -> dict[str, Any]:
    """The compiled table.

    Raises:
        DataError: it is missing or damaged.
    """
    table = tables.load_compiled(_FILE)
    if missing := _KEYS - table.keys():
        raise DataError(f"damaged (no {min(missing)})", path=str(tables.ROOT / "compiled" / _FILE))
    return table


def sources_of(keys: Iterable[str]) -> tuple[Evidence, ...]:
    """The sources with these keys."""
    from torchlock.finding import Evidence

    table = accelerator_table()["sources"]
    return tuple(Evidence.from_row(key, table[key]) for key in keys if key in table)


def data_date() -> str:
    """The day on which the table was checked."""
    return str(accelerator_table()["date"])
