"""Logs of failures that the program handled, or that a passing test expected; and logs that look like these."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.check import bad, run
from support.site_folder import install
from torchlock.check.log import read_log
from torchlock.check.tracebacks import missing_names

FOLDER = Path(__file__).parent / "handled_logs"
HANDLED, FAILED = sorted(FOLDER.glob("*.log")), sorted(FOLDER.glob("failed/*.log"))
TAG = "cp311-cp311-manylinux_2_28_x86_64"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """torch and torchaudio 2.9.1, which lack every name of these logs."""
    folder = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True)
    for name in ("torch", "torchaudio"):
        files: dict[str, bytes | str] = {
            f"{name}/__init__.py": "def load(): ...\n",
            f"{name}/version.py": "__version__ = '2.9.1+cpu'\n",
        }
        install(folder, name, "2.9.1", files, tag=TAG)
    return folder


@pytest.mark.parametrize("log", HANDLED, ids=[path.stem for path in HANDLED])
def test_a_handled_failure_is_none(log: Path, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = run(capsys, "--path", site, "--platform", "linux-x86_64", "--log", log, code=0)
    assert bad(report) == []
    assert report["command"] is None
    assert not report["summary"].startswith("this check does not explain")


@pytest.mark.parametrize("before", ["{}", "test\tRun the tests\t{}"])
@pytest.mark.parametrize("log", HANDLED, ids=[path.stem for path in HANDLED])
def test_a_handled_failure_of_a_job_is_none(
    log: Path, before: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = log.read_text(encoding="utf-8").splitlines()
    stamped = [f"{before.format('2026-11-02T10:11:12.1234567Z')} {line}" for line in lines]
    copy = site.parent / "job.log"
    copy.write_text("\n".join(stamped), encoding="utf-8")
    assert bad(run(capsys, "--path", site, "--platform", "linux-x86_64", "--log", copy, code=0)) == []


@pytest.mark.parametrize("log", FAILED, ids=[path.stem for path in FAILED])
def test_a_failure_stays_one(log: Path, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = bad(run(capsys, "--path", site, "--platform", "linux-x86_64", "--log", log))
    assert [row[1] for row in found] in (["TL701"], ["TL702"])


def test_the_remark_names_the_line(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = read_log((FOLDER / "went_on.log").read_text(encoding="utf-8"))
    assert (log.is_handled, log.handled) == (True, 2)
    assert "list_audio_backends" not in log.text
    assert log.text.count("\n") == 3


def test_frames_belong_to_the_error_that_ends_their_traceback() -> None:
    traceback = (
        'Traceback (most recent call last):\n  File "/app/net.py", line 4, in get\n    get(url)\n'
        "ConnectionError: refused\n"
    )
    lack = "module 'torchaudio' has no attribute 'info'"
    assert [each.caller for each in missing_names(f"{traceback}\n{lack}\n")] == [None]
    assert [each.caller for each in missing_names(f"{traceback}ERROR app: {lack}\n")] == [None]
    own = missing_names(
        f"{traceback.removesuffix('ConnectionError: refused' + chr(10))}RuntimeError: see below\n{lack}\n"
    )
    assert [each.caller.path if each.caller else "" for each in own] == ["/app/net.py"]
