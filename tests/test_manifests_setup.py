"""setup.cfg and setup.py as the audit reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from torchlock.manifests.document import Document
from torchlock.manifests.formats import setup_cfg, setup_py


def cfg(text: str) -> Document:
    return setup_cfg.read(text, "setup.cfg")


def py(text: str, path: str = "setup.py") -> Document:
    return setup_py.read(text, path)


def asked(document: Document) -> list[tuple[str, str, str]]:
    return [(entry.name, entry.specifier, entry.scope) for entry in document.entries]


def stretches(document: Document) -> list[str | None]:
    return [document.text[slice(*e.version)] if e.version else None for e in document.entries]


def issues(document: Document) -> list[tuple[str, int]]:
    return [(issue.rule, issue.place.line) for issue in document.issues]


CONFIG = """\
[metadata]
name = asr
description = torch

[options]
python_requires = >=3.9
install_requires =
    numpy
    # a remark
    torch >= 2.0 ; sys_platform != "win32"
    torchaudio==2.*  # another

[options.extras_require]
# torch
Dev_x: pytest
gpu =
    torch
all = asr[dev-x, gpu]
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_configuration(end: str) -> None:
    document = cfg(CONFIG.replace("\n", end))
    assert not document.issues
    assert asked(document) == [
        ("numpy", "", ""),
        ("torch", ">=2.0", ""),
        ("torchaudio", "==2.*", ""),
        ("pytest", "", "extra:dev-x"),
        ("torch", "", "extra:gpu"),
        ("pytest", "", "extra:all"),
        ("torch", "", "extra:all"),
    ]
    assert stretches(document)[:3] == ["", ">= 2.0", "==2.*"]
    assert [entry.place.line for entry in document.entries][:4] == [8, 10, 11, 15]
    assert (document.python, document.python_place) == (">=3.9", (6, 19))


def test_a_single_line_may_hold_several() -> None:
    """setuptools parts it at every semicolon, so there is no room for a marker."""
    document = cfg("[options]\ninstall_requires = torch==2.0.1; torchaudio\n")
    assert asked(document) == [("torch", "==2.0.1", ""), ("torchaudio", "", "")]
    marked = cfg("[options]\ninstall_requires = torch==2.0.1; python_version < '3.12'\n")
    assert issues(marked) == [("TL501", 2)]


def test_a_configuration_that_names_a_file(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("torch==2.0.1\n")
    text = "[options]\ninstall_requires = file: requirements.txt, other.txt\n"
    document = setup_cfg.read(text, str(tmp_path / "setup.cfg"))
    assert asked(document) == [("torch", "==2.0.1", "")]
    assert issues(document) == [("TL901", 2)]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("torch\n[options]\ninstall_requires = torch\n", 1),
        ("[options]\ninstall_requires = torch\n= 3\n", 3),
        ("[options]\ninstall_requires = torch\n[options]\n", 3),
        ("[options]\ninstall_requires = torch\npython_requires = 3.9\n", 3),
        ("[options]\ninstall_requires =\n  torch\n  numpy=1\n", 4),
    ],
)
def test_a_broken_configuration_is_still_read(text: str, line: int) -> None:
    document = cfg(text)
    assert issues(document) == [("TL501", line)]
    assert asked(document)[:1] == [("torch", "", "")]


def test_other_tools_sections_ask_for_nothing() -> None:
    assert not cfg("[flake8]\ninstall_requires = torch\n[options.extras]\nx = torch\n").entries


# setup.py.


@pytest.mark.parametrize(
    "text",
    [
        "",
        "import torch\nprint('install_requires=[torch]')\n",
        "def setup(): pass\nx = ['torch']\n",
        "from setuptools import setup\nsetup()\n",
        "from setuptools import setup\n# install_requires=['torch']\nsetup(name='x', packages=['torch'])\n",
    ],
)
def test_a_script_that_asks_for_nothing(text: str) -> None:
    document = py(text)
    assert (document.entries, document.issues) == ([], [])


def test_literals_and_names() -> None:
    text = (
        '"""Ünïcödé"""\nfrom setuptools import setup\nVERSION = "2.1"\n'
        "base = ['numpy', 'torch==2.0.1', \"torchaudio >=2 ; python_version < '3.12'\"]\n"
        "extras = {'gpu': ['torch>=2'], 'all': base + ['asr[gpu]']}\n"
        "extras[':sys_platform == \"win32\"'] = ['colorama']\n"
        "base += [f'torchvision=={VERSION}', 'scipy>=%s' % VERSION]\n"
        "setup(name='asr', python_requires='>=3.8', install_requires=base, extras_require=extras)\n"
    )
    document = py(text)
    assert not document.issues
    assert asked(document)[:5] == [
        ("numpy", "", ""),
        ("torch", "==2.0.1", ""),
        ("torchaudio", ">=2", ""),
        ("torchvision", "==2.1", ""),
        ("scipy", ">=2.1", ""),
    ]
    assert stretches(document)[:5] == ["", "==2.0.1", ">=2", None, None]
    assert ("torch", ">=2", "extra:gpu") in asked(document)
    assert ("torch", ">=2", "extra:all") in asked(document)
    assert [e.marker for e in document.entries if e.name == "colorama"] == ['sys_platform == "win32"']
    assert (document.python, document.python_place.line) == (">=3.8", 8)


