"""Drivers and GPUs: silence where there is none, and where all is well."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.nvidia import AMPERE_ON, needs_sh, rules, smi
from support.nvidia import environment as environment
from torchlock.answers import Unknown
from torchlock.check.rules.gpu_code import serves
from torchlock.inspect.host import driver
from torchlock.knowledge.gpus import Gpu


def sm(capability: int) -> Gpu:
    return Gpu("NVIDIA GPU", f"sm_{capability}")


@pytest.mark.parametrize(("capability", "served"), [(75, True), (89, True), (120, True), (121, True)])
def test_code_of_the_same_generation_runs(capability: int, served: bool) -> None:
    assert serves(AMPERE_ON, sm(capability)) is served


@pytest.mark.parametrize("capability", [50, 61, 70, 72, 110])
def test_older_and_other_generations_do_not(capability: int) -> None:
    assert serves(AMPERE_ON, sm(capability)) is False


def test_intermediate_code_runs_on_all_that_is_later() -> None:
    assert serves(("sm_50", "compute_50"), sm(120)) is True
    assert serves(("compute_90",), sm(86)) is False


def test_code_of_desktop_gpus_on_a_jetson_is_unknown() -> None:
    assert isinstance(serves(AMPERE_ON, sm(87)), Unknown)


@needs_sh
@pytest.mark.parametrize("text", ["exit 1", "echo nonsense", "echo '580.10, 8.6, NVIDIA A10'", "exit 0"])
def test_nothing_to_complain_of(environment: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    smi(environment, text)
    assert rules(capsys) == []


@needs_sh
def test_a_driver_that_is_too_old(environment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    smi(environment, "echo '470.10.1, 8.6, NVIDIA A10'")
    ((rule, message),) = rules(capsys)
    assert rule == "TL202"
    assert (
        message == "torch 2.8.0 (CUDA 12.8) needs an NVIDIA driver 525.60.13 or newer; this machine has 470.10.1"
    )


@needs_sh
@pytest.mark.triggers("TL208")
def test_a_gpu_that_this_build_has_no_code_for(environment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    smi(environment, "echo '580.10, 6.1, NVIDIA GeForce GTX 1080'")
    ((rule, message),) = rules(capsys)
    assert rule == "TL208"
    assert "has no code for NVIDIA GeForce GTX 1080 (sm_61), only for sm_75" in message


@needs_sh
def test_a_program_that_never_answers(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torchlock.inspect.host._SECONDS", 0.3)
    smi(environment, "exec sleep 60")
    assert isinstance(driver(), Unknown)
