"""``builds/index.toml``: where the PyTorch wheel index is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from compiling.values import (
    TableError,
    date_of,
    evidence_kind_of,
    read_toml,
    refuse_unknown,
    text_of,
    texts_of,
)

_KEYS = {"address", "kind", "sources", "checked"}


def read_index(path: Path, sources: dict[str, dict[str, str]]) -> dict[str, Any]:
    """The address of the index, without a final slash, and the evidence.

    Raises:
        TableError: it is not of the form, or a source is not known.
    """
    table = read_toml(path)
    try:
        refuse_unknown(table, {"index"})
        index = table.get("index")
        if not isinstance(index, dict):
            raise TableError("must be a table", "index")
        refuse_unknown(index, _KEYS)
        address = text_of(index, "address")
        if not re.fullmatch(r"https://[\w.-]+(?:/[\w.-]+)*", address):
            raise TableError("must be an https address without a final slash", "address")
        cited = texts_of(index, "sources")
        for source in cited:
            if source not in sources:
                raise TableError(f"{source!r} is not in sources.toml", "sources")
        return {
            "address": address,
            "kind": evidence_kind_of(index),
            "sources": {source: sources[source] for source in cited},
            "checked": date_of(index, "checked"),
        }
    except TableError as error:
        error.file = path.name
        raise
