"""Scenarios: files of TOML that say what is asked and what must come out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TESTS = Path(__file__).parents[1]


def scenarios(kind: str) -> pytest.MarkDecorator:
    """A test for each file of ``tests/scenarios/<kind>``, named like the file."""
    paths = sorted((TESTS / "scenarios" / kind).glob("*.toml"))
    assert paths, kind
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)


def read_toml(path: Path, keys: set[str]) -> dict[str, Any]:
    """The content of a file; a key that its runner does not know is an error of the file."""
    found = tomllib.loads(path.read_text(encoding="utf-8"))
    assert found.keys() <= keys, f"unknown keys: {found.keys() - keys}"
    return found
