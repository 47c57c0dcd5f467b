"""What pins and other packages of a file decide about torch, its companions and NumPy, which no line names."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from torchlock.audit import Auditor

if TYPE_CHECKING:
    from pathlib import Path

    from torchlock.finding import Finding


@cache
def auditor() -> Auditor:
    return Auditor()


def found(folder: Path, text: str, name: str = "requirements.txt") -> list[Finding]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return auditor().report(str(path)).findings


def worse(findings: list[Finding]) -> set[str]:
    return {each.rule for each in findings if each.severity != "note"}


@pytest.mark.triggers("TL101")
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("torch>=2.1.2\ntorchaudio>=2.1.2\nopenai-whisper==20231117\n", "declares triton>=2.0.0,<3"),
        ("torch\ntorchaudio\nsympy==1.12\n", "asks for sympy==1.12, and torch 2.4.1 is the newest"),
        ("torch\ntorchaudio\ntyping-extensions==4.7.1\n", "torch 2.1.2 is the newest that allows it"),
        ("torch\ntorchaudio\ntriton==2.1.0\n", "asks for triton==2.1.0"),
    ],
)
def test_a_package_that_torch_requires_too_holds_torch_back(tmp_path: Path, text: str, says: str) -> None:
    first = next(each for each in found(tmp_path, text) if each.rule == "TL101")
    assert first.severity == "warning"
    assert says in first.message


@pytest.mark.leaves_alone("TL101")
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("torch\nsympy==1.12\n", id="no companion"),
        pytest.param("torch\ntorchaudio==2.1.0\nsympy==1.12\n", id="a companion that declares its torch"),
        pytest.param("torch\ntorchaudio\nsympy>=1.12\n", id="no upper bound"),
        pytest.param("torch\ntorchaudio\nopenai-whisper\n", id="a release that allows the newest triton"),
    ],
)
def test_nothing_holds_torch_back(tmp_path: Path, text: str) -> None:
    assert "TL101" not in worse(found(tmp_path, text))


@pytest.mark.triggers("TL102")
@pytest.mark.parametrize("lead", ["descript-audiotools==0.7.2", "demucs", "julius"])
def test_another_package_brings_torch(tmp_path: Path, lead: str) -> None:
    findings = found(tmp_path, f"{lead}\ntorchcodec==0.8.0\n")
    first = next(each for each in findings if each.rule == "TL102")
    assert first.remedy is not None
    assert first.remedy.summary == "Add torch==2.9.1."
    assert "TL108" not in {each.rule for each in findings}


@pytest.mark.triggers("TL105")
@pytest.mark.parametrize(
    "text",
    [
        "torch==2.0.1\ntorchvision==0.15.2\n",
        "torch==2.0.1\nlibrosa==0.10.0\n",
        "torchaudio==2.0.2\nsilero-vad\nscipy\n",
    ],
)
def test_numpy_that_another_package_brings(tmp_path: Path, text: str) -> None:
    first = next(each for each in found(tmp_path, text) if each.rule == "TL105")
    assert first.severity == "warning"
    assert first.remedy is not None
    assert first.remedy.summary == "Add numpy<2."
    path = tmp_path / "requirements.txt"
    assert first.rule not in worse(found(tmp_path, (auditor().fixed(str(path), ("warning",)) or b"").decode()))


@pytest.mark.leaves_alone("TL105")
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("torch==2.0.1\n", id="nothing brings NumPy"),
        pytest.param("torch==2.6.0\ntorchvision==0.21.0\n", id="a torch for NumPy 2"),
        pytest.param("torch==2.0.1\nlibrosa==0.10.0\nnumpy<2\n", id="NumPy 1 is named"),
    ],
)
def test_no_numpy_2(tmp_path: Path, text: str) -> None:
    assert "TL105" not in worse(found(tmp_path, text))


def test_a_package_whose_metadata_is_not_known_may_hold_numpy_back(tmp_path: Path) -> None:
    assert "TL105" not in worse(found(tmp_path, "torch==2.0.1\nlibrosa==0.10.0\nsome-other-package\n"))


@pytest.mark.triggers("TL701")
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("torch\ntorchaudio\nnumpy<2\npyannote.audio>=3.1\n", "pyannote-audio 3.4.0"),
        ("torch\ntorchaudio\nnumpy<2\nwhisperx\n", "whisperx 3.3.1"),
    ],
)
def test_a_release_is_taken_whose_requirements_fit_the_file(tmp_path: Path, text: str, says: str) -> None:
    """Each release of pyannote-core that pyannote.audio 4 allows requires NumPy 2."""
    messages = [each.message for each in found(tmp_path, text) if each.severity != "note"]
    assert any(says in message for message in messages)
    assert not any("pyannote-audio 4" in message or "torch 2.8.0" in message for message in messages)


_LOCK = (
    '[[package]]\nname = "torch"\nversion = "{torch}"\n\n'
    '[metadata]\nlock-version = "2.0"\npython-versions = "{python}"\ncontent-hash = "0"\n'
)


@pytest.mark.triggers("TL403")
@pytest.mark.parametrize(
    ("torch", "python", "severity"),
    [("2.1.0", "^3.10", "warning"), ("2.0.1", ">=3.10", "warning"), ("2.6.0", "^3.10", "note")],
)
def test_later_pythons_of_a_lock(tmp_path: Path, torch: str, python: str, severity: str) -> None:
    findings = found(tmp_path, _LOCK.format(torch=torch, python=python), "poetry.lock")
    first = next(each for each in findings if each.rule == "TL403")
    assert first.severity == severity
    assert "which the range of Pythons in this file admits" in first.message


@pytest.mark.leaves_alone("TL403")
@pytest.mark.parametrize(("torch", "python"), [("2.1.0", ">=3.10,<3.12"), ("2.15.0", "^3.11")])
def test_a_lock_for_all_its_pythons(tmp_path: Path, torch: str, python: str) -> None:
    findings = found(tmp_path, _LOCK.format(torch=torch, python=python), "poetry.lock")
    assert "TL403" not in {each.rule for each in findings}


@pytest.mark.triggers("TL211")
def test_a_page_that_pip_takes_nothing_from(tmp_path: Path) -> None:
    page = "--extra-index-url https://download.pytorch.org/whl/cu113\n"
    first = next(each for each in found(tmp_path, page + "torch\ntorchaudio>=0.13\n") if each.rule == "TL211")
    assert "pip takes torch and it from the public index" in first.message
