"""Findings about the same lines get one remedy, if one fixes them all; each finding has a remedy or a sentence."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from torchlock.audit import Auditor

if TYPE_CHECKING:
    from pathlib import Path

    from torchlock.finding import Finding

PAGE = "--extra-index-url https://download.pytorch.org/whl/"


@cache
def auditor() -> Auditor:
    return Auditor()


def found(folder: Path, text: str, name: str = "requirements.txt") -> list[Finding]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return [each for each in auditor().report(str(path)).findings if each.severity != "note"]


@pytest.mark.parametrize(
    ("text", "rules", "fixed"),
    [
        pytest.param(
            PAGE + "cu132\ntorch==2.13.0+cu132\ntorchaudio==2.11.0\n",
            ["TL201", "TL211"],
            PAGE + "cu132\ntorch==2.13.0+cu132\ntorchaudio==2.11.1\n",
            id="another release, or another page",
        ),
        pytest.param(
            PAGE + "cu118\ntorch==2.8.0+cu118\ntorchaudio==2.8.0+cu126\n",
            ["TL204", "TL201", "TL205"],
            PAGE + "cu126\ntorch==2.8.0+cu126\ntorchaudio==2.8.0+cu126\n",
            id="another page, or an older torch",
        ),
        pytest.param(
            PAGE + "cu121\ntorch==2.5.1+cu121\ntorchaudio==2.5.1+cu118\n",
            ["TL201", "TL205"],
            PAGE + "cu121\ntorch==2.5.1+cu121\ntorchaudio==2.5.1+cu121\n",
            id="two rules about one label",
        ),
    ],
)
def test_one_remedy_for_the_same_lines(text: str, rules: list[str], fixed: str, tmp_path: Path) -> None:
    findings = found(tmp_path, text)
    assert [each.rule for each in findings] == rules
    assert len({each.remedy.summary for each in findings if each.remedy}) == 1
    after = auditor().fixed(str(tmp_path / "requirements.txt"), ("error", "warning"))
    assert after is not None
    assert after.decode() == fixed


def test_remedies_of_other_lines_stay_apart(tmp_path: Path) -> None:
    findings = found(tmp_path, "torch==2.5.1\ntorchaudio\ntorchcodec\n")
    assert [each.remedy.summary for each in findings if each.remedy] == [
        "Write torchaudio<2.6 instead of torchaudio.",
        "Write torchcodec<0.2 instead of torchcodec.",
    ]


def test_no_page_is_advised_for_a_build_that_was_never_published(tmp_path: Path) -> None:
    first, second = found(tmp_path, "torch==2.12.0+cu128\ntorchaudio==2.11.0+cu128\n")
    assert (first.rule, second.rule) == ("TL204", "TL507")
    assert second.remedy is not None
    assert second.remedy.summary.startswith("First pin builds that exist")


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("pyproject.toml", '[project]\nname = "a"\nversion = "1"\nrequires-python = ">=3.13"\n'
         'dependencies = ["torch<=2.4.1"]\n', "TL403"),
        ("requirements.txt", "torch==2.5.1\ntorchaudio==2.5.1\nwhisperx==3.3.1\n", "TL207"),
    ],
)  # fmt: skip
def test_a_finding_without_a_fix_says_what_its_rule_advises(
    name: str, text: str, rule: str, tmp_path: Path
) -> None:
    first = next(each for each in found(tmp_path, text, name) if each.rule == rule)
    assert first.remedy is not None
    assert first.remedy.summary
    assert not first.remedy.edits
