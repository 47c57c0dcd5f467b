"""Every format in which a pair that cannot load is found and mended: the same pair, in all of them."""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest

from support.formats import AUDIO, FITTING, TORCH, errors, fixed, read, rules
from torchlock.audit import Auditor
from torchlock.errors import InputError


class Sample(NamedTuple):
    """A file with the pair, the line of torchaudio in it, and whether an edit mends it."""

    path: str
    text: str
    line: int
    edit: bool = True


def notebook(*lines: str) -> str:
    cells = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": [f"{line}\n" for line in lines]}]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"


BOTH = f"{TORCH} {AUDIO}"
SAMPLES = [
    Sample("pixi.toml", '[dependencies]\npytorch = "==2.5.1"\ntorchaudio = "==2.4.0"\n', 3),
    Sample("pixi.toml", f'[pypi-dependencies]\ntorch = "{TORCH[5:]}"\ntorchaudio = "{AUDIO[10:]}"\n', 3),
    Sample("script.py", f'# /// script\n# dependencies = ["{TORCH}", "{AUDIO}"]\n# ///\nimport torch\n', 2),
    Sample("noxfile.py", f'import nox\n\n@nox.session\ndef t(s):\n    s.install("{TORCH}", "{AUDIO}")\n', 5),
    Sample("tox.ini", f"[testenv]\ndeps =\n    {TORCH}\n    {AUDIO}\n", 4),
    Sample("tox.ini", f"[testenv]\ncommands =\n    pip install {BOTH}\n", 3),
    Sample("Makefile", f"install:\n\t@pip install {TORCH} \\\n\t\t{AUDIO}\n", 3),
    Sample("rules.mk", f"install:\n\t$(PYTHON) -m pip install {BOTH}\n", 2),
    Sample("justfile", f"install:\n    pip install {BOTH}\n", 2),
    Sample("install.bat", f"@echo off\r\npip install {TORCH} ^\r\n  {AUDIO}\r\n", 3),
    Sample("install.cmd", f"call pip install {BOTH}\r\n", 1),
    Sample("install.ps1", f"pip install {TORCH} `\r\n  {AUDIO}\r\n", 2),
    Sample("install.fish", f"pip install {BOTH}\n", 1),
    Sample("setup", f"#!/bin/sh\npip install {BOTH}\n", 2),
    Sample("a.ipynb", notebook("import torch", f"!pip install {BOTH}"), 9),
    Sample("a.ipynb", notebook(f'%pip install "{TORCH}" "{AUDIO}"'), 8),
    Sample(".github/workflows/ci.yml", f"jobs:\n  a:\n    steps:\n      - run: pip install {BOTH}\n", 4),
    Sample(".gitlab-ci.yml", f"a:\n  script:\n    - pip install {BOTH}\n", 3),
    Sample("azure-pipelines.yml", f"steps:\n- script: |\n    pip install {BOTH}\n", 3),
    Sample(
        ".circleci/config.yml",
        f"jobs:\n  a:\n    steps:\n      - run:\n          command: pip install {BOTH}\n",
        5,
    ),
    Sample("Taskfile.yml", f"tasks:\n  a:\n    cmds:\n      - pip install {BOTH}\n", 4),
    Sample("cog.yaml", f'build:\n  python_packages:\n    - "{TORCH}"\n    - "{AUDIO}"\n', 4),
    Sample("app.py", f'import modal\nimage = modal.Image.debian_slim().pip_install("{TORCH}", "{AUDIO}")\n', 2),
    Sample("launch.py", f'import os\nos.system("pip install {BOTH}")\n', 2),
    Sample(
        "launch.py",
        f"import subprocess, sys\n"
        f'subprocess.run([sys.executable, "-m", "pip", "install", "{TORCH}", "{AUDIO}"])\n',
        2,
    ),
    Sample(
        "explicit.txt",
        "@EXPLICIT\nhttps://conda.example.org/pytorch/linux-64/pytorch-2.5.1-py3.11_cuda12.1_cudnn9.1.0_0.tar.bz2\n"
        "https://conda.example.org/pytorch/linux-64/torchaudio-2.4.0-py311_cu121.tar.bz2\n",
        3,
        edit=False,
    ),
    Sample(
        "pixi.lock",
        "version: 6\nenvironments:\n  default:\n    packages:\n      linux-64:\n"
        "      - conda: https://conda.example.org/conda-forge/linux-64/pytorch-2.5.1-cpu_generic_py311h_0.conda\n"
        "      - pypi: https://files.example.org/torchaudio-2.4.0-cp311-cp311-manylinux1_x86_64.whl\n"
        "packages: []\n",
        7,
        edit=False,
    ),
]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.path)
def test_the_pair_is_found_on_its_line(sample: Sample) -> None:
    assert errors(sample.path, sample.text.encode()) == [("TL101", sample.line)]


