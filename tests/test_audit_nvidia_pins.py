"""TL530 for pins of NVIDIA's packages and triton beside torch: for each way to name torch, with a true fix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from torchlock.audit import Auditor, Options
from torchlock.target import Platform, PythonVersion

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS = Options(pythons=(PythonVersion.parse("3.11"),), platforms=(Platform.parse("linux-x86_64"),))
WHEEL = "https://example.org/whl/cu121/torch-2.2.0%2Bcu121-cp311-cp311-linux_x86_64.whl"
PAGE = "--extra-index-url https://example.org/whl/cu121\n"


@pytest.mark.parametrize("torch", ["torch==2.2.0\n", f"{PAGE}torch==2.2.0+cu121\n", f"torch @ {WHEEL}\n"])
@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("nvidia-cudnn-cu12==9.1.0.70", "nvidia-cudnn-cu12==8.9.2.26"),
        ("nvidia-nccl-cu12==2.20.5", "nvidia-nccl-cu12==2.19.3"),
        ("triton==3.0.0", "triton==2.2.0"),
    ],
)
def test_the_pin_becomes_what_torch_declares(tmp_path: Path, torch: str, wrong: str, right: str) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text(torch + wrong + "\n", encoding="utf-8")
    (found,) = [each for each in Auditor(OPTIONS).report(str(path)).findings if each.severity != "note"]
    assert (found.rule, found.severity) == ("TL530", "error")
    assert found.remedy is not None and f"Write {right} instead of {wrong}" in found.remedy.summary


@pytest.mark.parametrize("torch", ["torch==2.2.0", f"torch @ {WHEEL}"])
def test_what_torch_declares_is_left_alone(tmp_path: Path, torch: str) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text(f"{torch}\ntriton==2.2.0\nnvidia-cudnn-cu12==8.9.2.26\n", encoding="utf-8")
    assert not [each for each in Auditor(OPTIONS).report(str(path)).findings if each.severity != "note"]


def test_an_archive_at_an_address_is_not_compared(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text("torch @ https://example.org/torch-2.2.0.tar.gz\ntriton==3.0.0\n", encoding="utf-8")
    assert not [each for each in Auditor(OPTIONS).report(str(path)).findings if each.severity == "error"]


def test_each_line_that_clashes_with_one_pin_is_reported(tmp_path: Path) -> None:
    """Only the first was: the next one showed when that was mended."""
    path = tmp_path / "requirements.txt"
    path.write_text("torch==2.8.0\nnvidia-cudnn-cu12==9.1.0.70\ntriton==3.0.0\n", encoding="utf-8")
    found = [each for each in Auditor(OPTIONS).report(str(path)).findings if each.severity == "error"]
    assert [(each.rule, each.place.line) for each in found] == [("TL530", 2), ("TL530", 3)]
    said = [each.remedy.summary for each in found if each.remedy is not None]
    assert said[0].startswith("Write nvidia-cudnn-cu12==9.10.2.21 instead of")
    assert said[1].startswith("Write triton==3.4.0 instead of")
