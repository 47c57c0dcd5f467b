"""The tables that others publish: each difference from the matrix is settled, and the page names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from comparing.differences import KINDS, Comparison
from comparing.page import page_of
from comparing.tables import Published, Row, read_settled, read_tables
from torchlock.knowledge.proofs import proofs

FOLDER = Path(__file__).parents[1] / "compat_data" / "tables"
TABLES = read_tables(FOLDER)


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return Comparison()


def test_each_difference_is_settled(comparison: Comparison) -> None:
    settled = read_settled(FOLDER / "settled.toml")
    text, lacking = page_of([(each, comparison.differences(each)) for each in TABLES], settled, proofs())
    assert lacking == []
    for table in TABLES:
        assert f"## {table.title}\n" in text
        assert table.address in text


def test_what_is_settled_names_tables_and_kinds() -> None:
    for each in read_settled(FOLDER / "settled.toml"):
        table = next(table for table in TABLES if table.id == each.table)
        assert each.kind in KINDS
        assert each.right in ("the matrix", "the table", "both", "open")
        assert not set(each.rows) - {row.label for row in table.rows}
        assert each.why


@pytest.mark.parametrize(
    ("row", "kinds"),
    [
        (Row("right", {"torchaudio": "==2.8.0"}, "==2.8.0", (9, 10, 11, 12, 13)), set()),
        (Row("another torch", {"torchaudio": "==2.8.0"}, "==2.7.0", ()), {"denied", "unlisted"}),
        (Row("no such release", {"torchaudio": "==2.8.9"}, "==2.8.0", ()), {"absent"}),
        (Row("too many Pythons", {"torchaudio": "==2.8.0"}, "==2.8.0", tuple(range(8, 14))), {"pythons-more"}),
        (Row("too few Pythons", {"torchaudio": "==2.8.0"}, "==2.8.0", (9, 10)), {"pythons-fewer"}),
        (Row("a build", {"torchaudio": "==2.8.0"}, "==2.8.0", (), ("cu128",)), set()),
        (Row("no such build", {"torchaudio": "==2.8.0"}, "==2.8.0", (), ("cu118",)), {"absent"}),
        (Row("some platforms", {"torchaudio": "==2.11.0"}, "==2.15.0", ()), {"partly", "unlisted"}),
    ],
    ids=lambda value: value.label if isinstance(value, Row) else None,
)
def test_differences_are_found(row: Row, kinds: set[str], comparison: Comparison) -> None:
    published = Published("made-up", "Made up", "https://example.org/", "today", "2026-11-30", (row,))
    found = {each.kind for each in comparison.differences(published)}
    assert found - {"newer", "refused"} == kinds
