"""``lock -r FILE`` for every format that declares requirements, through the command line and from bundled data."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from torchlock.cli.main import main

TARGET = ["--python", "3.12", "--platform", "linux-x86_64", "--offline", "--no-hashes", "--no-annotate"]
PROJECT = "[project]\nname = 'own'\nversion = '1'\n"
POETRY = "[tool.poetry]\nname = 'own'\nversion = '1'\n[tool.poetry.dependencies]\npython = '^3.9'\n"
NUMPY = "numpy==1.26.4"
AUDIO = ["cffi", "numpy==1.26.4", "pycparser", "soundfile==0.12.1"]


class Case(NamedTuple):
    """A file, further options, and the pins of its lock: ``name==version``, or a name for any version of it."""

    file: str
    text: str
    pins: list[str]
    options: tuple[str, ...] = ()


LOCKED = {
    "requirements": Case("requirements.txt", "numpy<2,>=1.26.4\n", [NUMPY]),
    "requirements for compilers": Case("requirements.in", "numpy==1.26.*\nsoundfile==0.12.1\n", AUDIO),
    "a list of any name": Case("audio.list", "numpy==1.26.4\n", [NUMPY]),
    "constraints as requirements": Case("constraints.txt", "numpy==1.26.4\n", [NUMPY]),
    "pyproject": Case("pyproject.toml", PROJECT + "dependencies = ['numpy==1.26.4']\n", [NUMPY]),
    "pyproject: an extra": Case(
        "pyproject.toml",
        PROJECT
        + "dependencies = ['numpy==1.26.4']\n[project.optional-dependencies]\naudio = ['soundfile==0.12.1']\n",
        AUDIO,
        ("--extra", "audio"),
    ),
    "pyproject: a group": Case(
        "pyproject.toml",
        PROJECT + "dependencies = ['numpy==1.26.4']\n[dependency-groups]\ndev = ['soundfile==0.12.1']\n",
        AUDIO,
        ("--group", "dev"),
    ),
    "poetry": Case("pyproject.toml", POETRY + "numpy = '~1.26.4'\n", [NUMPY]),
    "poetry: an extra": Case(
        "pyproject.toml",
        POETRY + "numpy = '1.26.4'\nsoundfile = {version = '0.12.1', optional = true}\n"
        "[tool.poetry.extras]\naudio = ['soundfile']\n",
        AUDIO,
        ("--all-extras",),
    ),
    "poetry: a group": Case(
        "pyproject.toml",
        POETRY + "numpy = '1.26.4'\n[tool.poetry.group.dev.dependencies]\nsoundfile = '0.12.1'\n",
        AUDIO,
        ("--group", "dev"),
    ),
    "pdm": Case(
        "pyproject.toml",
        PROJECT + "dependencies = ['numpy==1.26.4']\n[tool.pdm.dev-dependencies]\naudio = ['soundfile==0.12.1']\n",
        AUDIO,
        ("--group", "audio"),
    ),
    "uv": Case(
        "pyproject.toml",
        PROJECT + "dependencies = ['numpy']\n[tool.uv]\nconstraint-dependencies = ['numpy==1.26.4']\n"
        "dev-dependencies = ['soundfile==0.12.1']\n",
        AUDIO,
        ("--group", "dev"),
    ),
    "hatch": Case(
        "pyproject.toml",
        PROJECT
        + "dependencies = ['numpy==1.26.4']\n[tool.hatch.envs.audio]\ndependencies = ['soundfile==0.12.1']\n",
        AUDIO,
        ("--group", "hatch-audio"),
    ),
    "flit": Case(
        "pyproject.toml", "[tool.flit.metadata]\nmodule = 'own'\nrequires = ['numpy==1.26.4']\n", [NUMPY]
    ),
    "pixi in pyproject": Case(
        "pyproject.toml", PROJECT + "[tool.pixi.pypi-dependencies]\nnumpy = '==1.26.4'\n", [NUMPY]
    ),
    "Pipfile": Case("Pipfile", "[packages]\nnumpy = '1.26.4'\n", [NUMPY]),
    "Pipfile: a category": Case(
        "Pipfile",
        "[packages]\nnumpy = '1.26.4'\n[dev-packages]\nsoundfile = '==0.12.1'\n",
        AUDIO,
        ("--group", "dev-packages"),
    ),
    "setup.cfg": Case("setup.cfg", "[options]\ninstall_requires =\n  numpy==1.26.4\n", [NUMPY]),
    "setup.cfg: an extra": Case(
        "setup.cfg",
        "[options]\ninstall_requires = numpy==1.26.4\n[options.extras_require]\naudio = soundfile==0.12.1\n",
        AUDIO,
        ("--extra", "audio"),
    ),
    "setup.py": Case(
        "setup.py", "from setuptools import setup\nsetup(install_requires=['numpy==1.26.4'])\n", [NUMPY]
    ),
    "setup.py: an extra": Case(
        "setup.py",
        "from setuptools import setup\nE = {'audio': ['soundfile==0.12.1']}\n"
        "setup(install_requires=['numpy==1.26.4'], extras_require=E)\n",
        AUDIO,
        ("--extra", "audio"),
    ),
    "a script": Case("tool.py", '# /// script\n# dependencies = ["numpy==1.26.4"]\n# ///\n', [NUMPY]),
    "environment.yml": Case(
        "environment.yml",
        "dependencies:\n  - python=3.12\n  - numpy=1.26.4\n  - pip:\n    - soundfile==0.12.1\n",
        AUDIO,
    ),
    "pixi": Case(
        "pixi.toml",
        "[workspace]\nname = 'own'\nplatforms = ['linux-64']\n[pypi-dependencies]\nnumpy = '==1.26.4'\n",
        [NUMPY],
    ),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def pins(output: str) -> set[str]:
    return {line for line in output.splitlines() if line and not line.startswith(("#", "-"))}


@pytest.mark.parametrize("name", LOCKED)
def test_a_format_is_locked(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    case = LOCKED[name]
    Path(case.file).write_text(case.text)
    code = main(["lock", "-r", case.file, *TARGET, *case.options])
    said = capsys.readouterr()
    assert code == 0, said.err
    found = pins(said.out)
    assert len(found) == len(case.pins)
    for pin in case.pins:
        assert pin in found if "==" in pin else any(line.startswith(f"{pin}==") for line in found)


NOT_LOCKED = {
    "Dockerfile": "FROM python:3.12\nRUN pip install numpy\n",
    "tox.ini": "[testenv]\ndeps = numpy\n",
    "noxfile.py": "def tests(session):\n    session.install('numpy')\n",
    "install.sh": "pip install numpy\n",
    "Makefile": "install:\n\tpip install numpy\n",
    "ci.yml": "jobs:\n  test:\n    steps:\n      - run: pip install numpy\n",
    "poetry.lock": '[[package]]\nname = "numpy"\nversion = "1.26.4"\n[metadata]\nlock-version = "2.0"\n',
    "uv.lock": 'version = 1\n[[package]]\nname = "numpy"\nversion = "1.26.4"\n',
    "pdm.lock": '[metadata]\nlock_version = "4.5.0"\n[[package]]\nname = "numpy"\nversion = "1.26.4"\n',
    "Pipfile.lock": '{"_meta": {}, "default": {"numpy": {"version": "==1.26.4"}}}\n',
}


@pytest.mark.parametrize("name", NOT_LOCKED)
def test_what_is_no_list_of_requirements_is_refused_with_a_hint(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(name).write_text(NOT_LOCKED[name])
    assert main(["lock", "-r", name, *TARGET]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert name in said.err
    assert "pyproject.toml" in said.err or "PEP 723" in said.err


SOURCES = """\
[project]
name = "asr"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["torch>=2.7", "torchaudio==2.7.0", "torchcodec", "numpy<2"]

