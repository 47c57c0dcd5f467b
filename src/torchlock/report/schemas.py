"""The JSON schemas of the outputs for programs: one for each command with ``--json`` (draft 2020-12).

They describe the outputs of this release exactly: a key that they do not name is refused. A later release may add
keys (docs/json.md), and its schemas name them.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

OUTPUTS = ("audit", "check", "config", "data", "diff", "explain", "fetch", "lock", "matrix", "rules", "upgrade")
_DEFINITIONS = "$defs"


def schema(output: str) -> dict[str, Any]:
    """The schema of an output, by the name of its command, with the definitions that it uses.

    Raises:
        KeyError: no output has this name.
    """
    table = _table()
    found: dict[str, Any] = dict(table[output])
    used: dict[str, Any] = {}
    waiting = list(_references(found))
    while waiting:
        name = waiting.pop()
        if name not in used:
            used[name] = table[_DEFINITIONS][name]
            waiting += _references(used[name])
    return {**found, _DEFINITIONS: dict(sorted(used.items()))} if used else found


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    text = resources.files("torchlock.report").joinpath("schemas.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return table


def _references(value: Any) -> Iterator[str]:
    """The names of the definitions that a schema refers to."""
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str):
            yield reference.rpartition("/")[2]
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)
