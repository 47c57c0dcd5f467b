"""``explain`` says what the wheels of pinned releases show."""

from __future__ import annotations

import json
from typing import Any

import pytest

from torchlock.cli.main import main

TARGET = ("--platform", "linux-x86_64", "--offline", "--json")


def explained(capsys: pytest.CaptureFixture[str], *requirements: str, python: str = "3.12") -> dict[str, Any]:
    code = main(["explain", *requirements, "--python", python, *TARGET])
    printed = capsys.readouterr()
    assert code in (0, 1), printed.err
    row: dict[str, Any] = json.loads(printed.out)["explained"][0]
    return row


def shown(row: dict[str, Any]) -> list[str]:
    return [step for step in row["steps"] if "as their wheels show" in step]


def test_a_pair_that_fails(capsys: pytest.CaptureFixture[str]) -> None:
    row = explained(capsys, "torchaudio==2.11.1", "torch==2.12.1")
    assert not row["together"]
    (step,) = shown(row)
    assert "torch_exception_get_what and 2 more" in step
    assert "torch has it from 2.13.0 on" in step
    assert "torchaudio-2.11.1-py3-none-manylinux_2_28_x86_64.whl" in step
    assert "proofs-from-wheels" in [source["id"] for source in row["sources"]]


def test_a_pair_that_loads(capsys: pytest.CaptureFixture[str]) -> None:
    (step,) = shown(explained(capsys, "torchaudio==2.11.1", "torch==2.13.0"))
    assert step.startswith("torchaudio 2.11.1 loads beside torch 2.13.0")


def test_the_python_decides_which_wheel_is_meant(capsys: pytest.CaptureFixture[str]) -> None:
    pair = ("torchtext==0.16.2", "torch==2.2.0")
    assert "loads beside" in shown(explained(capsys, *pair))[0]
    assert "fails beside" in shown(explained(capsys, *pair, python="3.11"))[0]


def test_what_is_not_pinned_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert not shown(explained(capsys, "librosa==0.10.2", "torch==2.12.1"))


def test_other_builds_are_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    row = explained(capsys, "torchaudio==2.8.0", "torch==2.8.0", "--accelerator", "cu126")
    assert row["together"]
    assert not shown(row)


def test_what_is_about_one_build_is_told_of_that_build(capsys: pytest.CaptureFixture[str]) -> None:
    steps = "\n".join(explained(capsys, "torchaudio==2.11.1", "torch==2.13.0")["steps"])
    assert "torchaudio 2.11.1 needs torch>=2.13, because its library uses torch_exception_get_what" in steps
    assert "torchaudio 2.11.1 needs a torch that is built for CUDA 13, because" in steps
    steps = "\n".join(explained(capsys, "torchaudio==2.11.0", "torch==2.12.0", "--accelerator", "cpu")["steps"])
    assert "torchaudio 2.11.0+cpu needs torch>=2.11" in steps
    assert "CUDA" not in steps
