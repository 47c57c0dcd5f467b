"""Development containers, Compose files, Jenkins pipelines and pre-commit hooks as the audit reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.formats import asked, errors, fixed, read, rules, scopes
from torchlock.manifests import search

DEV = ".devcontainer/devcontainer.json"
CONTAINER = """\
// A container.
{
\t"name": "speech", /* "postCreateCommand": "pip install numpy" */
\t"image": "mcr.example.org/devcontainers/python:3.11",
\t"features": {"ghcr.io/devcontainers/features/node:1": {}},
\t"postCreateCommand": "pip install torch==2.7.0 torchaudio==2.6.0",
\t"customizations": {"vscode": {"extensions": ["a.b",]}},
}
"""


def test_a_development_container() -> None:
    document = read(DEV, CONTAINER)
    found = [(entry.name, entry.specifier, bool(entry.version)) for entry in document.entries]
    assert ("torch", "==2.7.0", True) in found
    assert ("torchaudio", "==2.6.0", True) in found
    assert not rules(document)


@pytest.mark.parametrize(
    "step",
    [
        '"pip install torch==2.0.1"',
        '["pip", "install", "torch==2.0.1"]',
        '{"a": "pip install torch==2.0.1", "b": ["echo", "x"]}',
        '"cd /x && pip install \\"torch==2.0.1\\""',
    ],
)
def test_the_ways_to_write_a_command(step: str) -> None:
    text = f'{{"image": "python:3.11", "onCreateCommand": {step}}}'
    assert asked(read(DEV, text)) == [("torch", "==2.0.1")]
    assert read(DEV, text).python == "==3.11.*"


def test_the_torch_of_an_image_of_a_container_may_be_any() -> None:
    text = '{"image": "nvcr.io/nvidia/pytorch:24.04-py3", "postCreateCommand": "pip install torchaudio==2.1.0"}'
    assert errors(DEV, text.encode()) == []


def test_the_fix_of_a_container_changes_the_version_alone() -> None:
    text = CONTAINER.replace("mcr.example.org/devcontainers/", "").encode()
    assert fixed(DEV, text) == text.replace(b"torchaudio==2.6.0", b"torchaudio==2.7.0")


def test_a_compose_file() -> None:
    text = (
        "services:\n  app:\n    image: python:3.11\n    command: bash -c 'pip install torch==2.7.0'\n"
        "  other:\n    image: python:3.12\n    build:\n      dockerfile_inline: |\n        FROM python:3.12\n"
        '    command: ["sh", "-c", "pip install torch==2.0.1"]\n'
    )
    document = read("docker-compose.yml", text)
    assert scopes(document) == {"group:app": ["torch"], "group:other": ["torch"]}
    assert [(rule, severity) for rule, severity, _ in rules(document)] == [("TL901", "note")]


JENKINS = '''\
pipeline {
  agent any
  stages {
    stage('a') {
      steps {
        // sh 'pip install numpy==1'
        sh 'pip install torch==2.7.0'
        echo 'pip install scipy'
        sh(script: """
          set -e
          pip install torchaudio==2.6.0 torchtext==${TEXT}
        """)
        bat "pip install soundfile"
        sh label: 'x', script: 'pip install librosa'
      }
    }
  }
}
'''


@pytest.mark.parametrize("name", ["Jenkinsfile", "build.jenkinsfile"])
def test_a_pipeline_of_jenkins(name: str) -> None:
    document = read(name, JENKINS)
    assert [entry for entry, _ in asked(document)] == ["torch", "torchaudio", "soundfile", "librosa"]
    assert rules(document) == [("TL902", "note", 11)]


HOOKS = """\
repos:
  - repo: https://example.org/mypy
    rev: v1
    hooks:
      - id: mypy
        additional_dependencies: [torch==2.7.0, "torchaudio==2.6.0"]
      - id: prettier
        language: node
        additional_dependencies: ["prettier@3.0"]
  - repo: local
    hooks:
      - id: x
        language: python
        additional_dependencies:
          - torch==2.0.1
"""


def test_hooks_have_their_own_environments() -> None:
    document = read(".pre-commit-config.yaml", HOOKS)
    assert scopes(document) == {"alone:line-5": ["torch", "torchaudio"], "alone:line-12": ["torch"]}
    assert errors(".pre-commit-config.yaml", HOOKS.encode()) == [("TL101", 6)]
    wanted = HOOKS.replace("torchaudio==2.6", "torchaudio==2.7").encode()
    assert fixed(".pre-commit-config.yaml", HOOKS.encode()) == wanted


@pytest.mark.parametrize("name", ["Jenkinsfile", DEV, ".pre-commit-config.yaml", "compose.yaml"])
@pytest.mark.parametrize(
    "text", ["", "{", "[]", "'''", '"""', "sh '", "repos: 1", "repos: [{hooks: [1]}]", "x: *y"]
)
def test_broken_text(name: str, text: str) -> None:
    assert not read(name, text).entries


def test_what_a_folder_has(tmp_path: Path) -> None:
    wanted = {
        "Jenkinsfile": JENKINS,
        DEV: CONTAINER,
        ".pre-commit-config.yaml": HOOKS,
        "docker-compose.gpu.yml": "services:\n  a:\n    command: pip install torch\n",
        "app.py": "import modal\nimage = modal.Image.debian_slim().pip_install('torch==2.0.1')\n",
    }
    others = {"x/Jenkinsfile": "pipeline {}\n", "y/docker-compose.yml": "services: {}\n", "y/z.py": "import os\n"}
    for name, text in {**wanted, **others}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = search(str(tmp_path), recursive=True)
    assert sorted(found.files) == sorted(str(tmp_path / name) for name in wanted)
    assert not found.unread
