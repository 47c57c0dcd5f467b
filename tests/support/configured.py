"""Folders with configuration files, and no settings of this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

BAD = "torch==2.7.1\ntorchaudio==2.5.1\n"
WARNED = "torch==2.3.1\ntorchaudio\n"


def put(path: Path, text: str) -> Path:
    """Write a file, in folders that are made for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without settings above it, and a home without a file; the current folder is ``project`` in it."""
    for name in [name for name in os.environ if name.startswith("TORCHLOCK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    (tmp_path / "project" / "sub" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path
