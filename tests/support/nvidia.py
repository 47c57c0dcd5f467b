"""A staged machine with a driver of NVIDIA: a torch for CUDA, and a ``nvidia-smi`` that prints a given text."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from support.site_folder import write
from torchlock.cli.main import main

AMPERE_ON = ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120")


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A torch for CUDA 12.8 on the path of this interpreter, and a nvidia-smi for the test."""
    write(tmp_path / "site" / "torch" / "__init__.py", "")
    write(tmp_path / "site" / "torch" / "version.py", "__version__ = '2.8.0+cu128'\ncuda = '12.8'\n")
    flags = b"\0" + " ".join(AMPERE_ON).encode() + b"\0"
    write(tmp_path / "site" / "torch" / "lib" / "libtorch_python.so", b"\x7fELF" + bytes(100) + flags)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def smi(folder: Path, text: str) -> None:
    write(folder / "bin" / "nvidia-smi", f"#!/bin/sh\n{text}\n").chmod(0o755)


def rules(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    main(["check", "--python", sys.executable, "--format", "json"])
    report = json.loads(capsys.readouterr().out)
    return [
        (each["rule"], each["message"])
        for each in report["files"][0]["findings"]
        if each["rule"] in ("TL202", "TL208")
    ]


needs_sh = pytest.mark.skipif(os.name != "posix", reason="a script as nvidia-smi")
