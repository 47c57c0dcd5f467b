"""tox.ini as the audit reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.formats import asked, errors, read, rules, scopes, stretches

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


TOML = """
env_list = ["lint", "py39", { product = [["py310", "py311"], ["cpu", "gpu"]], exclude = ["py311-gpu"] }]

[env_run_base]
deps = [
    "numpy<2",
    "-r test-requirements.txt",
    { replace = "if", condition = "factor.gpu and not factor.x", then = ["torch==2.1.0"], else = ["torch==2.0.1"]},
    { replace = "if", condition = "env.CI == 'true'", then = ["scipy"], extend = true },
]
commands_pre = [["pip", "install", "--index-url", "https://download.pytorch.org/whl/cpu", "torchaudio==2.0.1"]]
commands = [["pytest", { replace = "posargs", extend = true }]]

[env.lint]
deps = ["ruff"]
commands_pre = []

[env.docs]
base_python = ["python3.12"]
deps = [{ replace = "ref", of = ["env", "lint", "deps"], extend = true }, "sphinx"]
commands_pre = []
commands = [["python", "-m", "pip", "install", "torch=={env:TORCH}"]]
"""


def test_tox_toml() -> None:
    document = read("tox.toml", TOML)
    assert scopes(document) == {
        "group:lint": ["ruff"],
        "group:py39": ["numpy", "torch", "torchaudio"],
        "group:py310-cpu": ["numpy", "torch", "torchaudio"],
        "group:py310-gpu": ["numpy", "torch", "torchaudio"],
        "group:py311-cpu": ["numpy", "torch", "torchaudio"],
        "group:docs": ["ruff", "sphinx"],
        "group:testenv": ["numpy", "torch", "torchaudio"],
    }
    found = {entry.scope: entry for entry in document.entries if entry.name == "torch"}
    assert (found["group:py310-gpu"].specifier, found["group:py310-cpu"].specifier) == ("==2.1.0", "==2.0.1")
    assert found["group:py39"].marker == "python_version == '3.9'"
    assert {entry.index for entry in document.entries if entry.name == "torchaudio"} == {
        "https://download.pytorch.org/whl/cpu"
    }
    docs = [entry.marker for entry in document.entries if entry.scope == "group:docs"]
    assert docs == ["python_version == '3.12'"] * 2
    assert {rule for rule, _, _ in rules(document)} == {"TL901", "TL902"}


@pytest.mark.parametrize("name", ["py310", "py3.10", "3.10", "py3.{10}", "torch2-py310"])
def test_names_of_a_python(name: str) -> None:
    document = read("tox.toml", f'envlist = ["{name}"]\n[env_run_base]\ndeps = ["torch"]\n')
    assert "python_version == '3.10'" in {entry.marker for entry in document.entries}


def test_what_a_tox_toml_lets_an_edit_replace() -> None:
    text = '[env_run_base]\ndeps = ["torch==2.0.1"]\ncommands = [["pip", "install", "torchaudio==2.6.0"]]\n'
    assert stretches(read("tox.toml", text)) == ["==2.0.1", "==2.6.0"]


@pytest.mark.parametrize(
    "text",
    [
        '[project]\nname = "a"\nversion = "1"\ndependencies = ["torchaudio==2.6.0"]\n'
        '[tool.tox]\nenv_list = ["py310"]\n[tool.tox.env_run_base]\ndeps = ["torch==2.7.0"]\n',
        '[project]\nname = "a"\nversion = "1"\ndependencies = ["torchaudio==2.6.0"]\n'
        "[tool.tox]\nlegacy_tox_ini = '''\n[tox]\nenvlist = py310\n[testenv]\ndeps = torch==2.7.0\n'''\n",
    ],
)
def test_the_table_of_tox_in_a_pyproject(text: str) -> None:
    document = read("pyproject.toml", text)
    assert {"": ["torchaudio"], "group:tox-py310": ["torch"]}.items() <= scopes(document).items()
    assert stretches(document)[:2] == ["==2.6.0", "==2.7.0"]
    assert "tox-py310" in document.groups
    assert errors("pyproject.toml", text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "",
        'env_list = ["py310"]\n',
        '[env_run_base]\ncommands = [["pytest"]]\n',
        '[env_run_base]\ndeps = 3\ncommands = "pytest"\n',
        '[env.a]\ndeps = [{ replace = "ref", of = ["env", "a", "deps"] }]\n',
        'env_list = [{ product = [] }, 3]\n[env_run_base]\ndeps = [".", "-e ./x"]\n',
    ],
)
def test_a_tox_toml_that_installs_nothing(text: str) -> None:
    document = read("tox.toml", text)
    assert not document.entries
    assert not document.issues
