"""The order in which a line of a log is compared with what failures print."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from compiling.registry import compile_registry, registry_row_of
from compiling.values import TableError

ROWS = {
    "TL101": [{"order": 20, "line": "z first of its table"}, {"order": 20, "line": "a second of its table"}],
    "TL200": [{"order": 20, "line": "b of a later rule"}, {"order": 10, "line": "y lowest"}],
    "TL020": [{"order": 20, "line": "x of an earlier rule"}, {"order": 30, "line": "c highest"}],
}


def registry(names: tuple[str, ...], *, ranks: tuple[int, ...] = (1, 2, 3)) -> dict[str, Any]:
    """The compiled registry of these rules, whose tables lie in this order."""
    rules = {}
    for name in names:
        rank = ranks[list(ROWS).index(name)]
        table = {"severity": "error", "rank": rank, "by": ["check"], "fix": "Do it.", "prints": ROWS[name]}
        rules[name] = {"registry": registry_row_of(table, name), "story": {}}
    return compile_registry(rules)[0]


@pytest.mark.parametrize("names", list(permutations(ROWS)), ids="-".join)
def test_lines_of_one_number_are_in_the_order_of_the_rules_then_of_the_table(names: tuple[str, ...]) -> None:
    assert [(rules[0], line) for line, _, _, rules in registry(names)["prints"]] == [
        ("TL200", "y lowest"),
        ("TL020", "x of an earlier rule"),
        ("TL101", "z first of its table"),
        ("TL101", "a second of its table"),
        ("TL200", "b of a later rule"),
        ("TL020", "c highest"),
    ]


def test_two_rules_of_one_rank_are_refused() -> None:
    with pytest.raises(TableError, match="1 is there twice"):
        registry(tuple(ROWS), ranks=(1, 1, 2))
