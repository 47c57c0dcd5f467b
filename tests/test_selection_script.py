"""Inline script metadata (PEP 723)."""

from __future__ import annotations

from pathlib import Path

import pytest

from torchlock.errors import InputError
from torchlock.manifests.selection import read_inputs
from torchlock.terms import Inputs

SCRIPT = '''\
#!/usr/bin/env python3
"""Resample a folder."""
# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "torch>=2.0",  # "torchaudio"
#
#   "torchaudio",
# ]
# ///
import torch

# "torch>=2.0"
'''


def read(text: str, tmp_path: Path) -> Inputs:
    path = tmp_path / "tool.py"
    path.write_bytes(text.encode())
    return read_inputs(str(path))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["unix", "windows", "old mac"])
def test_a_script(end: str, tmp_path: Path) -> None:
    inputs = read(SCRIPT.replace("\n", end), tmp_path)
    assert [(item.origin.line, str(item.requirement)) for item in inputs.requirements] == [
        (6, "torch>=2.0"),
        (8, "torchaudio"),
    ]
    assert inputs.requires_python is not None
    assert (str(inputs.requires_python[0]), inputs.requires_python[1].line) == (">=3.11", 4)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("# /// script\n# ///\n# ///\n", id="a line that looks like an end"),
        pytest.param("# /// script\n#\n# ///\n", id="empty"),
        pytest.param("# /// script\n# dependencies = []\n# ///", id="no dependencies, no line end"),
        pytest.param("# /// pyproject\n# x = 1\n# ///\n\n# /// script\n# x = 1\n# ///\n", id="another block"),
        pytest.param("# /// script\n# [tool.uv]\n# x = 1\n# ///\n", id="settings of a tool"),
    ],
)
def test_scripts_that_ask_for_nothing(text: str, tmp_path: Path) -> None:
    if "# ///\n# ///" in text:
        with pytest.raises(InputError, match="not valid TOML"):
            read(text, tmp_path)
    else:
        assert read(text, tmp_path) == Inputs()


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        pytest.param("import torch\n", None, "no script metadata", id="none"),
        pytest.param("# /// script\n# x = 1\n", 1, "script metadata block is not closed", id="not closed"),
        pytest.param("# /// script\n#x = 1\n# ///\n", 1, "script metadata block is not closed", id="no space"),
        pytest.param(f"{SCRIPT}\n\n{SCRIPT}", 18, "two script metadata blocks, the first in line 3", id="two"),
        pytest.param("\n# /// script\n# x = 1\n# y = \n# ///\n", 4, "not valid TOML", id="toml"),
        pytest.param("# /// script\n# dependencies = ['x=1']\n# ///\n", 2, "'x=1'", id="requirement"),
        pytest.param("# /// script\n#\n# dependencies = 'x'\n# ///\n", 3, "is not a list", id="no list"),
        pytest.param("# /// script\n# dependencies = [1]\n# ///\n", 2, "1 is not a requirement", id="no string"),
        pytest.param(
            "# /// script\n#\n# requires-python = '3'\n# ///\n", 3, "is not a version specifier", id="python"
        ),
    ],
)
def test_refused(text: str, line: int | None, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(text, tmp_path)
    assert caught.value.line == line
    assert words in caught.value.message


def test_a_setup_py_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "setup.py"
    path.write_text("raise SystemExit('ran')\n")
    with pytest.raises(InputError) as caught:
        read_inputs(str(path))
    assert "not run" in (caught.value.hint or "")
