"""Logs of failures outside of this stack, and of failures that are past: a working environment stays working."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.check import bad, run
from support.check import site as site
from support.site_folder import write

LOGS = sorted((Path(__file__).parent / "unrelated_logs").glob("*.log"))


@pytest.mark.parametrize("log", LOGS, ids=[path.stem for path in LOGS])
def test_it_is_not_explained(log: Path, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = run(capsys, "--path", site, "--platform", "linux-x86_64", "--log", log, code=0)
    assert bad(report) == []
    innocent = [each["message"] for each in report["files"][0]["findings"] if each["rule"] == "TL229"]
    said = "nothing is wrong" if log.stem == "loggedhandled" else "this check does not explain the log"
    past = (
        ["the log alone shows: "]
        if log.stem.startswith(("cured", "othermodule", "ffmpegmissing", "cudnn_notinit"))
        else []
    )
    assert report["summary"].startswith((said, *innocent, *past))
    assert report["command"] is None


@pytest.mark.parametrize(
    "later",
    [
        "Successfully installed torchaudio-2.8.0\n",
        "Requirement already satisfied: torchaudio==2.8.0 in ./env (2.8.0)\n",
        "Installed 2 packages in 31ms\n + torch==2.8.0\n + torchaudio==2.8.0\n",
    ],
)
@pytest.mark.parametrize("command", ["pip install torchaudio==2.8.0", "uv pip install 'torchaudio[x]>=2.8'"])
def test_what_was_installed_later_did_not_fail(
    command: str, later: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failure = (
        f"$ {command}\nERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n"
    )
    log = write(site.parent / "log.txt", failure)
    assert [row[1] for row in bad(run(capsys, "--path", site, "--log", log, code=0))] == ["TL522"]
    write(log, f"{failure}$ {command}\n{later}")
    assert bad(run(capsys, "--path", site, "--log", log, code=0)) == []
