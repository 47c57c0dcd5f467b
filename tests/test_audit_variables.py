"""A version that is a variable of the same file: a fix changes the value where the file sets it, if certain."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from torchlock.audit import Auditor

if TYPE_CHECKING:
    from pathlib import Path

WORKFLOW = """on: push
jobs:
  a:
    runs-on: ubuntu-latest
    {}
    steps:
      - run: pip install torch==2.5.1 torchaudio=={}
"""


@cache
def auditor() -> Auditor:
    return Auditor()


FIXED = [
    ("Dockerfile", "FROM python:3.11\nARG AUDIO=2.4.1\nRUN pip install torch==2.5.1 torchaudio==${AUDIO}\n"),
    ("Dockerfile", "FROM python:3.11\nENV AUDIO 2.4.1\nRUN pip install torch==2.5.1 torchaudio==$AUDIO\n"),
    ("install.sh", 'AUDIO="2.4.1"  # audio\npip install torch==2.5.1 "torchaudio==${AUDIO}"\n'),
    ("install.sh", "export AUDIO=2.4.1\npip install torch==2.5.1 torchaudio==$AUDIO\n"),
    ("Makefile", "AUDIO := 2.4.1\ninstall:\n\tpip install torch==2.5.1 torchaudio==$(AUDIO)\n"),
    (".github/workflows/t.yml", WORKFLOW.format("env:\n      AUDIO: 2.4.1", "$AUDIO")),
    (".github/workflows/t.yml", WORKFLOW.format("env:\n      AUDIO: '2.4.1'", "${{ env.AUDIO }}")),
    (
        ".github/workflows/t.yml",
        WORKFLOW.format('strategy:\n      matrix:\n        audio: ["2.4.1"]', "${{ matrix.audio }}"),
    ),
]
WORDS = [
    pytest.param(
        "install.sh",
        'V=2.4.1\nif [ -n "$CI" ]; then V=2.4.0; fi\npip install torch==2.5.1 torchaudio==$V\n',
        id="set in two places",
    ),
    pytest.param(
        "install.sh", "V=2.4.1\npip install torch==2.5.1 torchaudio==$V torchtext==$V\n", id="for two packages"
    ),
    pytest.param(
        "install.sh", "A=1 V=2.4.1 B=2\npip install torch==2.5.1 torchaudio==$V\n", id="not alone on its line"
    ),
    pytest.param("install.sh", "V=4.1\npip install torch==2.5.1 torchaudio==2.$V\n", id="a part of the version"),
]


def audited(folder: Path, name: str, text: str) -> tuple[Path, list[tuple[str, bool]]]:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    bad = [each for each in auditor().report(str(path)).findings if each.severity == "error"]
    return path, [(each.remedy.summary, bool(each.remedy.edits)) for each in bad if each.remedy]


@pytest.mark.parametrize(("name", "text"), FIXED)
def test_the_value_changes_where_it_is_set(name: str, text: str, tmp_path: Path) -> None:
    path, remedies = audited(tmp_path, name, text)
    assert remedies == [("Write torchaudio==2.5.1 instead of torchaudio==2.4.1.", True)]
    after = auditor().fixed(str(path))
    assert after is not None
    assert after.decode() == text.replace("2.4.1", "2.5.1")
    path.write_bytes(after)
    assert not [each for each in auditor().report(str(path)).findings if each.severity == "error"]


@pytest.mark.parametrize(("name", "text"), WORDS)
def test_a_value_stays_where_that_is_not_certain(name: str, text: str, tmp_path: Path) -> None:
    path, remedies = audited(tmp_path, name, text)
    assert all(not has_edits for _, has_edits in remedies)
    assert auditor().fixed(str(path)) is None
