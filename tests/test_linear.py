"""Work grows with the size of a file, and not with its square: calls are counted for N and 2N, never seconds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from work import calls

from torchlock.audit import Auditor
from torchlock.dialects import read_document
from torchlock.finding import FileReport, Report
from torchlock.write.audit_json import audit_json
from torchlock.write.audit_text import text
from torchlock.write.github import github
from torchlock.write.sarif import sarif

# What doubles with the input, and a little for what grows with its logarithm.
RATIO = 2.5
VERSIONS = ("2.0.0", "2.1.0", "2.2.0", "2.3.0", "2.4.0", "2.5.0", "2.6.0", "2.7.0", "2.8.0")

Make = Callable[[int], str]


def pins(count: int, form: str = "torch=={}\ntorchaudio=={}\n", between: str = "") -> str:
    """Pairs that do not load together, one after the other."""
    pairs = [(VERSIONS[n % 8], VERSIONS[n % 8 + 1]) for n in range(count)]
    return between.join(form.format(*pair) for pair in pairs)


def rows(count: int, form: str) -> str:
    """A line a number; ``{n}`` is the number, ``{m}`` the next, ``{v}`` a version."""
    return "".join(form.format(n=n, m=n + 1, v=VERSIONS[n % 8], w=VERSIONS[n % 8 + 1]) for n in range(count))


JSON_CELL = {"cell_type": "code", "metadata": {}, "outputs": []}

SHAPES: dict[str, tuple[str, Make]] = {
    "pins of one package": ("requirements.txt", pins),
    "as many versions": ("requirements.txt", lambda n: rows(n, "torch!=2.{n}.99\ntorchaudio==2.{n}.7\n")),
    "as many packages": ("requirements.txt", lambda n: rows(n, "p{n}==1.{n}\n") + pins(1)),
    "dependents": ("requirements.txt", lambda n: pins(1) + rows(n, "librosa==0.8.{n}\nnumba==0.5{n}\nnumpy==1.2{n}\n")),
    "comments that ignore": (
        "requirements.txt",
        lambda n: pins(n, "torch=={} # torchlock: ignore[TL101,TL506] x\ntorchaudio=={}\n"),
    ),
    "comments behind continued lines": (
        "requirements.txt",
        lambda n: "torch==2.1.0 \\\n" * n + " # torchlock: ignore[TL101] x\n" + pins(1),
    ),
    "lines that are no requirements": ("requirements.txt", lambda n: rows(n, "torch = = 2.{n}\n")),
    "single equals signs": ("requirements.txt", lambda n: rows(n, "torch=2.{n}\n")),
    "merge conflicts": (
        "requirements.txt",
        lambda n: "<<<<<<< a\ntorch==2.1.0\n=======\ntorch==2.2.0\n>>>>>>> b\n" * n,
    ),
    "indexes and pins": (
        "requirements.txt",
        lambda n: rows(n, "--extra-index-url https://example.org/{n}/simple\ntorch=={v}+cu118\n"),
    ),
    "labels": ("requirements.txt", lambda n: rows(n, "torch=={v}+cu{n}\ntorchaudio=={v}+cpu\n")),
    "sections": ("requirements.txt", lambda n: rows(n, "[s{n}]\ntorch=={v}\ntorchaudio=={w}\n")),
    "variables": ("requirements.txt", lambda n: rows(n, "torch==${{V{n}}}\n")),
    "constraints": ("constraints.txt", pins),
    "dependencies on one line": (
        "pyproject.toml",
        lambda n: "[project]\nname='x'\ndependencies=[" + pins(n, "'torch=={}','torchaudio=={}',") + "]\n",
    ),
    "extras": (
        "pyproject.toml",
        lambda n: (
            "[project]\nname='x'\n[project.optional-dependencies]\n"
            + rows(n, "e{n} = ['torch=={v}', 'torchaudio=={w}']\n")
        ),
    ),
    "one extra of all": (
        "pyproject.toml",
        lambda n: (
            f"[project]\nname='x'\n[project.optional-dependencies]\nall=['x[{','.join(f'e{i}' for i in range(n))}]']\n"
            + rows(n, "e{n} = ['torch=={v}']\n")
        ),
    ),
    "setup.py": (
        "setup.py",
        lambda n: "from setuptools import setup\nR = []\n" + rows(n, "R.append('torch=={v}')\n") + "setup(install_requires=R)\n",
    ),
    "setup.cfg": (
        "setup.cfg",
        lambda n: "[options]\ninstall_requires =\n" + pins(n, "  torch=={}\n  torchaudio=={}\n"),
    ),
    "Pipfile.lock": (
        "Pipfile.lock",
        lambda n: json.dumps({"_meta": {}, "default": {f"p{i}": {"version": f"==1.{i}"} for i in range(n)}}),
    ),
    "poetry.lock": (
        "poetry.lock",
        lambda n: (
            rows(n, '[[package]]\nname = "p{n}"\nversion = "1.{n}"\n[package.dependencies]\np{m} = "*"\n\n')
            + '[[package]]\nname = "torch"\nversion = "2.1.0"\n\n[metadata]\nlock-version = "2.0"\n'
        ),
    ),
    "environment.yml": (
        "environment.yml",
        lambda n: "dependencies:\n" + pins(n, "  - pytorch={}\n  - torchaudio={}\n"),
    ),
    "a list in brackets": (
        "environment.yml",
        lambda n: "dependencies: [" + pins(n, "pytorch={}, torchaudio={}", ", ") + "]\n",
    ),
    "steps of a workflow": (
        ".github/workflows/ci.yml",
        lambda n: "jobs:\n  a:\n    steps:\n" + pins(n, "    - run: pip install torch=={} torchaudio=={}\n"),
    ),
    "jobs of a workflow": (
        ".github/workflows/ci.yml",
        lambda n: (
            "jobs:\n" + rows(n, "  a{n}:\n    steps:\n    - run: pip install torch=={v} torchaudio=={w}\n")
        ),
    ),
    "continued lines of a Dockerfile": (
        "Dockerfile",
        lambda n: "FROM python:3.10\nRUN pip install \\\n" + pins(n, "  torch=={} torchaudio=={} \\\n") + "  numpy\n",
    ),
    "commands of a script": ("install.sh", lambda n: pins(n, "pip install -U torch=={} torchaudio=={}\n")),
    "recipes": ("Makefile", lambda n: "t:\n" + pins(n, "\tpip install -U torch=={} torchaudio=={}\n")),
    "commands of tox": (
        "tox.ini",
        lambda n: "[testenv]\ncommands =\n" + pins(n, "  pip install -U torch=={} torchaudio=={}\n"),
    ),
    "cells of a notebook": (
        "a.ipynb",
        lambda n: json.dumps(
            {"cells": [{**JSON_CELL, "source": [f"!pip install -U torch==2.{i % 8}.0\n"]} for i in range(n)]}
        ),
    ),
}


def _judged(name: str, content: str) -> FileReport:
    auditor = Auditor()
    document = read_document(name, raw=content.encode())
    return FileReport(name, document.kind, auditor.judge(document), document.text)


@pytest.mark.parametrize("shape", SHAPES)
def test_judging_grows_with_the_file(shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name, make = SHAPES[shape]
    _judged(name, make(4))  # What is imported and loaded once counts for neither.
    base, once, twice = (calls(lambda count=count: _judged(name, make(count))) for count in (1, 100, 200))
    assert twice - base < RATIO * (once - base), f"{base} {once} {twice}"
