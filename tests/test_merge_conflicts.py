"""A whole merge conflict is told with its line in every kind of file that is read."""

from __future__ import annotations

import json

import pytest

from support.formats import read

MARKS = ("<<<<<<< HEAD\n", "=======\n", ">>>>>>> other\n")


def conflict(before: str, mine: str, theirs: str, after: str = "") -> str:
    left, middle, right = MARKS
    return f"{before}{left}{mine}{middle}{theirs}{right}{after}"


FILES = {
    "pyproject.toml": ("[project]\nname = 'x'\ndependencies = [\n", "  'torch==2.1',\n", "]\n"),
    "pixi.toml": ("[dependencies]\n", "pytorch = '==2.1'\n", ""),
    "Pipfile": ("[packages]\n", "torch = '==2.1'\n", ""),
    "setup.cfg": ("[options]\ninstall_requires =\n", "  torch==2.1\n", ""),
    "setup.py": ("from setuptools import setup\nsetup(install_requires=[\n", "  'torch==2.1',\n", "])\n"),
    "tox.ini": ("[testenv]\ndeps =\n", "  torch==2.1\n", ""),
    "environment.yml": ("dependencies:\n", "  - pytorch=2.1\n", ""),
    "requirements.txt": ("torch==2.1 \\\n", "    --hash=sha256:00 \\\n", "numpy\n"),
    "Dockerfile": ("FROM python:3.10\nRUN pip install \\\n", "  torch==2.1 \\\n", "  numpy\n"),
    "Makefile": ("install:\n", "\tpip install torch==2.1\n", ""),
    "install.sh": ("set -e\n", "pip install torch==2.1\n", ""),
    "install.ps1": ("$x = 1\n", "pip install torch==2.1\n", ""),
    "install.bat": ("@echo off\n", "pip install torch==2.1\n", ""),
    ".github/workflows/a.yml": ("jobs:\n  a:\n    steps:\n", "      - run: pip install torch==2.1\n", ""),
    "tool.py": ("# /// script\n# dependencies = [\n", "#  'torch==2.1',\n", "# ]\n# ///\n"),
    "a.ipynb": ('{"cells": [{"cell_type": "code", "source": [\n', '"!pip install torch==2.1"\n', "]}]}\n"),
}


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_conflict_is_told_with_its_line_and_once(path: str, end: str) -> None:
    before, middle, after = FILES[path]
    text = conflict(before, middle, middle.replace("2.1", "2.2"), after)
    line = before.count("\n") + 1
    there = [
        issue
        for issue in read(path, text.replace("\n", end)).issues
        if issue.rule == "TL501" and issue.place.line == line
    ]
    (issue,) = there
    assert "a merge conflict was left in the file" in issue.message


@pytest.mark.parametrize(
    "text",
    [
        '"""Title\n=======\n\nText.\n"""\nfrom setuptools import setup\nsetup(install_requires=["torch==2.1"])\n',
        "x = '''\n>>>>>>> other\n=======\n<<<<<<< HEAD\n'''\n",
        "<<<<<<<x\n=======\n>>>>>>>x\n",
    ],
)
def test_marks_alone_are_no_conflict(text: str) -> None:
    assert not [issue for issue in read("setup.py", text).issues if issue.rule == "TL501"]


@pytest.mark.parametrize("cut", [40, 60])
def test_a_cut_notebook_is_told_with_its_line(cut: int) -> None:
    text = json.dumps({"cells": [{"cell_type": "code", "source": ["!pip install torch==2.1\n"]}]}, indent=1)
    (issue,) = read("a.ipynb", text[:cut]).issues
    assert (issue.rule, issue.severity) == ("TL501", "error")
    assert issue.place.line == text[:cut].count("\n") + 1


def test_deep_json_and_toml_are_told_with_their_line() -> None:
    deep = "[" * 200_000
    (issue,) = read("Pipfile.lock", '{"default":\n\n' + deep).issues
    assert (issue.rule, issue.place.line) == ("TL501", 3)
    for path in ("pyproject.toml", "uv.lock", "pixi.toml"):
        (issue, *_) = read(path, f"x = '[['\ny = [\n1,\n{deep}\n").issues
        assert (issue.rule, issue.place.line) == ("TL501", 4), path
