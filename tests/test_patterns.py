"""No pattern has two ways to match: the steps of each grow as the text does, counted on texts made to fool it."""

from __future__ import annotations

import random
import re
import warnings
from collections.abc import Iterable
from dataclasses import replace
from types import ModuleType

import pytest

from regex_found import Use, uses
from regex_growth import slow
from regex_steps import Matcher
from regex_tree import parsed

# Patterns that are known when the program runs only, by the function that makes them.
MADE: dict[tuple[str, str], list[str]] = {}


def _all(module: ModuleType, name: str) -> Iterable[object]:
    """What a table of a module holds."""
    held = getattr(module, name)
    return [item for value in held.values() for item in value] if isinstance(held, dict) else held


GIVEN = {
    ("src/torchlock/dialects/headers.py", "python_beside: pattern"): lambda _: [
        r"(?:cpython-|python)?(\d+\.\d+)",
        r"python-(\d+\.\d+)",
    ],
    ("src/torchlock/dialects/names.py", "fits: pattern"): lambda module: [
        pattern for content in module._CONTENTS for pattern in (content.pattern, content.too) if pattern
    ],
    ("src/torchlock/dialects/names.py", "unread_by_name: unread.pattern"): lambda module: [
        unread.pattern for unread in module._UNREAD
    ],
    ("src/torchlock/dialects/names.py", "may_hold_requirements: unread.pattern"): lambda module: [],
    ("src/torchlock/dialects/names.py", "_refuse_no_list: pattern"): lambda module: [
        pattern for pattern, _ in module._INSTEAD
    ],
    ("src/torchlock/inspect/loading/imports.py", "_companion: pattern"): lambda module: [
        pattern for opened in module._OPENED.values() for _, pattern, _ in opened
    ],
    ("src/torchlock/read/requirement.py", "_hint: pattern"): lambda module: [
        pattern for pattern, _ in module._MISTAKES
    ],
}
