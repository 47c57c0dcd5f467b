"""The hot paths stay as cheap as they are: the calls of whole cold commands, imports included, have a bound.

A busy machine does not change the number of calls. Where a command becomes cheaper, lower its bound.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.calls_of import __file__ as program
from support.site_folder import elf, install, site_of

SOURCE = Path(__file__).parents[1] / "src"
TARGET = ["--python", "3.11", "--platform", "linux-x86_64"]
REQUEST = ["torch==2.3.1", "torchaudio", "soundfile", "librosa"]
# Calls on CPython 3.11, in thousands. Releases of Python differ: 3.12 calls no comprehension.
CALLS = {"version": 8, "audit": 580, "lock": 570, "check": 380}
SLACK = 1.25


@pytest.fixture
def commands(tmp_path: Path) -> dict[str, list[str]]:
    (tmp_path / "requirements.txt").write_text(
        "torch==2.3.1\ntorchaudio==2.3.0  # why\nsoundfile\nlibrosa>=0.10\n"
    )
    site = site_of(tmp_path / "environment")
    modules = {f"torch/part_{number // 40}/module_{number}.py": f"x = {number}\n" for number in range(200)}
    install(site, "torch", "2.1.0", {**modules, "torch/__init__.py": "", "torch/lib/libc10.so": elf(8192)})
    install(site, "numpy", "1.26.4", {"numpy/__init__.py": ""})
    return {
        "version": ["--version"],
        "audit": ["audit", "requirements.txt"],
        "lock": ["lock", *REQUEST, *TARGET, "--offline", "--no-config"],
        "check": ["check", "--path", str(site)],
    }


@pytest.mark.parametrize("name", CALLS)
def test_a_cold_command_makes_no_more_calls_than_its_bound(
    commands: dict[str, list[str]], name: str, tmp_path: Path
) -> None:
    environ = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONHASHSEED": "0"}
    command = [sys.executable, str(program), *commands[name]]
    process = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=True)
    found = re.search(r"^calls: (\d+), code: [01]$", process.stderr, re.M)
    assert found, process.stderr
    assert int(found[1]) <= CALLS[name] * 1000 * SLACK
