"""Projects and files that a command installs: where they are, what is read of them, what is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from torchlock.audit import Auditor, Options
from torchlock.manifests.document import Document
from torchlock.manifests.reader import read_document

PROJECT = """\
[project]
name = "speech"
version = "1"
requires-python = ">=3.10,<3.13"
dependencies = ["torch==2.5.1"]

[project.optional-dependencies]
audio = ["torchaudio==2.4.1"]
text = ["torchtext==0.18.0"]

[dependency-groups]
dev = ["torchcodec==0.1.1"]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "speech"
    (folder / ".git").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    return folder


def document(path: Path, text: str) -> Document:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return read_document(str(path))


def names(found: Document) -> list[str]:
    return sorted({entry.name for entry in found.entries})


def told(found: Document) -> list[tuple[str, int]]:
    return [(issue.rule, issue.place.line) for issue in found.issues]


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        ("pip install .", ["torch"]),
        ("pip install -e .", ["torch"]),
        ("pip install -e '.[audio]'", ["torch", "torchaudio"]),
        ("pip install --editable=.[audio,text]", ["torch", "torchaudio", "torchtext"]),
        ("python -m pip install ./", ["torch"]),
        ("python setup.py develop", ["torch"]),
        ("uv pip install -r pyproject.toml", ["torch"]),
        ("uv pip install -r pyproject.toml --extra audio", ["torch", "torchaudio"]),
        ("uv pip install -r pyproject.toml --all-extras", ["torch", "torchaudio", "torchtext"]),
        ("uv sync", ["torch"]),
        ("uv sync --extra audio --group dev", ["torch", "torchaudio", "torchcodec"]),
        ("uv sync --all-extras", ["torch", "torchaudio", "torchtext"]),
        ("poetry install -E audio", ["torch", "torchaudio"]),
        ("pdm install", ["torch"]),
        ("pip install --no-deps -e .", []),
        ("pip download .", []),
        ("pip wheel .", []),
        ("cd src && pip install ..", ["torch"]),
        ('cd "$(dirname "$0")" && pip install .', ["torch"]),
    ],
)
def test_a_command_that_installs_the_project(project: Path, command: str, wanted: list[str]) -> None:
    found = document(project / "install.sh", f"{command}\n")
    assert names(found) == wanted
    assert not told(found)
    assert {entry.via.line for entry in found.entries} <= {1}
    assert not any(entry.version for entry in found.entries)


@pytest.mark.parametrize(
    "command",
    [
        "pip install ./other",
        "cd $PLACE && pip install .",
        "git clone https://example.org/a/b.git && cd b && pip install -e .",
        "git clone https://example.org/a/b && pip install -e ./b",
        "git clone https://example.org/a/b && pip install -r b/requirements.txt",
        "git clone --depth 1 https://example.org/a/b there && cd there && pip install -r requirements.txt",
    ],
)
def test_what_is_elsewhere_is_told_and_not_taken_from_here(project: Path, command: str) -> None:
    (project / "requirements.txt").write_text("torch==1.0\n", encoding="utf-8")
    found = document(project / "install.sh", f"{command}\n")
    assert not names(found)
    assert told(found) == [("TL901", 1)]


def test_a_clone_of_the_project_itself(project: Path) -> None:
    found = document(
        project / "Dockerfile",
        "FROM python:3.11\nRUN git clone https://example.org/a/speech &&\\\n  cd speech && pip install .[audio]\n",
    )
    assert names(found) == ["torch", "torchaudio"]


def test_a_lock_beside_the_project_says_what_is_installed(project: Path) -> None:
    (project / "uv.lock").write_text("version = 1\n", encoding="utf-8")
    found = document(project / "install.sh", "uv sync\n")
    assert not names(found)
    assert told(found) == [("TL901", 1)]
    assert names(document(project / "install.sh", "uv pip install .\n")) == ["torch"]


