"""Import argparse without gettext, which it looks for translations with.

There are none: torchlock speaks English. To import gettext and to look for catalogues takes as many instructions
as to parse a command line (callgrind).
"""

from __future__ import annotations

import sys
from types import ModuleType


def _gettext() -> ModuleType:
    """What argparse takes from gettext."""
    module = ModuleType("gettext")
    module.__dict__.update(gettext=_same, ngettext=_of_number)
    return module


def _same(text: str) -> str:
    return text


def _of_number(one: str, many: str, number: int) -> str:
    return one if number == 1 else many


if "argparse" not in sys.modules and "gettext" not in sys.modules:
    sys.modules["gettext"] = _gettext()
    try:
        import argparse  # noqa: F401 (it binds the names of gettext when it is imported)
    finally:
        del sys.modules["gettext"]
