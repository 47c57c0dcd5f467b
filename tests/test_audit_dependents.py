"""Packages beside releases and builds that they do not work with: pinned, newest, and brought by others."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import pytest

from torchlock.audit import Auditor, Options
from torchlock.target import PythonVersion

if TYPE_CHECKING:
    from pathlib import Path

    from torchlock.finding import Finding

CU118 = "--extra-index-url https://download.pytorch.org/whl/cu118\n"
CPU = "--extra-index-url https://download.pytorch.org/whl/cpu\n"


class Case(NamedTuple):
    """Lines of a file, the rule, parts of its message, and a part of its remedy."""

    text: str
    rule: str
    says: tuple[str, ...]
    remedy: str = ""


@cache
def auditor() -> Auditor:
    return Auditor()


def found(folder: Path, text: str, name: str = "requirements.txt") -> list[Finding]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return [each for each in auditor().report(str(path)).findings if each.severity != "note"]


BROKEN = [
    # The CUDA version that onnxruntime-gpu was built for.
    Case("torch==2.3.1\nonnxruntime-gpu==1.18.1\n", "TL230", ("1.18.1", "CUDA 12.1"), "1.19 to 1.26 for CUDA 12"),
    Case(
        "torch\nonnxruntime-gpu==1.20.0\n", "TL230", ("an installer takes", "CUDA 13"), "onnxruntime-gpu==1.27.0"
    ),
    Case(CU118 + "torch==2.1.2+cu118\nonnxruntime-gpu==1.19.2\n", "TL230", ("CUDA 11.8",)),
    Case("torch==2.5.1\nonnxruntime-gpu==1.29.0\n", "TL230", ("CUDA 12.4",)),
    # Its cuDNN, which torch brings.
    Case("torch==2.3.1\nonnxruntime-gpu==1.19.0\n", "TL230", ("nvidia-cudnn-cu12 8.9.2.26, which torch 2.3.1",)),
    # cuDNN of ctranslate2, beside an open torch, for a range, and brought by another package.
    Case("torch\nctranslate2==4.4.0\n", "TL207", ("which an installer takes",), "ctranslate2==4.5.0"),
    Case("torch==2.5.1\nctranslate2<4.5\n", "TL207", ("ctranslate2 4.4.0, which",), "ctranslate2==4.5.0"),
    Case("torch==2.5.1\ntorchaudio==2.5.1\nwhisperx==3.3.1\n", "TL207", ("whisperx 3.3.1 brings",), "ctranslate2"),
    # cuBLAS of ctranslate2.
    Case(
        "torch==2.12.0\nfaster-whisper==1.2.0\n",
        "TL239",
        ("ctranslate2 4", "libcublas.so.12"),
        "nvidia-cublas-cu12",
    ),
    Case("torch==2.3.1\nctranslate2==3.24.0\n", "TL239", ("libcublas.so.11", "CUDA 12.1"), "ctranslate2==4"),
    # Names that a package outside the stack no longer has.
    Case("torch==2.6.0\nbitsandbytes==0.44.1\n", "TL710", ("triton 3.2.0, which torch 2.6.0",), "==0.45.1"),
    Case("torch\nbitsandbytes==0.44.1\n", "TL710", ("triton",), "bitsandbytes==0.45.1"),
    Case("torch==2.1.0\nsentence-transformers==2.2.2\n", "TL710", ("huggingface-hub",), "==2.3.0"),
    Case("torch==2.1.0\ntransformers==4.36.0\ndiffusers==0.25.0\n", "TL710", ("huggingface-hub",), "==0.29.0"),
    Case("torch==2.5.1\ntorchaudio==2.5.1\nTTS==0.22.0\ntransformers>=4.33\n", "TL710", ("BeamSearch",), "later"),
    # Two packages with one file.
    Case("torch==2.5.1\nPySoundFile\nsoundfile\n", "TL532", ("pysoundfile and soundfile",), "Remove pysoundfile"),
]


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: " ".join(case.text.split()))
def test_a_release_that_a_package_does_not_work_with(case: Case, tmp_path: Path) -> None:
    first = next(each for each in found(tmp_path, case.text) if each.rule == case.rule)
    assert first.severity == "warning"
    assert all(part in f"{first.message} {first.because}" for part in case.says)
    assert first.remedy is not None
    assert case.remedy in first.remedy.summary


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("torch==2.5.1\nonnxruntime-gpu==1.20.0\n", id="both for CUDA 12"),
        pytest.param("torch>=2.5\nonnxruntime-gpu>=1.20\n", id="both newest, for CUDA 13"),
        pytest.param(CU118 + "torch==2.1.2+cu118\nonnxruntime-gpu==1.16.3\n", id="both for CUDA 11"),
        pytest.param(CPU + "torch==2.3.1+cpu\nonnxruntime-gpu==1.18.0\n", id="torch for the CPU has no CUDA"),
        pytest.param("torch==2.5.1\nonnxruntime-gpu[cuda,cudnn]==1.29.0\n", id="extras bring the libraries"),
        pytest.param("torch==2.3.1\nonnxruntime-gpu==1.18.1\nnvidia-cublas-cu11\n", id="a package brings them"),
        pytest.param("torch==2.3.1\nonnxruntime==1.18.1\n", id="without a part for GPUs"),
        pytest.param("torch==2.3.1\nctranslate2==4.4.0\n", id="both for cuDNN 8"),
        pytest.param("torch\ntorchaudio==2.3.1\nctranslate2==4.4.0\n", id="a companion limits the open torch"),
        pytest.param("torch==2.3.1\nfaster-whisper\n", id="brings a ctranslate2 without cuDNN"),
        pytest.param("torch==2.12.0\nctranslate2==4.6.2\nnvidia-cublas-cu12\n", id="a package brings cuBLAS"),
        pytest.param(CPU + "torch==2.12.0+cpu\nctranslate2==4.6.2\n", id="the CPU needs no cuBLAS"),
        pytest.param("torch==2.5.1\nbitsandbytes==0.44.1\n", id="a triton that has the name"),
        pytest.param("torch==2.6.0\nbitsandbytes==0.45.2\n", id="a later bitsandbytes"),
        pytest.param("torch==2.1.0\nsentence-transformers==2.2.2\nhuggingface-hub==0.25.2\n", id="pinned older"),
        pytest.param("torch==2.1.0\ntransformers==4.36.0\ndiffusers==0.30.0\n", id="a later diffusers"),
        pytest.param("torch==2.5.1\nPySoundFile\n", id="the old name alone"),
    ],
)
def test_left_alone(text: str, tmp_path: Path) -> None:
    rules = {each.rule for each in found(tmp_path, text)}
    assert not rules & {"TL207", "TL230", "TL239", "TL532", "TL710"}


@pytest.mark.parametrize(
    ("text", "rule", "says", "remedy"),
    [
        ("torch==2.0.1\ntorchaudio==2.0.2\nwhisperx==3.3.1\n", "TL530", "which declares torchaudio>=2.2", "3.2.0"),
        ("torch==2.5.1\nxformers==0.0.26\n", "TL502", "0.0.25.post1 and 0.0.26.post1", ""),
        ("torch\ntransformers==4.57.99\n", "TL502", "4.57.6 and 5.0.0", ""),
    ],
)
def test_a_pin_that_no_installer_can_follow(tmp_path: Path, text: str, rule: str, says: str, remedy: str) -> None:
    first = next(each for each in found(tmp_path, text) if each.rule == rule)
    assert first.severity == "error"
    assert says in first.message
    assert first.remedy is not None
    assert remedy in first.remedy.summary


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("torch==2.2.0\ntorchaudio==2.2.0\nwhisperx==3.3.1\n", id="what it brings fits"),
        pytest.param("torchaudio==2.0.2\nwhisperx==3.3.1\npyannote-audio==3.0.0\n", id="the file names it"),
        pytest.param("xformers==0.0.26.post1\n", id="a post release"),
        pytest.param("transformers==99.0\n", id="newer than the data"),
        pytest.param("transformers==4.57.1.dev7\n", id="not a final release"),
        pytest.param("--extra-index-url https://example.org/simple\nxformers==0.0.26\n", id="another index"),
    ],
)
def test_a_pin_that_may_be_followed(tmp_path: Path, text: str) -> None:
    messages = [each.message for each in found(tmp_path, text) if each.rule in ("TL502", "TL530")]
    assert not [text for text in messages if "brings" in text or "which declares" in text or "there is no" in text]


def test_a_pin_without_a_wheel_is_compared_where_it_may_be_built(tmp_path: Path) -> None:
    project = '[project]\nname = "a"\nversion = "1"\nrequires-python = "=={}.*"\ndependencies = {}\n'
    lines = '["TTS==0.22.0", "numpy==1.22.0"]'
    by_python = {
        python: [each.message for each in found(tmp_path, project.format(python, lines), "pyproject.toml")]
        for python in ("3.10", "3.11")
    }
    assert any("tts 0.22.0 declares numpy>=1.24.3" in message for message in by_python["3.11"])
    assert not any("declares numpy" in message for message in by_python["3.10"])


@pytest.mark.parametrize(
    "text",
    [
        "FROM nvidia/cuda:12.2.2-cudnn8-runtime-ubuntu22.04\nRUN pip install torch==2.5.1 ctranslate2==4.4.0\n",
        "FROM python:3.11\nRUN apt-get install -y libcudnn8\nRUN pip install torch==2.5.1 ctranslate2==4.4.0\n",
        "FROM nvidia/cuda:12.4.1-cudnn-devel-ubuntu22.04\nRUN pip install torch==2.3.1 ctranslate2==4.5.0\n",
    ],
)
def test_an_image_may_have_the_other_cudnn(tmp_path: Path, text: str) -> None:
    assert not found(tmp_path, text, "Dockerfile")
    without = re.sub(r"nvidia\S+", "python:3.11", text.replace("libcudnn8", "curl"))
    assert [each.rule for each in found(tmp_path, without, "Dockerfile")] == ["TL207"]


def test_a_base_image_may_have_the_other_cuda(tmp_path: Path) -> None:
    run = "RUN pip install torch==2.3.1 onnxruntime-gpu==1.18.1\n"
    image = "FROM nvidia/cuda:11.8.0-runtime-ubuntu22.04\n"
    assert not found(tmp_path, image + run, "Dockerfile")
    assert [each.rule for each in found(tmp_path, "FROM python:3.11\n" + run, "Dockerfile")] == ["TL230"]


def test_metadata_that_differs_by_wheel_counts_for_its_wheel(tmp_path: Path) -> None:
    """onnxruntime 1.18.0 declares numpy>=1.21.6, its wheel for Python 3.11 numpy>=1.24.2."""
    lines = "torch==2.1.0\nonnxruntime==1.18.0\nnumpy==1.23.5\n"
    project = '[project]\nname = "a"\nversion = "1"\nrequires-python = "=={}.*"\ndependencies = {}\n'

    def rules(python: str) -> set[str]:
        text = project.format(python, str(lines.split()).replace("'", '"'))
        return {each.rule for each in found(tmp_path, text, "pyproject.toml")}

    assert "TL530" in rules("3.11")
    assert "TL530" not in rules("3.10")


def test_an_unread_package_may_ask_for_an_older_release(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text("torch==2.1.0\nsentence-transformers==2.2.2\nsome-project-of-nobody==1.0\n", encoding="utf-8")
    (first,) = [each for each in auditor().report(str(path)).findings if each.rule == "TL710"]
    assert first.severity == "note"
    assert "unless some-project-of-nobody (not read) asks for an older huggingface-hub" in first.message


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        ("torch==2.5.1 torchaudio==2.5.1", "xformers==0.0.29.post3", "declares torch==2.6.0"),
        ("torch==2.5.1 torchvision==0.20.1", "xformers==0.0.29.post3", "torchvision 0.20.1 stays"),
        ("torch==2.5.1+cu121 torchaudio==2.5.1+cu121", "xformers==0.0.29.post3", "replaces torch 2.5.1+cu121"),
        ("torch==2.5.1 torchaudio==2.5.1 torchvision==0.20.1", "xformers", "and torchaudio 2.5.1 and torch"),
    ],
)
def test_a_later_command_that_replaces_torch(first: str, second: str, says: str, tmp_path: Path) -> None:
    text = f"FROM python:3.11\nRUN pip install {first}\nRUN pip install {second}\n"
    (bad,) = [each for each in found(tmp_path, text, "Dockerfile") if each.rule == "TL530"]
    assert bad.severity == "warning"
    assert says in bad.message
    if "==" in second and "+" not in first:
        assert bad.remedy is not None
        assert "xformers==0.0.29.post1" in bad.remedy.summary


@pytest.mark.parametrize(
    "commands",
    [
        pytest.param(["torch==2.5.1 torchaudio==2.5.1", "xformers==0.0.28.post3"], id="one that allows it"),
        pytest.param(["torch==2.5.1 torchaudio==2.5.1", "--no-deps xformers==0.0.29.post3"], id="no dependencies"),
        pytest.param(["torch==2.5.1", "xformers==0.0.29.post3"], id="nothing is left behind"),
        pytest.param(
            ["torch==2.5.1 torchaudio==2.5.1", "xformers==0.0.29.post3", "torch==2.6.0 torchaudio==2.6.0"],
            id="installed again",
        ),
    ],
)
def test_a_later_command_that_leaves_torch(commands: list[str], tmp_path: Path) -> None:
    text = "FROM python:3.11\n" + "".join(f"RUN pip install {each}\n" for each in commands)
    assert not [each for each in found(tmp_path, text, "Dockerfile") if each.rule == "TL530"]


@pytest.mark.parametrize("package", ["matplotlib>=3.3.0", "scikit-learn>=0.20", "pandas>=1.0"])
def test_where_a_pin_has_no_wheel_an_older_release_may_be_built_beside_it(tmp_path: Path, package: str) -> None:
    """On Windows (arm64) numpy 1.20.3 has no wheel, and the wheels of the others ask for a newer one."""
    path = tmp_path / "requirements.txt"
    path.write_text(f"numpy==1.20.3\n{package}\n", encoding="utf-8")
    for python in (None, "3.11"):
        chosen = Options(pythons=(PythonVersion.parse(python),)) if python else None
        findings = Auditor(chosen).report(str(path)).findings
        assert not [each for each in findings if each.rule == "TL530"]


def test_no_release_of_a_range_takes_a_pin_built_or_not(tmp_path: Path) -> None:
    (bad,) = found(tmp_path, "numpy==1.20.3\nmatplotlib>=3.9\n")
    assert (bad.rule, bad.severity) == ("TL530", "error")