def test_a_project_outside_is_never_read(project: Path) -> None:
    (project.parent / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    found = document(project / "install.sh", "pip install ..\n")
    assert not names(found)
    assert told(found) == [("TL901", 1)]


def test_setup_py_and_setup_cfg(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "setup.cfg").write_text("[options]\ninstall_requires =\n    torch==2.0.1\n", encoding="utf-8")
    assert names(document(tmp_path / "a.sh", "pip install .\n")) == ["torch"]
    (tmp_path / "setup.cfg").unlink()
    script = (
        "from setuptools import setup\nsetup(install_requires=['torchaudio'], extras_require={'x': ['torch']})\n"
    )
    (tmp_path / "setup.py").write_text(script, encoding="utf-8")
    assert names(document(tmp_path / "a.sh", "pip install -e .[x]\n")) == ["torch", "torchaudio"]


def test_the_pythons_of_the_project_count(project: Path) -> None:
    found = document(project / "install.sh", "pip install .\n")
    assert {"python_full_version >= '3.10'", "python_full_version < '3.13'"} == {
        part.strip("()") for part in found.entries[0].marker.split(" and ")
    }


@pytest.mark.parametrize(
    "lines",
    [
        "COPY . /app\nWORKDIR /app\nRUN pip install .[audio]",
        "WORKDIR /app\nCOPY . .\nRUN pip install -e '.[audio]'",
        "COPY pyproject.toml /build/\nRUN cd /build && pip install .[audio]",
        'COPY ["pyproject.toml", "README.md", "/build/"]\nRUN pip install /build[audio]',
        "ADD . /src/speech\nRUN pip install /src/speech[audio]",
        "RUN --mount=type=bind,source=.,target=/s pip install .[audio]",
    ],
)
def test_an_image_gets_the_project(project: Path, lines: str) -> None:
    found = document(project / "docker" / "Dockerfile", f"FROM python:3.11\n{lines}\n")
    assert names(found) == ["torch", "torchaudio"]
    assert not told(found)


def test_a_copied_subfolder(project: Path) -> None:
    (project / "server").mkdir()
    (project / "server" / "requirements.txt").write_text("torchaudio==2.0.1\n", encoding="utf-8")
    (project / "requirements.txt").write_text("torch==1.0\n", encoding="utf-8")
    text = "FROM python:3.11\nCOPY server/ /app\nWORKDIR /app\nRUN pip install -r requirements.txt\n"
    assert names(document(project / "Dockerfile", text)) == ["torchaudio"]


def test_a_working_directory_and_a_step_of_a_job(project: Path) -> None:
    (project / "sub").mkdir()
    (project / "sub" / "setup.py").write_text("setup(install_requires=['torchvision'])\n", encoding="utf-8")
    text = (
        "on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n"
        "      - run: pip install -e .\n        working-directory: sub\n"
        "      - run: cd sub && pip install .\n"
        "      - run: pip install .[audio]\n"
    )
    found = document(project / ".github" / "workflows" / "a.yml", text)
    assert names(found) == ["torch", "torchaudio", "torchvision"]
    assert not told(found)


def test_a_notebook_changes_its_folder(project: Path) -> None:
    def cell(*lines: str) -> str:
        source = ",".join(f'"{line}\\n"' for line in lines)
        return f'{{"cells": [{{"cell_type": "code", "source": [{source}]}}], "nbformat": 4}}'

    path = project / "a.ipynb"
    assert names(document(path, cell("!git clone https://example.org/x", "%cd x", "!pip install .[audio]"))) == []
    assert names(
        document(path, cell("!git clone https://example.org/x", "!cd x && ls", "!pip install .[audio]"))
    ) == [
        "torch",
        "torchaudio",
    ]


def test_an_environment_of_conda(project: Path) -> None:
    text = "dependencies:\n  - python=3.10\n  - pip:\n    - torch==2.0.1\n    - torchaudio==2.1.0\n"
    (project / "environment.yml").write_text(text, encoding="utf-8")
    found = document(project / "install.sh", "conda env create -n x -f environment.yml\n")
    assert names(found) == ["torch", "torchaudio"]
    assert names(document(project / "install.sh", "mamba env update --file environment.yml\n")) == [
        "torch",
        "torchaudio",
    ]


def test_the_finding_is_at_the_command_and_names_the_lines(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    document(project / "Dockerfile", "FROM python:3.11\nCOPY . .\nRUN pip install .[audio]\n")
    found = [each for each in Auditor(Options()).report("Dockerfile").findings if each.severity == "error"]
    assert [(each.rule, each.place.line) for each in found] == [("TL101", 3)]
    assert found[0].message.endswith("; torchaudio is in pyproject.toml:8; torch is in pyproject.toml:5")