@pytest.mark.parametrize("sample", [one for one in SAMPLES if one.edit], ids=lambda sample: sample.path)
def test_fix_changes_that_version_and_no_other_byte(sample: Sample) -> None:
    raw = sample.text.encode()
    after = fixed(sample.path, raw)
    assert after is not None
    old, new = ("2.4.0", "2.5.1") if "pytorch" in sample.text else (AUDIO[12:], FITTING[12:])
    at = raw.rindex(old.encode())
    assert after == raw[:at] + new.encode() + raw[at + len(old) :]
    assert errors(sample.path, after) == []
    assert fixed(sample.path, after) is None


@pytest.mark.parametrize("sample", [one for one in SAMPLES if not one.edit], ids=lambda sample: sample.path)
def test_where_no_edit_helps_the_remedy_is_told(sample: Sample) -> None:
    assert fixed(sample.path, sample.text.encode()) is None
    report = Auditor().report(sample.path, sample.text.encode())
    found = next(finding for finding in report.findings if finding.rule == "TL101")
    assert found.remedy is not None
    assert not found.remedy.changes


@pytest.mark.parametrize("sample", [one for one in SAMPLES if one.edit], ids=lambda sample: sample.path)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_line_ends_and_encodings_stay(sample: Sample, encoding: str) -> None:
    text = sample.text.replace("\r\n", "\n").replace("\n", "\r\n")
    after = fixed(sample.path, text.encode(encoding))
    if sample.path == "setup":  # A mark in front of #! makes it no script; nothing tells its format.
        assert after is None or after.decode(encoding).count("\r\n") == text.count("\r\n")
        return
    assert after is not None
    assert after.decode(encoding).count("\r\n") == text.count("\r\n")
    assert after[:3] == text.encode(encoding)[:3]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.path)
def test_whatever_is_cut_off_no_reader_falls(sample: Sample) -> None:
    for end in range(0, len(sample.text), 7):
        try:
            read(sample.path, sample.text[:end])
        except InputError as error:
            assert error.message


@pytest.mark.parametrize(
    ("path", "text", "severity"),
    [
        ("a.ipynb", notebook("!pip install torchcodec==0.7.0"), "note"),
        (".github/workflows/ci.yml", "jobs:\n  a:\n    steps:\n      - run: pip install torchcodec\n", "note"),
        ("tox.ini", "[testenv]\ndeps = torchcodec\n", "note"),
        ("noxfile.py", "import nox\n\ndef t(session):\n    session.install('torchcodec')\n", "note"),
        ("Makefile", "a:\n\tpip install torchcodec\n", "note"),
        ("a.py", "# /// script\n# dependencies = ['torchcodec']\n# ///\n", "warning"),
        ("cog.yaml", "build:\n  python_packages: [torchcodec]\n", "warning"),
    ],
)
def test_what_is_there_already_may_hold_torch(path: str, text: str, severity: str) -> None:
    report = Auditor().report(path, text.encode())
    assert [each.severity for each in report.findings if each.rule == "TL108"] == [severity]


def test_a_file_without_requirements_is_told_so() -> None:
    for path, text in (
        ("Makefile", "all:\n\techo hi\n"),
        ("tox.ini", "[tox]\n"),
        ("a.ipynb", notebook("import torch")),
        ("requirements.txt", "# none\n"),
        ("noxfile.py", "import nox\n"),
        (".github/workflows/ci.yml", "on: push\n"),
    ):
        report = Auditor().report(path, text.encode())
        assert [(each.rule, each.severity) for each in report.findings] == [("TL905", "note")], path
        assert report.status == "ok"


def test_what_was_told_otherwise_is_not_told_twice() -> None:
    assert rules(read("tox.ini", "[testenv]\ndeps = -rmissing.txt\n")) == [("TL901", "note", 2)]
    assert [each.rule for each in Auditor().report("tox.ini", b"[testenv]\ndeps = -rmissing.txt\n").findings] == [
        "TL901"
    ]


def test_a_list_that_pdm_exported_is_a_list() -> None:
    text = "# This file is @generated by PDM.\n# Please do not edit it manually.\n\ntorch==2.7.1\n"
    assert read("requirements.txt", text).kind == "requirements"
