"""The house of the tests: what two test modules need is in ``tests/support``."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
MODULES = sorted(TESTS.glob("test_*.py"))
# Scripts outside of this repository import these names from the folder of the tests.
FOR_OTHERS = {"skeleton.py", "stage.py", "staged.py"}


def imported(path: Path) -> set[str]:
    """The first name of every module that a file imports, at its top or inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
    return found


@pytest.mark.parametrize("path", [*MODULES, *sorted(TESTS.glob("support/**/*.py"))], ids=lambda path: path.stem)
def test_no_file_imports_a_test_module(path: Path) -> None:
    assert not imported(path) & {module.stem for module in MODULES}


def test_no_helper_module_is_outside_of_support() -> None:
    modules = {path.name for path in TESTS.glob("*.py")}
    assert modules == {"conftest.py", *FOR_OTHERS, *(path.name for path in MODULES)}
