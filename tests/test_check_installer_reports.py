"""What installers, builds and docker print in public threads: the cause and the cure, judged before any run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.check import run
from support.scenarios import TESTS, read_toml
from support.site_folder import write

if TYPE_CHECKING:
    from pathlib import Path

LOGS = read_toml(TESTS / "scenarios" / "log" / "installer_reports.toml", {"log"})["log"]


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, on a machine without an environment."""
    for name in ("PATH", "VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.setenv(name, "")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("row", LOGS, ids=lambda row: row["thread"])
def test_a_log_of_an_installer(row: dict[str, str], alone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert {"thread", "cause", "cure", "rule", "says"} <= row.keys()
    report = run(capsys, "--no-config", "--log", write(alone / "log", row["text"]))
    first = report["files"][0]["findings"][0]
    remedy = first["remedy"]
    assert first["rule"] == row["rule"]
    assert row["says"] in first["message"]
    assert row.get("fix", "") in remedy["summary"]
    assert row.get("not", "\0") not in f"{first['message']} {remedy['summary']} {remedy.get('commands')}"
    if "command" in row:
        assert row["command"] in [each["line"] for each in remedy["commands"]]


LAST_LINE = 'failed to solve: process "/bin/sh -c {}" did not complete successfully: exit code: 1'


@pytest.mark.triggers("TL535")
def test_the_last_line_of_docker_alone(alone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = LAST_LINE.format("pip install torchaudio")
    report = run(capsys, "--no-config", "--log", write(alone / "log", log))
    assert [each["rule"] for each in report["files"][0]["findings"]] == ["TL535"]


@pytest.mark.leaves_alone("TL535")
def test_the_last_line_of_docker_below_the_reason(alone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reason = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"
    log = f"Collecting torchaudio\n{reason}\n{LAST_LINE.format('pip install torchaudio')}\n"
    report = run(capsys, "--no-config", "--log", write(alone / "log", log))
    assert [each["rule"] for each in report["files"][0]["findings"]] == ["TL522"]
