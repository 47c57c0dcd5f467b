"""Notebooks as the audit reads them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.formats import asked, read, rules, stretches
from torchlock.errors import InputError


def cell(source: Any, kind: str = "code") -> dict[str, Any]:
    return {
        "cell_type": kind,
        "metadata": {"source": "x"},
        "outputs": [{"data": {"input": "y"}}],
        "source": source,
    }


def book(*cells: dict[str, Any], indent: int | None = 1) -> str:
    return json.dumps({"cells": list(cells), "metadata": {}, "nbformat": 4}, indent=indent)


@pytest.mark.parametrize(
    "held",
    [
        cell(["import torch\n", "# !pip install torch\n"]),
        cell(["!pip install torch==2.0\n"], "markdown"),
        cell(["!pip install torch==2.0\n"], "raw"),
        cell("text = '''\npip install torch\n'''"),
        cell(["%%writefile install.sh\n", "!pip install torch\n", "pip install torch\n"]),
        cell(["%%html\n", "!pip install torch\n"]),
        cell(["!ls\n", "!echo pip install torch\n", "%timeit x\n"]),
        cell([]),
        {"cell_type": "code"},
    ],
)
def test_cells_that_install_nothing(held: dict[str, Any]) -> None:
    document = read("a.ipynb", book(held))
    assert not document.entries
    assert not document.issues


@pytest.mark.parametrize(
    "source",
    [
        ["!pip install torch==2.0.1\n"],
        "!pip install torch==2.0.1",
        ["import os\n", "  !pip3 install -q torch==2.0.1 | tail -1\n"],
        ["%pip install torch==2.0.1"],
        ["%uv pip install torch==2.0.1"],
        ["!uv pip install --system torch==2.0.1"],
        ['!pip install "torch==2.0.1"'],
        ["!{sys.executable} -m pip install torch==2.0.1"],
        ["out = !pip install torch==2.0.1"],
        ["!pip install \\\n", "  torch==2.0.1"],
        ["%%bash\n", "set -e\n", "pip install torch==2.0.1\n"],
        ["%%capture\n", "!pip install torch==2.0.1\n"],
        ["\u00e9 = '\u2028\\t'\n", "!pip install torch==2.0.1 # \u00e9\n"],
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_the_ways_to_install(source: Any, indent: int | None) -> None:
    document = read("a.ipynb", book(cell("x = 1"), cell(source), indent=indent))
    assert asked(document) == [("torch", "==2.0.1")]
    assert stretches(document) == ["==2.0.1"]


def test_what_python_fills_in_is_unknown() -> None:
    document = read("a.ipynb", book(cell(["!pip install torch=={version} {packages} numpy\n"])))
    assert asked(document) == [("numpy", "")]
    assert [rule for rule, _, _ in rules(document)] == ["TL902", "TL902"]


def test_cells_go_on_from_each_other() -> None:
    document = read("a.ipynb", book(cell("!pip install torch==2.0"), cell("!pip install torch==2.1")))
    assert [(entry.specifier, entry.step) for entry in document.entries] == [("==2.0", 1), ("==2.1", 2)]


def test_the_sheets_of_nbformat_3() -> None:
    text = json.dumps({"worksheets": [{"cells": [{"cell_type": "code", "input": ["!pip install torch==2.0\n"]}]}]})
    assert asked(read("a.ipynb", text)) == [("torch", "==2.0")]


@pytest.mark.parametrize("text", ["[]", "{}", '{"cells": 1}'])
def test_what_is_no_notebook(text: str) -> None:
    with pytest.raises(InputError, match="notebook"):
        read("a.ipynb", text)


HOSTED = [
    {"colab": {"provenance": []}},
    {"kernelspec": {"name": "python3"}, "kaggle": {"accelerator": "gpu"}},
]


@pytest.mark.parametrize("metadata", HOSTED)
def test_a_host_has_a_torch_that_bare_names_leave_alone(metadata: dict[str, Any]) -> None:
    held = json.loads(book(cell("!pip install torch torchaudio>=2 numpy --extra-index-url https://example.org/x")))
    document = read("a.ipynb", json.dumps(held | {"metadata": metadata}))
    assert [(entry.name, bool(entry.url)) for entry in document.entries] == [("torch", True), ("numpy", False)]
    assert document.platforms == ("linux-x86_64",)


@pytest.mark.parametrize("command", ["!pip install torch==2.1.0 torchaudio", "!pip install -U torch torchaudio"])
def test_at_a_host_pins_and_upgrades_count(command: str) -> None:
    held = json.loads(book(cell(command)))
    document = read("a.ipynb", json.dumps(held | {"metadata": HOSTED[0]}))
    assert [entry.name for entry in document.entries] == ["torch", "torchaudio"]
    assert not any(entry.url for entry in document.entries)


def test_any_other_notebook_may_have_no_torch() -> None:
    document = read("a.ipynb", book(cell("!pip install torch torchaudio")))
    assert [(entry.name, entry.url) for entry in document.entries] == [("torch", None), ("torchaudio", None)]
    assert document.platforms == ()
