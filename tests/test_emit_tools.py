"""What ``lock --emit`` writes is what the tools choose: real pip, uv, poetry and pdm on a local wheel index.

Without the text, each tool takes torch 2.9.0 of the public index instead of the locked 2.8.0+cpu.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import tomli

from support.build_stack import Stack, data_of, publish
from support.installers import environment
from support.wheel_index import WheelIndex
from torchlock.cli.main import main
from torchlock.knowledge import tables

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64" or not (3, 9) <= sys.version_info < (3, 14),
    reason="torch 2.8.0 with CUDA has no wheel for this interpreter",
)
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
PROJECT = f"""\
[project]
name = "app"
version = "1"
requires-python = "=={PYTHON}.*"
dependencies = ["torch", "torchaudio", "soundfile"]
"""
# Newer releases of hishel lack what this pdm imports.
TOOLS = {"poetry": ["poetry==2.5.1"], "pdm": ["pdm==2.29.4", "hishel==1.4.0"]}


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_", "TORCHLOCK_", "XDG_", "PDM_", "POETRY_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=["cpu"])
def stack(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """The stack of one folder of the wheel index, which a test may name."""
    with WheelIndex() as index:
        made = publish(index, folder=request.param)
        monkeypatch.setattr(tables, "ROOT", data_of(index, tmp_path))
        yield made


def emitted(stack: Stack, form: str, *options: str) -> str:
    return stack.lock(Path.cwd(), "--emit", form, *options, name=f"{form}.txt").read_text(encoding="utf-8")


def run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def locked(name: str) -> dict[str, str]:
    """The packages of a lock of uv, poetry or pdm."""
    packages = tomli.loads(Path(name).read_text(encoding="utf-8"))["package"]
    return {each["name"]: each["version"] for each in packages if each["name"] != "app"}


def wanted(stack: Stack) -> dict[str, str]:
    return {file.project: file.version for file in (*stack.family, *stack.others)}


@pytest.mark.parametrize("by", ["file", "index"])
def test_pip_obeys_the_constraints(stack: Stack, by: str) -> None:
    Path("constraints.txt").write_text(emitted(stack, "constraints", "--builds-by", by), encoding="utf-8")
    words = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--report", "report.json"]
    words += ["--index-url", stack.index.public_url, "-c", "constraints.txt", "torch", "torchaudio", "soundfile"]
    run(*words)
    report = json.loads(Path("report.json").read_text(encoding="utf-8"))
    found = {each["metadata"]["name"]: each["metadata"]["version"] for each in report["install"]}
    assert found == wanted(stack)


def test_uv_obeys_the_constraints(stack: Stack) -> None:
    Path("constraints.txt").write_text(emitted(stack, "constraints"), encoding="utf-8")
    Path("requirements.in").write_text("torch\ntorchaudio\nsoundfile\n", encoding="utf-8")
    words = [sys.executable, "-m", "uv", "pip", "compile", "requirements.in", "--no-annotate", "--no-header"]
    found = run(*words, "-c", "constraints.txt", "--default-index", stack.index.public_url).splitlines()
    assert any(line.startswith("torch @ ") and "/cpu/torch-2.8.0" in line for line in found)
    assert not any("2.9.0" in line for line in found)


def test_uv_locks_what_its_tables_say(stack: Stack) -> None:
    Path("pyproject.toml").write_text(PROJECT + emitted(stack, "uv"), encoding="utf-8")
    run(sys.executable, "-m", "uv", "lock", "--quiet", "--python", sys.executable)
    assert locked("uv.lock") == wanted(stack)


@pytest.mark.parametrize("stack", ["cu128"], indirect=True)
def test_uv_locks_an_extra_for_each_build(stack: Stack) -> None:
    project = PROJECT.replace('"torch", "torchaudio", ', "")
    tables = emitted(stack, "uv", "--accelerator", "cpu")
    Path("pyproject.toml").write_text(project + tables, encoding="utf-8")
    run(sys.executable, "-m", "uv", "lock", "--quiet", "--python", sys.executable)
    packages = tomli.loads(Path("uv.lock").read_text(encoding="utf-8"))["package"]
    found = {each["version"] for each in packages if each["name"] in ("torch", "torchaudio")}
    assert found == {"2.8.0+cpu", "2.8.0+cu128"}


@pytest.fixture(scope="session")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """Returns the program of a tool, installed once from the package index."""
    folder = tmp_path_factory.mktemp("tools")

    def program(name: str) -> str:
        where = folder / name
        if not where.exists():
            environment(where, *TOOLS[name])
        return str(where / "bin" / name)

    yield program


@pytest.mark.network
@pytest.mark.parametrize("name", sorted(TOOLS))
def test_poetry_and_pdm_lock_what_their_tables_say(stack: Stack, name: str, tool: object) -> None:
    assert callable(tool)
    program = tool(name)
    if name == "poetry":
        head = '[tool.poetry]\nname = "app"\nversion = "1"\ndescription = ""\nauthors = []\npackage-mode = false\n'
        words = [program, "lock", "--no-interaction"]
    else:
        head, words = PROJECT, [program, "lock", "--python", f"=={PYTHON}.*", "--platform", "linux"]
    Path("pyproject.toml").write_text(head + emitted(stack, name), encoding="utf-8")
    run(*words)
    found = locked(f"{name}.lock")
    assert found["torch"] == "2.8.0+cpu"
    assert found["torchaudio"] == "2.8.0+cpu"
    assert found["soundfile"] == "0.13.1"


@pytest.mark.network
@pytest.mark.parametrize(
    ("requirements", "python", "platforms"),
    [
        ("torch torchaudio", "3.12", ("linux-x86_64", "x86_64-manylinux_2_28")),
        ("torch==2.8.0 torchaudio torchcodec", "3.12", ("linux-x86_64", "x86_64-manylinux_2_28")),
        ("torch==1.13.1 torchaudio", "3.9", ("linux-aarch64", "aarch64-manylinux_2_28")),
        ("torch==2.1.2 torchaudio numpy", "3.11", ("windows-amd64", "x86_64-pc-windows-msvc")),
        ("torch torchaudio", "3.12", ("macos-x86_64", "x86_64-apple-darwin")),
        ("whisperx", "3.12", ("linux-x86_64", "x86_64-manylinux_2_28")),
    ],
)
def test_uv_takes_the_locked_set_from_the_real_index(
    requirements: str, python: str, platforms: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["lock", *requirements.split(), "--python", python, "--platform", platforms[0]]
    assert main([*words, "--emit", "constraints", "-o", "constraints.txt"]) == 0
    Path("requirements.in").write_text("\n".join(requirements.split()), encoding="utf-8")
    compile_ = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "compile",
        "-q",
        "--no-annotate",
        "--no-header",
        "requirements.in",
    ]
    options = ["-c", "constraints.txt", "--python-version", python, "--python-platform", platforms[1]]
    found = run(*compile_, *options)
    pins = [
        line for line in Path("constraints.txt").read_text("utf-8").splitlines() if "==" in line and line[0] != "#"
    ]
    assert sorted(line.partition(" ")[0] for line in found.splitlines()) == sorted(pins)
