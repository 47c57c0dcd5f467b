"""The new text of a line that moves to another release."""

from __future__ import annotations

from pathlib import Path

import pytest

from torchlock.audit.fix.remedies import fixed
from torchlock.audit.fix.upgrading import admits, moved
from torchlock.manifests import read_document


def line_moved(text: str, version: str, path: str = "requirements.in") -> str:
    """The text of a file after its first entry has moved, if it has to."""
    document = read_document(path, raw=text.encode())
    entry = document.entries[0]
    return text if admits(entry, version) else fixed(document, {0: moved(document, entry, version)})


@pytest.mark.parametrize(
    ("old", "version", "new"),
    [
        ("torch==2.8.0", "2.9.1", "torch==2.9.1"),
        ("torch == 2.8.0  # why", "2.9.1", "torch == 2.9.1  # why"),
        ("torch===2.8.0", "2.9.1", "torch===2.9.1"),
        ("torch[opt]==2.8.0 ; python_version > '3.9'", "2.9.1", "torch[opt]==2.9.1 ; python_version > '3.9'"),
        ("torch==2.8.0+cu128", "2.9.1", "torch==2.9.1+cu128"),
        ("torch==2.8.0+cu128", "2.9.1+cu130", "torch==2.9.1+cu130"),
        ("torch~=2.8", "3.1.4", "torch~=3.1"),
        ("torch~=2.8.0", "2.9.1", "torch~=2.9.1"),
        ("torch==2.8.*", "2.9.1", "torch==2.9.*"),
        ("torch>=2.1,<2.9", "2.9.1", "torch>=2.1,<2.10"),
        ("torch>=2.1,<3", "3.0.1", "torch>=2.1,<4"),
        ("torch>=2.1,<3.0", "3.0.1", "torch>=2.1,<4.0"),
        ("torch<=2.8", "2.9.1", "torch<=2.9.1"),
        ("torch>=2.10", "2.9.1", "torch>=2.9.1"),
        ("torch>2.10", "2.9.1", "torch>=2.9.1"),
        ("torch>=2.1,!=2.9.1", "2.9.1", "torch==2.9.1"),
        ("torch<2.9,!=2.7.1", "2.9.1", "torch<2.10,!=2.7.1"),
    ],
)
def test_a_line_keeps_its_style(old: str, version: str, new: str) -> None:
    assert line_moved(f"{old}\n", version) == f"{new}\n"


@pytest.mark.parametrize(
    "text", ["torch", "torch>=2.1", "torch==2.9.1", "torch~=2.9.0", "torch==2.9.1+cpu", "torch==2.9.*"]
)
def test_a_line_that_allows_it_stays(text: str) -> None:
    assert line_moved(f"{text}\n", "2.9.1") == f"{text}\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('torch = "^2.8"', 'torch = "^3.1"'),
        ('torch = "~2.8.0"', 'torch = "~3.1.4"'),
        ('torch = "2.8.0"', 'torch = "3.1.4"'),
        ('torch = { version = "==2.8.0" }', 'torch = { version = "==3.1.4" }'),
        ('torch = ">=2.1,<3"', 'torch = ">=2.1,<4"'),
    ],
)
def test_poetry_keeps_its_operators(old: str, new: str) -> None:
    head = '[tool.poetry]\nname = "x"\nversion = "1"\n[tool.poetry.dependencies]\n'
    assert line_moved(f"{head}{old}\n", "3.1.4", "pyproject.toml") == f"{head}{new}\n"


def test_conda_keeps_its_operators(tmp_path: Path) -> None:
    old = "dependencies:\n  - pytorch=2.8.0\n"
    assert line_moved(old, "2.9.1", "environment.yml") == old.replace("2.8.0", "2.9.1")
