"""Failures of public threads that were collected and judged before the tool saw them, with cause and cure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.check import run
from support.scenarios import TESTS, read_toml
from support.site_folder import write
from torchlock.check import by_log
from torchlock.check.log import read_log
from torchlock.check.log_alone import context_of

if TYPE_CHECKING:
    from pathlib import Path

LOGS = read_toml(TESTS / "scenarios" / "log" / "held_out.toml", {"log"})["log"]
MORE = read_toml(TESTS / "scenarios" / "log" / "public_threads.toml", {"log"})["log"]


@pytest.mark.parametrize("row", LOGS, ids=lambda row: row["thread"])
def test_a_log_alone(
    row: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {"thread", "cause", "cure", "text"} <= row.keys()
    for name in ("PATH", "VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.setenv(name, "")
    monkeypatch.chdir(tmp_path)
    report = run(capsys, "--no-config", "--log", write(tmp_path / "log", row["text"]))
    found = report["files"][0]["findings"]
    if "rule" not in row:
        assert not found
        return
    first = found[0]
    assert first["rule"] == row["rule"]
    assert row["says"] in first["message"]
    assert row.get("fix", "") in first["remedy"]["summary"]
    if "command" in row:
        assert row["command"] in [each["line"] for each in first["remedy"]["commands"]]


@pytest.mark.parametrize("row", MORE, ids=lambda row: row["thread"])
def test_a_log_of_another_thread(row: dict[str, str]) -> None:
    assert {"thread", "cause", "cure", "text"} <= row.keys()
    log = read_log(row["text"])
    first = by_log(context_of(log), log, [])[0]
    assert first.rule == row["rule"]
    assert row["says"] in first.message
    assert first.remedy is not None
    assert row.get("fix", "") in first.remedy.summary
    assert row.get("command", "") in [*(each.line for each in first.remedy.commands), ""]
