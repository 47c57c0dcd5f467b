"""The known lines of logs, and what they mean by themselves, as patterns that a browser understands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from torchlock.knowledge.registry import meanings, prints

if TYPE_CHECKING:
    from torchlock.knowledge.rules import Matrix

_GROUP = re.compile(r"\(\?P<(\w+)>")
_BACK = re.compile(r"\(\?P=(\w+)\)")


def log_data(matrix: Matrix) -> dict[str, Any]:
    """Signatures in their order (line, line beside, weight, rules), meanings, and the titles of the rules.

    A meaning: rule, line, near, system, what it says, because, fix, command.
    """
    known = [
        [browser_pattern(line), browser_pattern(beside), weight, rules] for line, beside, weight, rules in prints()
    ]
    said = [
        [each.rule, browser_pattern(each.line), browser_pattern(each.near), each.system, each.says, each.because,
         each.fix, each.command]
        for each in meanings()
    ]  # fmt: skip
    named = {rule for row in known for rule in row[3]} | {each.rule for each in meanings()}
    titles = {rule: matrix.title(rule) for rule in sorted(named)}
    return {"prints": known, "meanings": said, "titles": titles}


def browser_pattern(pattern: str) -> str:
    """A pattern of Python as JavaScript writes it: named groups differ."""
    return _BACK.sub(r"\\k<\1>", _GROUP.sub(r"(?<\1>", pattern))
