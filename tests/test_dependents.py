"""The rules on dependents: each bound lies between what was seen to work and what was seen to fail."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import pytest
from packaging.version import Version

from torchlock.knowledge.judge import violations
from torchlock.knowledge.rules import Matrix, specifier_set
from torchlock.standards.dependency import Dependency
from torchlock.target import Platform, PythonVersion, Target


class Pin(NamedTuple):
    """A package at one version, as a statement looks at it."""

    name: str
    version: Version
    build: str | None = None
    unversioned: bool = False
    tags: str = "py3-none-any"
    dependencies: tuple[Dependency, ...] = ()

    @property
    def text(self) -> str:
        return str(self.version)


@cache
def matrix() -> Matrix:
    return Matrix()


def effects(one: Pin, other: Pin, platform: str = "linux-x86_64") -> list[str]:
    """What comes of the first beside the second, by the statements about the first: ``import``, ``use``."""
    target = Target(PythonVersion.parse("3.11"), Platform.parse(platform))
    found = [
        statement.effect
        for statement in matrix().statements_for(one, target)
        for forbidden in statement.forbids
        if forbidden.name == other.name and specifier_set(forbidden.specifier).contains(other.version)
    ]
    refused = violations({one.name: one, other.name: other}, target, matrix(), complete=False)
    assert bool(refused) == ("import" in found), "what imports is not refused, and what does not is"
    return found


def pin(text: str) -> Pin:
    name, _, version = text.partition(" ")
    version, _, build = version.partition("+")
    return Pin(name, Version(version), build or None)


@pytest.mark.parametrize(
    ("dependent", "beside"),
    [
        ("speechbrain 1.0.3", "torchaudio 2.8.0"),
        ("speechbrain 1.1.0", "torchaudio 2.9.0"),
        ("speechbrain 1.1.2", "torchaudio 2.11.0"),
        ("pyannote-audio 3.4.0", "torchaudio 2.8.0"),
        ("pyannote-audio 4.0.0", "torchaudio 2.11.0"),
        ("pyannote-audio 3.3.2", "numpy 2.4.0"),
        ("pyannote-audio 3.1.1", "numpy 1.26.4"),
        ("whisperx 3.3.4", "torchaudio 2.9.0"),
        ("silero-vad 6.1.0", "torchaudio 2.11.0"),
        ("silero-vad 6.0.0", "torchaudio 2.8.0"),
        ("torch-audiomentations 0.12.0", "torchaudio 2.8.0"),
        ("deepfilternet 0.5.6", "torchaudio 2.8.0"),
        ("deepfilternet 0.5.6", "torch 2.8.0"),
        ("deepfilternet 0.4.0", "torch 1.13.1"),
        ("s3prl 0.3.4", "torchaudio 2.11.0"),
        ("basicsr 1.4.2", "torchvision 0.16.2"),
        ("basicsr 1.3.5", "torchvision 0.17.0"),
        ("demucs 4.0.1", "torchaudio 2.11.0"),
        ("torch 2.5.1+cu124", "ctranslate2 4.5.0"),
        ("torch 2.3.1+cu121", "ctranslate2 4.4.0"),
        ("torch 2.3.1+cu121", "ctranslate2 4.6.3"),
        ("torch 2.5.1+cpu", "ctranslate2 4.4.0"),
    ],
)
def test_what_was_seen_to_work_is_left_alone(dependent: str, beside: str) -> None:
    assert effects(pin(dependent), pin(beside)) == []


@pytest.mark.parametrize(
    ("dependent", "beside"),
    [
        ("speechbrain 0.5.10", "torchaudio 2.9.0"),
        ("speechbrain 1.0.0", "torchaudio 2.9.1"),
        ("speechbrain 1.0.3", "torchaudio 2.11.0"),
        ("pyannote-audio 3.0.0", "torchaudio 2.9.0"),
        ("pyannote-audio 3.2.0", "torchaudio 2.9.0"),
        ("pyannote-audio 3.4.0", "torchaudio 2.11.0"),
        ("pyannote-audio 3.3.0", "numpy 2.0.0"),
        ("whisperx 3.3.1", "torchaudio 2.9.0"),
        ("torch-audiomentations 0.11.0", "torchaudio 2.9.0"),
        ("deepfilternet 0.5.6", "torchaudio 2.9.0"),
        ("deepfilternet 0.4.0", "torch 2.0.0"),
        ("s3prl 0.4.18", "torchaudio 2.9.0"),
        ("basicsr 1.4.2", "torchvision 0.17.0"),
    ],
)
def test_what_does_not_import_is_refused(dependent: str, beside: str) -> None:
    assert effects(pin(dependent), pin(beside)) == ["import"]


@pytest.mark.parametrize(
    ("dependent", "beside"),
    [
        ("silero-vad 6.0.0", "torchaudio 2.9.0"),
        ("pyannote-audio 3.3.1", "numpy 2.4.0"),
        ("torch-audiomentations 0.12.0", "torchaudio 2.9.0"),
        ("openunmix 1.3.0", "torchaudio 2.11.0"),
        ("whisperx 3.4.3", "torchaudio 2.9.0"),
        ("speechbrain 0.5.16", "torchaudio 2.9.0"),
        ("torch 2.5.1+cu124", "ctranslate2 4.4.0"),
        ("torch 2.3.1+cu121", "ctranslate2 4.5.0"),
    ],
)
def test_what_imports_and_fails_later_is_told_and_not_refused(dependent: str, beside: str) -> None:
    assert effects(pin(dependent), pin(beside)) == ["use"]


def test_speechbrain_called_it_on_windows_only() -> None:
    pins = pin("speechbrain 0.5.16"), pin("torchaudio 2.9.0")
    assert "import" in effects(*pins, platform="windows-amd64")
    assert "import" not in effects(*pins, platform="macos-arm64")


def test_numpy_2_is_refused_though_torch_imports() -> None:
    target = Target(PythonVersion.parse("3.11"), Platform.parse("linux-x86_64"))
    torch, numpy = pin("torch 2.2.2"), pin("numpy 2.0.0")
    (violation,) = violations({"torch": torch, "numpy": numpy}, target, matrix(), complete=False)
    assert violation.statement is not None
    assert violation.statement.effect == "use"
    assert violation.statement in matrix().forbidding()


def test_the_solver_is_not_told_what_it_may_not_refuse() -> None:
    assert all(statement.refuse for statement in matrix().forbidding())
    assert "ctranslate2" not in matrix().forbidden_beside(["torch"])