def test_a_place_counts_characters_not_bytes() -> None:
    text = "from setuptools import setup\nsetup(description='ü€', install_requires=['torch==2.0'])\n"
    entry = py(text).entries[0]
    assert entry.version is not None
    assert text[slice(*entry.version)] == "==2.0"


READING = [
    "reqs = open('requirements.txt').read().splitlines()",
    "with open(os.path.join(here, 'requirements.txt')) as f:\n    reqs = f.readlines()",
    "with open('requirements.txt') as f:\n    reqs = [line.strip() for line in f if line and line[0] != '#']",
    "reqs = [str(r.req) for r in parse_requirements('requirements.txt', session=False)]",
    "def get(name='requirements.txt'):\n    return [x for x in open(name)]\nreqs = get()",
    "reqs = (Path(__file__).parent / 'requirements.txt').read_text().split('\\n')",
    "reqs = []\nfor line in open('requirements.txt'):\n    reqs.append(line)",
    "reqs = []\nif os.path.isfile('requirements.txt'):\n    reqs = list(open('requirements.txt'))",
]


@pytest.mark.parametrize("reading", READING)
def test_requirements_read_from_a_file(reading: str, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("torch==2.0.1\n")
    text = f"import setuptools\n{reading}\nsetuptools.setup(install_requires=reqs + ['numpy'])\n"
    document = py(text, str(tmp_path / "setup.py"))
    assert {name for name, _, _ in asked(document)} == {"torch", "numpy"}
    assert [issue.severity for issue in document.issues] in ([], ["note"])


def test_keywords_in_a_dictionary() -> None:
    document = py("kw = dict(install_requires=['torch==2'])\nkw['python_requires'] = '>=3.7'\nsetup(**kw)\n")
    assert (asked(document), document.python) == ([("torch", "==2", "")], ">=3.7")


def test_what_stands_under_a_condition_is_not_judged() -> None:
    text = (
        "reqs = ['numpy']\nif CUDA:\n    reqs.append('torch==1.0')\nelse:\n    reqs += ['torch==2.0']\n"
        "setup(install_requires=reqs)\n"
    )
    document = py(text)
    assert asked(document) == [("numpy", "", "")]
    assert issues(document) == [("TL901", 6)]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("print 'x'\n", 1),
        ("x = 1\nsetup(install_requires=['torch'\n", 2),
        ("setup(install_requires=compute())\n", 1),
        ("setup(extras_require=compute())\n", 1),
    ],
)
def test_what_only_running_would_tell(text: str, line: int) -> None:
    document = py(text)
    assert issues(document) == [("TL901", line)]
    assert document.issues[0].severity == "note"


def test_a_string_that_is_no_requirement() -> None:
    document = py("setup(install_requires=[\n  'torch=2.1',\n  'numpy',\n])\n")
    assert issues(document) == [("TL501", 2)]
    assert [edit.new for edit in document.issues[0].edits] == ["torch==2.1"]


def consistent(document: Document) -> None:
    for entry in document.entries:
        if entry.version is not None:
            assert SpecifierSet(document.text[slice(*entry.version)]) == SpecifierSet(entry.specifier)


CFG_PIECES = [
    "[options]\n",
    "install_requires",
    "=",
    ":",
    "\n",
    "\r\n",
    "    ",
    "torch>=2",
    ";",
    "#",
    "é",
    "file:",
]
PY_PIECES = [
    *"()[]{},+=.'\"\n *",
    "setup(install_requires=",
    "setup(**",
    "extras_require=",
    "'torch==2.0'",
    '"""numpy\ntorch>=2"""',
    "x",
    "x = ",
    "x += ",
    "x.append(",
    "open('r.txt')",
    ".read()",
    "if x:\n ",
    "for x in x:\n ",
    "f'{x}é'",
    "lambda: ",
    "% x",
]


@given(st.one_of(st.text(max_size=80), st.lists(st.sampled_from(CFG_PIECES), max_size=30).map("".join)))
def test_any_configuration_is_read(text: str) -> None:
    consistent(cfg(text))


@given(st.one_of(st.text(max_size=80), st.lists(st.sampled_from(PY_PIECES), max_size=30).map("".join)))
@example("setup(install_requires=" + "(" * 500 + ")" * 500 + ")")
@example("x = x + " * 400 + "x\nsetup(install_requires=x)")
@example("setup(install_requires='\\x00torch', extras_require={'': ['torch', '\ud800']})")
def test_any_script_is_read(text: str) -> None:
    consistent(py(text))
