"""Every log of tests/scenarios/log: the failure that it shows, and a log for every failure that is known."""

from __future__ import annotations

import pytest

from support.scenarios import TESTS, read_toml
from torchlock.check.log import read_log
from torchlock.check.log_signatures import signatures

LOGS = read_toml(TESTS / "scenarios" / "log" / "signatures.toml", {"log"})["log"]


@pytest.mark.parametrize("row", LOGS, ids=lambda row: row["text"].strip()[:60])
def test_the_likeliest_cause(row: dict[str, str]) -> None:
    assert row.keys() == {"text", "rule"}
    first = read_log(row["text"]).first
    assert first is not None
    assert first.rules[0] == row["rule"]


def test_every_known_failure_is_in_a_log() -> None:
    lines = [line for row in LOGS for line in row["text"].splitlines()]
    shown = {known_failure(line) for line in lines}
    assert [known for index, known in enumerate(signatures()) if index not in shown] == []


def known_failure(line: str) -> int | None:
    """The number of the known failure that a line shows."""
    for index, known in enumerate(signatures()):
        if known.line.search(line) and (known.beside is None or known.beside.search(line)):
            return index
    return None
