"""Each finding about what the loader did not find states it, so that a log that names it is explained by it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECK = Path(__file__).parents[1] / "src" / "torchlock" / "check"
RULES = {"TL610", "TL611", "TL612"}
# A note on what is unknown, which says that nothing is lacking; and one whose remedy is that of its package.
OF_NOTHING = {"for_later_macos", "judged"}


def stated(path: Path) -> Iterator[tuple[str, bool]]:
    """The functions of a file that make such a finding, and whether each states what is lacking."""
    text = path.read_text(encoding="utf-8")
    for function in ast.walk(ast.parse(text)) if any(rule in text for rule in RULES) else ():
        if not isinstance(function, ast.FunctionDef) or function.name in OF_NOTHING:
            continue
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "finding":
                rule = call.args[0] if call.args else None
                if isinstance(rule, ast.Constant) and rule.value in RULES:
                    yield function.name, any(keyword.arg == "lacks" for keyword in call.keywords)


FOUND = [(path, *each) for path in sorted(CHECK.rglob("*.py")) for each in stated(path)]
NAMES = [f"{path.stem}-{function}" for path, function, _ in FOUND]


def test_there_are_such_findings() -> None:
    assert len(FOUND) > 12


@pytest.mark.parametrize(
    ("path", "function", "is_stated"), FOUND, ids=lambda each: getattr(each, "stem", str(each))
)
def test_what_is_lacking_is_stated(path: Path, function: str, is_stated: bool) -> None:
    assert is_stated, f"{path.name}: {function}"
