"""``torchlock explain``: rules, requirements that go together, and requirements that do not."""

from __future__ import annotations

import json

import pytest

from torchlock.cli.main import main
from torchlock.knowledge.rules import Matrix

TARGET = ["--python", "3.11", "--platform", "linux-x86_64", "--offline"]


def test_a_rule_of_the_check_is_not_told_as_one_of_the_audit(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "TL606"]) == 0
    out = capsys.readouterr().out
    assert "torchlock check --ignore TL606" in out
    assert "comment" not in out


@pytest.mark.parametrize("rule", Matrix().rules())
def test_every_rule_has_a_story(rule: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", rule.lower()]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{rule}: ")
    assert "Because " in out
    assert "sources" in out


def test_what_goes_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "torch", "torchaudio<2.11.1", *TARGET]) == 0
    out = capsys.readouterr().out
    assert "torch 2.14.1, torchaudio 2.11.0" in out
    assert "torch 2.15.0 is newer, but cannot be used" in out
    assert "TL201" in out


def test_what_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "torch==2.7.1", "torchaudio==2.5.1", *TARGET]) == 1
    out = capsys.readouterr().out
    assert "1. torchaudio 2.5.1 declares that it needs torch==2.5.1" in out
    assert "torchaudio==2.7.1 instead of torchaudio==2.5.1" in out


def test_each_source_once(capsys: pytest.CaptureFixture[str]) -> None:
    main(["explain", "torch", "torchaudio", "torchcodec", *TARGET])
    _, _, sources = capsys.readouterr().out.partition("sources\n")
    lines = sources.splitlines()
    assert len(lines) == len(set(lines)) > 2


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "torch==2.7.1", "torchaudio==2.5.1", "--json", *TARGET]) == 1
    (story,) = json.loads(capsys.readouterr().out)["explained"]
    assert story["together"] is False
    assert story["steps"]
    assert story["remedies"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["TL000"], "unknown rule TL000", id="a rule that is none"),
        pytest.param(["TL101", "torch"], "cannot be explained together", id="both"),
        pytest.param(["torch="], "is not a requirement", id="no requirement"),
    ],
)
def test_wrong_use(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_library_that_no_requirement_brings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "torchcodec==0.11.0", "torch==2.11.0", *TARGET]) == 1
    assert (
        "torchcodec 0.11.0 does not load without libnppicc.so.13 (CUDA 13), because its libraries link it"
        in capsys.readouterr().out
    )
