"""setup.cfg: the declarative requirements of setuptools."""

from __future__ import annotations

from pathlib import Path

import pytest

from torchlock.errors import InputError
from torchlock.manifests.selection import read_inputs
from torchlock.terms import Inputs

CONFIG = """\
[metadata]
name = asr
description = torch

[options]
python_requires = >=3.9
install_requires =
    numpy
    # a remark
    torch>=2.0; sys_platform != "win32"
    torchaudio==2.*  # another

[options.extras_require]
# torch
Dev_x: pytest
gpu =
    torch
all = asr[dev-x, gpu]
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(text: str, *extras: str, all_extras: bool = False) -> Inputs:
    Path("setup.cfg").write_text(text)
    return read_inputs("setup.cfg", extras=extras, all_extras=all_extras)


def lines(inputs: Inputs) -> list[tuple[int | None, str]]:
    return [(item.origin.line, str(item.requirement)) for item in inputs.requirements]


OWN = [(8, "numpy"), (10, 'torch>=2.0; sys_platform != "win32"'), (11, "torchaudio==2.*")]


def test_a_project() -> None:
    inputs = read(CONFIG)
    assert lines(inputs) == OWN
    assert inputs.requires_python is not None
    assert (str(inputs.requires_python[0]), inputs.requires_python[1].line) == (">=3.9", 6)


@pytest.mark.parametrize(
    ("extras", "every", "expected"),
    [
        (["DEV-X"], False, [(15, "pytest")]),
        (["all"], False, [(15, "pytest"), (17, "torch")]),
        ([], True, [(15, "pytest"), (17, "torch")]),
    ],
    ids=["one", "of itself", "all"],
)
def test_extras(extras: list[str], every: bool, expected: list[tuple[int, str]]) -> None:
    assert lines(read(CONFIG, *extras, all_extras=every)) == OWN + expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("torch", [(2, "torch")]),
        ("torch; numpy<2 ;scipy", [(2, "torch"), (2, "numpy<2"), (2, "scipy")]),
        ("\n  torch; python_version < '4'", [(3, 'torch; python_version < "4"')]),
        ("", []),
        ("\n  torch\n\n  numpy", [(3, "torch"), (5, "numpy")]),
    ],
    ids=["one", "several", "one with a marker", "none", "blank line"],
)
def test_values(value: str, expected: list[tuple[int, str]]) -> None:
    assert lines(read(f"[options]\ninstall_requires = {value}\n")) == expected


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["unix", "windows", "old mac"])
def test_line_ends(end: str) -> None:
    Path("setup.cfg").write_bytes(b"\xef\xbb\xbf" + CONFIG.replace("\n", end).encode())
    assert lines(read_inputs("setup.cfg")) == OWN


def test_files() -> None:
    Path("a.txt").write_text("# a\ntorch\n")
    Path("b.txt").write_text("numpy\n")
    inputs = read("[options]\ninstall_requires = file: a.txt, b.txt\n")
    assert [str(item.origin) for item in inputs.requirements] == ["a.txt:2", "b.txt:1"]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[metadata]\nname = x\n", None, "no [options] section"),
        ("torch\n", 1, "in front of its first [section]"),
        ("[options]\nx\n", 2, "neither a [section] nor key = value"),
        ("[options]\ninstall_requires =\n  numpy\n  torch=1\n", 4, "'torch=1'"),
        ("[options]\ninstall_requires = torch; nump y\n", 2, "'nump y'"),
        ("[options]\ninstall_requires = file: gone.txt\n", 2, "gone.txt: there is no such file"),
        ("[options]\npython_requires = 3\n", 2, "is not a version specifier"),
    ],
)
def test_refused(text: str, line: int | None, words: str) -> None:
    with pytest.raises(InputError) as caught:
        read(text)
    assert (caught.value.path, caught.value.line) == ("setup.cfg", line)
    assert words in caught.value.message


def test_an_extra_that_is_not_there() -> None:
    with pytest.raises(InputError, match="unknown extra 'gone'") as caught:
        read(CONFIG, "gone")
    assert caught.value.hint == "declared: Dev_x, all, gpu"
