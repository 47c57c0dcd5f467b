"""Readers of commands and lists take work as their text is long, whatever stands in it."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest

from support.call_count import calls
from support.formats import read
from torchlock.errors import InputError

# Steps are counted here, or thousands of inputs tried; other tests cover the same code.
pytestmark = pytest.mark.no_cover

# A text that is repeated, between what stands before and behind it.
SHAPES = [
    ("a.sh", "", "a || b\n", ""),
    ("a.sh", "", "if a; then pip install six; fi\n", ""),
    ("a.sh", "if a\n", "pip install six || true; ", ""),
    ("a.sh", "pip install six", " \\\n", ""),
    ("a.sh", "pip install ", "$(", ""),
    ("a.sh", "pip install ", "'", ""),
    ("a.sh", "pip install ", '"\\', ""),
    ("a.sh", "", "cat <<E\n", ""),
    ("a.sh", "cat ", "<<E ", "\n"),
    ("a.sh", "", "${A", ""),
    ("a.sh", "", "case ", ""),
    ("a.bat", "", "if a==a pip install six\n", ""),
    ("a.bat", "", "for ", ""),
    ("a.bat", "", "(", ""),
    ("a.bat", "", "%a:", ""),
    ("a.bat", "pip install six", " ^\n", ""),
    ("a.bat", "", "set A=%A%x\n", ""),
    ("a.ps1", "", "if (", ""),
    ("a.ps1", "", "$a = ", ""),
    ("a.ps1", "", "$(", ""),
    ("a.ps1", "", "<#", ""),
    ("a.ps1", "", "if ($a) { pip install six }\n", ""),
    ("a.ps1", "pip install six", " `\n", ""),
    ("Makefile", "a:\n", "\tpip install six\n", ""),
    ("Makefile", "a:\n\tpip install six", " \\\n", ""),
    ("Makefile", "", "a: b\n", ""),
    ("Makefile", "", "A = $(A) b\n", ""),
    ("Makefile", "a:", " a", "\n"),
    ("tox.ini", "[testenv]\ndeps =\n", "    {[testenv]deps}\n", ""),
    ("tox.ini", "[testenv]\ndeps =\n", "    six\n", ""),
    ("tox.ini", "[tox]\nenvlist = ", "{a,", "\n"),
    ("a.py", "import os\n", "os.system('pip install six')\n", ""),
    ("a.py", "import os\nos.system('pip install '", " + 'six '", ")\n"),
    ("a.py", "a = 'pip install six'\n", "a = a + a\n", "import os\nos.system(a)\n"),
    ("requirements.txt", "six", " \\\n", "\n"),
    ("requirements.txt", "", "six \\\n", "\n"),
    ("requirements.txt", "", "# a\n", "six\n"),
    ("requirements.txt", "", "${A} ", "\n"),
    ("requirements.txt", "", "{{ ", "\n"),
    ("requirements.txt", "", "==", "\n"),
    ("requirements.txt", "six", " " * 20, "!\n"),
    ("uv.lock", "version = 1\n", "[a]\nb = 1\n", ""),
    ("uv.lock", "version = 1\n", "a = [\n", ""),
    ("uv.lock", "version = 1\na = [\n", "  b\n", ""),
    ("uv.lock", "version = 1\n", '[[package]]\nname = "torch"\nversion = "2.7.0"\n', ""),
    ("poetry.lock", '[[package]]\nname = "torch"\nversion = "2.7.0"\n[metadata.files]\n', "torch = [\n]\n", ""),
    ("Pipfile.lock", '{"default": {', '"a":{"b', ""),
    ("pixi.lock", "environments:\n  default:\n", "      - conda: a\n", ""),
    ("pyproject.toml", "", '"\\', ""),
]


@pytest.mark.parametrize(("path", "before", "again", "after"), SHAPES)
def test_work_grows_as_the_text_does(path: str, before: str, again: str, after: str) -> None:
    few, more, most = (_work(path, before + again * (times * 60) + after) for times in (1, 2, 3))
    assert most - 2 * more + few < 0.2 * more + 200, (few, more, most)


def _work(path: str, text: str) -> int:
    def reading() -> None:
        with suppress(InputError):
            read(path, text)

    reading()  # what is compiled and imported once
    return calls(reading)


def test_work_on_a_notebook_grows_as_its_cells_do() -> None:
    def cells(count: int) -> str:
        some = [{"cell_type": "code", "source": [f"!pip install six=={number}\n"]} for number in range(count)]
        return json.dumps(
            {"cells": [{"cell_type": "raw", "metadata": {"source": "a" * 1000}, "source": []}, *some]}
        )

    few, more, most = (_work("a.ipynb", cells(60 * times)) for times in (1, 2, 3))
    assert most - 2 * more + few < 0.2 * more, (few, more, most)


@pytest.mark.parametrize(
    ("path", "first", "again", "last"),
    [
        ("a.sh", "A0=aaaaaaaaaa\n", "A{1}=$A{0}$A{0}\n", "pip install $A{1}\n"),
        ("a.bat", "set A0=aaaaaaaaaa\n", "set A{1}=%A{0}%%A{0}%\n", "pip install %A{1}%\n"),
        ("a.ps1", '$A0 = "aaaaaaaaaa"\n', '$A{1} = "$A{0}$A{0}"\n', "pip install $A{1}\n"),
        ("Makefile", "A0 = aaaaaaaaaa\n", "A{1} = $(A{0})$(A{0})\n", "a:\n\tpip install $(A{1})\n"),
        (
            "justfile",
            'A0 := "aaaaaaaaaa"\n',
            'A{1} := "{{{{A{0}}}}}{{{{A{0}}}}}"\n',
            "a:\n  pip install {{{{A{1}}}}}\n",
        ),
        ("Dockerfile", "FROM a\nENV A0=aaaaaaaaaa\n", "ENV A{1}=$A{0}$A{0}\n", "RUN pip install $A{1}\n"),
        ("a.py", "a0 = 'aaaaaaaaaa'\n", "a{1} = a{0} + a{0}\n", "import os\nos.system('pip install ' + a{1})\n"),
        (
            "tox.ini",
            "[a0]\ndeps =\n    six\n",
            "[a{1}]\ndeps =\n    {{[a{0}]deps}}\n    {{[a{0}]deps}}\n",
            "[testenv]\ndeps = {{[a{1}]deps}}\n",
        ),
    ],
)
def test_what_doubles_with_each_line_has_an_end(path: str, first: str, again: str, last: str) -> None:
    lines = [again.format(number, number + 1) for number in range(40)]
    document = read(path, first + "".join(lines) + last.format(0, 40))
    assert sum(len(entry.text) for entry in document.entries) < 1_000_000
    assert all(len(problem.message) < 100_000 for problem in document.issues)
