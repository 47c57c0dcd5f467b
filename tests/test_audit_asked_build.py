"""``torchlock audit --accelerator``: files that install another build than the one that is asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from torchlock.cli.main import main

LINUX = ("--platform", "linux-x86_64", "--python", "3.12")
PAGE = "https://download.pytorch.org/whl"
# The wheel of torch 2.8.0 for Python 3.11 on Linux in the folder cu128.
OF_CUDA = "039b9dcdd6bdbaa10a8a5cd6be22c4cb3e3589a341e5f904cbb571ca28f55bed"
UV = f"""[project]
name = "speech"
version = "1"
requires-python = ">=3.10"
dependencies = ["torch==2.9.1"]
[tool.uv.sources]
torch = {{ index = "builds" }}
[[tool.uv.index]]
name = "builds"
url = "{PAGE}/cu126"
explicit = true
"""
CONDA = "name: x\nchannels: [pytorch, nvidia]\ndependencies:\n  - pytorch=2.4.0\n"
DOCKER = "FROM python:3.12\nRUN pip install torch==2.9.1 --index-url {}/{}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def audited(
    capsys: pytest.CaptureFixture[str], text: str, *options: str, name: str = "requirements.txt"
) -> list[dict[str, object]]:
    """The findings of TL217, and those of TL902 that say what was not judged."""
    Path(name).write_text(text, encoding="utf-8")
    main(["audit", name, *options, "--format", "json"])
    found = json.loads(capsys.readouterr().out)["files"][0]["findings"]
    return [
        each
        for each in found
        if each["rule"] == "TL217" or (each["rule"] == "TL902" and "an installer takes" in each["message"])
    ]


@pytest.mark.parametrize(
    ("text", "build", "name", "severity"),
    [
        pytest.param("torch==2.9.1\n", "cpu", "requirements.txt", "error", id="public build"),
        pytest.param(
            f"--extra-index-url {PAGE}/cu126\ntorch==2.8.0+cu126\n", "cu128", "requirements.txt", "error"
        ),
        pytest.param(f"--index-url {PAGE}/cu126\ntorch==2.8.0\n", "cu128", "requirements.txt", "error", id="page"),
        pytest.param(f"--extra-index-url {PAGE}/cu126\ntorch==2.8.0\n", "cpu", "requirements.txt", "error"),
        pytest.param(
            f"torch @ {PAGE}/cu128/torch-2.8.0%2Bcu128-cp312-cp312-manylinux_2_28_x86_64.whl\n",
            "cpu",
            "requirements.txt",
            "error",
            id="address",
        ),
        pytest.param(
            f"--index-url {PAGE}/cu128\ntorch==2.8.0 --hash=sha256:{OF_CUDA}\n",
            "cu126",
            "requirements.txt",
            "error",
            id="hash",
        ),
        pytest.param(UV, "cu128", "pyproject.toml", "error", id="uv"),
        pytest.param(CONDA + "  - pytorch-cuda=12.1\n", "cpu", "environment.yml", "error", id="conda"),
        pytest.param(DOCKER.format(PAGE, "cu126"), "cpu", "Dockerfile", "error", id="docker"),
        pytest.param("FROM pytorch/pytorch:2.8.0-cuda12.8-cudnn9-runtime\n", "cpu", "Dockerfile", "error"),
    ],
)
def test_another_build_is_reported(
    text: str, build: str, name: str, severity: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = audited(capsys, text, "--accelerator", build, *LINUX, name=name)
    assert [(each["rule"], each["severity"]) for each in found] == [("TL217", severity)]
    assert build in str(found[0]["message"])


@pytest.mark.parametrize(
    ("text", "build", "name"),
    [
        pytest.param("torch==2.9.1\ntorchaudio==2.9.1\n", "cu128", "requirements.txt", id="public build"),
        pytest.param(f"--extra-index-url {PAGE}/cu126\ntorch==2.8.0\n", "cu126", "requirements.txt", id="page"),
        pytest.param(
            "torch==2.9.1\ntorchcodec==0.9.0\n", "cu128", "requirements.txt", id="CPU build of torchcodec"
        ),
        pytest.param("numpy\nlibrosa\n", "cu128", "requirements.txt", id="nothing of the stack"),
        pytest.param(UV, "cu126", "pyproject.toml", id="uv"),
        pytest.param(CONDA + "  - pytorch-cuda=12.1\n", "cu121", "environment.yml", id="conda"),
        pytest.param(DOCKER.format(PAGE, "cu126"), "cu126", "Dockerfile", id="docker"),
        pytest.param("FROM pytorch/pytorch:2.8.0-cuda12.8-cudnn9-runtime\n", "cu128", "Dockerfile", id="image"),
        pytest.param("torch==2.9.1\n", "pypi", "requirements.txt", id="what the file asks for"),
    ],
)
def test_the_build_that_is_asked_for(text: str, build: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert audited(capsys, text, "--accelerator", build, *LINUX, name=name) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("--extra-index-url https://example.org/simple\ntorch==2.9.1\n", "requirements.txt"),
        ("torch @ https://example.org/torch-2.9.1-cp312-cp312-linux_x86_64.whl\n", "requirements.txt"),
    ],
)
def test_a_build_that_is_not_known(text: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = audited(capsys, text, "--accelerator", "cu128", *LINUX, name=name)
    assert [(each["rule"], each["severity"]) for each in found] == [("TL902", "note")]


def test_a_range_is_the_build_only_today(capsys: pytest.CaptureFixture[str]) -> None:
    (found,) = audited(capsys, "torch<2.10\n", "--accelerator", "cu128", *LINUX)
    assert found["severity"] == "note"
    assert "the build of a later release may differ" in str(found["message"])


def test_some_platforms(capsys: pytest.CaptureFixture[str]) -> None:
    """The public index has the CPU build for Windows."""
    (found,) = audited(capsys, "torch==2.9.1\n", "--accelerator", "cu128")
    assert found["severity"] == "warning"
    assert "the CPU build on Windows" in str(found["message"])


@pytest.mark.parametrize(
    ("text", "build", "advice"),
    [
        ("torch==2.9.1\n", "cpu", f"--extra-index-url {PAGE}/cpu, and write torch==2.9.1+cpu"),
        ("torch\n", "cpu", "torchlock lock -r requirements.txt --accelerator cpu"),
        ("torch>=2.7\n", "cu124", "allow torch 2.6.0"),
    ],
)
def test_the_advice_is_possible(text: str, build: str, advice: str, capsys: pytest.CaptureFixture[str]) -> None:
    (found,) = audited(capsys, text, "--accelerator", build, *LINUX)
    assert advice in json.dumps(found["remedy"])


def test_the_lock_of_the_advice_is_clean(capsys: pytest.CaptureFixture[str]) -> None:
    Path("requirements.in").write_text("torch\ntorchaudio\n", encoding="utf-8")
    command = ["lock", "-r", "requirements.in", "--accelerator", "cpu", "-o", "requirements.txt", "--offline"]
    assert main([*command, *LINUX]) == 0
    text = Path("requirements.txt").read_text(encoding="utf-8")
    assert audited(capsys, text, "--accelerator", "cpu", *LINUX) == []


def test_auto_is_what_the_machine_runs(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--accelerator", "auto", "--gpu", "RTX 4090", *LINUX)
    assert audited(capsys, "torch==2.13.0\n", *options, "--system-lib", "cuda-driver=580.95") == []
    (found,) = audited(capsys, "torch==2.13.0\n", *options, "--system-lib", "cuda-driver=535.104")
    assert "runs cu129, cu128" in str(found["message"])
    (found,) = audited(capsys, "torch==2.13.0\n", "--accelerator", "auto", "--gpu", "none", *LINUX)
    assert "has no GPU" in str(found["message"])


@pytest.mark.parametrize(
    "options",
    [
        ("--accelerator", "rocm6.4", "--platform", "windows-amd64"),
        ("--accelerator", "cu999x"),
        ("--accelerator", "auto", "--gpu", "RTX 4090, MI300X"),
        ("--accelerator", "auto", "--gpu", "GTX 1080 Ti", "--system-lib", "cuda-driver=590.10"),
    ],
)
def test_a_build_that_cannot_be(options: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    Path("requirements.txt").write_text("torch==2.9.1\n", encoding="utf-8")
    assert main(["audit", "requirements.txt", *options]) == 2
    assert "error: " in capsys.readouterr().err


SCRIPT = f"""# /// script
# requires-python = ">=3.11"
# dependencies = ["torch==2.9.1", "torchaudio==2.9.1", "numpy"]
# [tool.uv.sources]
# torch = {{{{ index = "builds" }}}}
# {{}}
# [[tool.uv.index]]
# name = "builds"
# url = "{PAGE}/cu126"
# {{}}
# ///
"""
NAMED = 'torchaudio = { index = "builds" }'


@pytest.mark.parametrize(
    ("source", "explicit", "rules"),
    [
        pytest.param("", "explicit = true", {"TL201", "TL517"}, id="no source for torchaudio"),
        pytest.param(NAMED, "explicit = true", set(), id="explicit"),
        pytest.param(NAMED, "", {"TL512"}, id="not explicit"),
    ],
)
def test_the_indexes_of_a_script(
    source: str, explicit: str, rules: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Inline metadata has the tables of uv, and is judged like a project."""
    Path("speech.py").write_text(SCRIPT.format(source, explicit), encoding="utf-8")
    main(["audit", "speech.py", "--format", "json"])
    found = json.loads(capsys.readouterr().out)["files"][0]["findings"]
    assert {each["rule"] for each in found if each["severity"] != "note"} == rules


def test_a_page_of_all_builds_gets_a_pin_of_the_same_release(capsys: pytest.CaptureFixture[str]) -> None:
    Path("requirements.txt").write_text(f"-f {PAGE}/torch_stable.html\ntorch==1.8.1\n", encoding="utf-8")
    main(["audit", "requirements.txt", *LINUX[:2], "--python", "3.8", "--format", "json"])
    (found,) = json.loads(capsys.readouterr().out)["files"][0]["findings"]
    assert found["rule"] == "TL206"
    assert "torch==1.8.1+cu111 or torch==1.8.1+cpu" in json.dumps(found["remedy"])