[tool.uv.sources]
torch = [
  { index = "pytorch-cpu", marker = "sys_platform != 'linux'" },
  { index = "pytorch-cu124", marker = "sys_platform == 'linux'" },
]
torchaudio = { git = "https://github.com/pytorch/audio", tag = "v2.7.0" }

[[tool.uv.index]]
name = "pytorch-cpu"
url = "https://download.pytorch.org/whl/cpu"
explicit = true

[[tool.uv.index]]
name = "pytorch-cu124"
url = "https://download.pytorch.org/whl/cu124"
explicit = true
"""


def test_sources_are_never_passed_over(capsys: pytest.CaptureFixture[str]) -> None:
    """Offline the index of a source cannot be asked: there is no lock of the public build in its place."""
    Path("pyproject.toml").write_text(SOURCES)
    assert main(["lock", *TARGET]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "torch comes from the index https://download.pytorch.org/whl/cu124" in said.err


def test_keys_with_dashes_are_read(capsys: pytest.CaptureFixture[str]) -> None:
    Path("setup.cfg").write_text(
        "[metadata]\nname = x\n\n[options]\ninstall-requires =\n    torch==2.3.1\n    torchaudio==2.2.0\n"
    )
    assert main(["lock", "-r", "setup.cfg", *TARGET]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "torchaudio==2.2.0" in said.err


def test_a_section_that_appears_twice_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("setup.cfg").write_text(
        "[options]\ninstall_requires =\n    torch==2.3.1\n\n[options]\ninstall_requires =\n    torchaudio==2.3.1\n"
    )
    assert main(["lock", "-r", "setup.cfg", *TARGET]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "setup.cfg:5" in said.err


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("requirements.txt", "numpy==1.26.4\nsix=1.16\n"),
        ("pyproject.toml", PROJECT + "dependencies = [\n  'numpy==1.26.4',\n  'six=1.16',\n]\n"),
        ("Pipfile", "[packages]\nnumpy = '*'\nsix = '^1.16'\n"),
        ("setup.cfg", "[options]\ninstall_requires =\n  numpy\n  six=1.16\n"),
        ("environment.yml", "dependencies:\n  - numpy\n  - pip:\n    - six=1.16\n"),
        ("tool.py", '# /// script\n# dependencies = [\n#   "six=1.16",\n# ]\n# ///\n'),
    ],
)
def test_a_refusal_names_the_line(name: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(name).write_text(text)
    assert main(["lock", "-r", name, *TARGET]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    line = next(number for number, line in enumerate(text.splitlines(), 1) if "six" in line)
    assert f"{name}:{line}" in said.err
