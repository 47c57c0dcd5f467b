"""The README of a Space of Hugging Face as the audit reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from torchlock.audit import Auditor
from torchlock.errors import InputError
from torchlock.manifests import read_document
from torchlock.manifests.discovery import search

if TYPE_CHECKING:
    from pathlib import Path

FRONT = "---\ntitle: Speech\nsdk: gradio\nsdk_version: 4.44.0\n{}app_file: app.py\n---\n\n# Speech\n"


def space(folder: Path, python: str, requirements: str) -> Path:
    (folder / "requirements.txt").write_text(requirements, encoding="utf-8")
    path = folder / "README.md"
    path.write_text(FRONT.format(python), encoding="utf-8")
    return path


def test_the_python_of_a_space(tmp_path: Path) -> None:
    """The requirements alone install on other Pythons."""
    path = space(tmp_path, 'python_version: "3.12"\n', "torch==2.0.1\ntorchaudio==2.0.2\n")
    report = Auditor().report(str(path))
    found = {(finding.rule, finding.severity) for finding in report.findings}
    assert ("TL403", "error") in found
    assert report.kind == "space"
    (tmp_path / "pre-requirements.txt").write_text("numpy==1.26.4\n", encoding="utf-8")
    document = read_document(str(path))
    assert document.python == "==3.12.*"
    assert document.platforms == ("linux-x86_64",)
    assert [(entry.name, entry.step) for entry in document.entries] == [
        ("numpy", 1),
        ("torch", 2),
        ("torchaudio", 2),
    ]


def test_a_space_that_works(tmp_path: Path) -> None:
    path = space(tmp_path, "python_version: 3.10.13\n", "torch==2.0.1\ntorchaudio==2.0.2\n")
    assert [finding for finding in Auditor().report(str(path)).findings if finding.severity != "note"] == []
    assert search(str(tmp_path), recursive=False).files == [
        str(tmp_path / "README.md"),
        str(tmp_path / "requirements.txt"),
    ]


@pytest.mark.parametrize(
    "text",
    ["# sdk: gradio\n", FRONT.replace("gradio", "docker"), "---\ntitle: x\n---\nsdk: gradio\n", ""],
)
def test_another_readme(tmp_path: Path, text: str) -> None:
    path = tmp_path / "README.md"
    path.write_text(text.format("") if text.startswith("---\ntitle: S") else text, encoding="utf-8")
    assert search(str(tmp_path), recursive=False).files == []
    with pytest.raises(InputError, match="no reader"):
        read_document(str(path))
