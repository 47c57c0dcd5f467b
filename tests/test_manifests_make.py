"""Makefiles and justfiles as the audit reads them."""

from __future__ import annotations

import pytest

from support.formats import asked, read, rules, scopes, stretches


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# pip install torch\nall:\n\t# pip install torch\n",
        "TORCH = pip install torch\n",
        "all: build\nbuild:\n\t$(CC) -o x x.c\n\t@echo pip install torch\n",
        "define X\npip install torch\nendef\n",
    ],
)
def test_a_makefile_that_installs_nothing(text: str) -> None:
    document = read("Makefile", text)
    assert not document.entries
    assert not document.issues


@pytest.mark.parametrize(
    "recipe",
    [
        "pip install torch==2.0.1",
        "@pip install torch==2.0.1",
        "-@ $(PIP) install torch==2.0.1",
        "$(PYTHON) -m pip install torch==2.0.1",
        ". .venv/bin/activate; .venv/bin/pip install 'torch==2.0.1'",
        "$(VENV)/bin/python -m pip install \\\n\t    torch==2.0.1",
        "cd x && uv pip install torch==2.0.1",
    ],
)
def test_the_ways_to_install(recipe: str) -> None:
    document = read("Makefile", f".PHONY: install\ninstall: x.txt | y\n\t{recipe}\n")
    assert asked(document) == [("torch", "==2.0.1")]
    assert stretches(document) == ["==2.0.1"]
    assert scopes(document) == {"": ["torch"]}


def test_a_recipe_behind_a_semicolon() -> None:
    assert asked(read("Makefile", "install: ; pip install torch==2.0.1\n")) == [("torch", "==2.0.1")]


def test_variables() -> None:
    text = (
        "V := 2.0.1\nW ?= $(shell date)\nifeq ($(X),1)\nV2 = 1\nelse\nV2 = 2\nendif\n"
        "install:\n\tpip install torch==$(V) torchaudio==${V} numpy==$(W) x==$(V2)\n\tY=3; pip install y==$$Y\n"
    )
    document = read("Makefile", text)
    assert asked(document) == [("torch", "==2.0.1"), ("torchaudio", "==2.0.1"), ("y", "==3")]
    assert rules(document) == [("TL902", "note", 9), ("TL902", "note", 9)]


def test_targets_are_apart_but_for_those_that_one_needs() -> None:
    text = (
        "cpu: base\n\tpip install torch==1\ngpu: base\n\tpip install torch==2\nbase:\n\tpip install numpy==1\n"
        "lint:\n\tpip install black\n"
    )
    assert scopes(read("Makefile", text)) == {
        "group:cpu": ["torch", "numpy"],
        "group:gpu": ["torch", "numpy"],
        "group:lint": ["black"],
    }


def test_a_justfile() -> None:
    text = (
        'v := "2.0.1"\n\ninstall target="x": other\n    @pip install torch=={{v}} torchaudio=={{target}} numpy<2\n'
        "other:\n    #!/usr/bin/env python\n    pip install scipy\n"
    )
    document = read("justfile", text)
    assert asked(document) == [("torch", "==2.0.1"), ("numpy", "")]
    assert rules(document) == [("TL501", "error", 4), ("TL902", "note", 4)]
