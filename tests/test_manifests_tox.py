"""tox.ini as the audit reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.formats import asked, read, rules, scopes, stretches

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[tox]\nenvlist = py310\nrequires = tox>=4\n",
        "[testenv]\nskip_install = true\ncommands = pytest {posargs}\n",
        "[flake8]\ndeps = torch\n[testenv]\n# deps = torch\n",
        "[testenv]\ndeps =\n    .\n    ./audio\n    -e .\n    https://example.org/x.zip\n",
    ],
)
def test_environments_that_install_nothing(text: str) -> None:
    document = read("tox.ini", text)
    assert not document.entries
    assert not document.issues


@pytest.mark.parametrize(
    "body",
    [
        "deps = torch==2.0.1",
        "deps =\n    torch==2.0.1  # why",
        "deps:\n    torch==2.0.1".replace(":", " ="),
        "commands_pre = pip install torch==2.0.1",
        "commands =\n    - python -m pip install -q torch==2.0.1",
    ],
)
def test_the_ways_to_install(body: str) -> None:
    document = read("tox.ini", f"[testenv]\n{body}\n")
    assert asked(document) == [("torch", "==2.0.1")]
    assert stretches(document) == ["==2.0.1"]


def test_factors() -> None:
    text = (
        "[tox]\nenvlist = py{39,310}-torch{20,21}, lint\n"
        "[testenv]\ndeps =\n    numpy<2\n    torch20: torch==2.0.1\n"
        "    torch21: torch==2.1.0\n    py310,!torch20: scipy\n[testenv:lint]\ndeps = black\n"
    )
    found = scopes(read("tox.ini", text))
    assert found == {
        "group:py39-torch20": ["numpy", "torch"],
        "group:py39-torch21": ["numpy", "torch", "scipy"],
        "group:py310-torch20": ["numpy", "torch", "scipy"],
        "group:py310-torch21": ["numpy", "torch", "scipy"],
        "group:lint": ["black"],
        "group:testenv": ["numpy", "scipy"],
    }


def test_the_python_of_an_environment() -> None:
    document = read("tox.ini", "[tox]\nenv_list = py39\n[testenv:py39]\ndeps = torch\n")
    assert [entry.marker for entry in document.entries] == ["python_version == '3.9'"]


def test_what_an_environment_takes_from_another() -> None:
    text = (
        "[base]\ndeps = numpy==1\n[testenv]\ndeps = {[base]deps}\n"
        "[testenv:a]\ndeps =\n    {[testenv]deps}\n    torch==2\n"
    )
    assert scopes(read("tox.ini", text)) == {"group:a": ["numpy", "torch"], "group:testenv": ["numpy"]}


def test_an_environment_that_takes_from_itself_ends() -> None:
    assert not read("tox.ini", "[testenv]\ndeps = {[testenv]deps}\n").entries


def test_files_indexes_and_fields(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("torch==2.0.1\n")
    text = (
        "[testenv]\nsetenv =\n    PIP_EXTRA_INDEX_URL = https://example.org/whl\n"
        "deps =\n    -r{toxinidir}/requirements.txt\n    -r missing.txt\n    {env:TORCH:torch}\n"
    )
    document = read(str(tmp_path / "tox.ini"), text)
    assert asked(document) == [("torch", "==2.0.1")]
    assert [(line.kind, line.address) for line in document.indexes] == [("extra", "https://example.org/whl")]
    assert rules(document) == [("TL901", "note", 6), ("TL902", "note", 7)]
