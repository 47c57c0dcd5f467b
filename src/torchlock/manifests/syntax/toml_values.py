"""The values of TOML documents: the standard library's parser, with bounds and with errors that name the line."""

from __future__ import annotations

import re
import sys
from typing import Any

from torchlock.errors import InputError
from torchlock.manifests.decoding import decode_utf8
from torchlock.patterns import pattern

# A key with more parts than any table has. Parsers take quadratic time for it.
_DEEPEST = 200
_DEEP_KEY = pattern(
    rf"""(?:^|[{{,\[])[ \t]*(?:(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){{{_DEEPEST}}}"""
)


class TooDeep(ValueError):
    """A document is nested too deeply; ``line`` is where, None if that is unknown."""

    def __init__(self, line: int | None) -> None:
        super().__init__("nested too deeply")
        self.line = line


def loads(text: str) -> dict[str, Any]:
    """The values of a TOML document.

    Raises:
        ValueError: the text is not valid TOML; ``TooDeep`` if it is nested too deeply.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    if text.count(".") >= _DEEPEST:
        for number, line in enumerate(text.split("\n"), 1):
            if line.count(".") >= _DEEPEST and _DEEP_KEY.search(line):
                raise TooDeep(number)
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise TooDeep(_deep_line(text)) from error


def _deep_line(text: str) -> int | None:
    """The line where arrays and inline tables are nested too deeply; None if it is not found."""
    from torchlock.manifests.syntax.toml_tokens import TOKEN

    line, depth = 1, 0
    for token in TOKEN.finditer(text):
        depth += (token.lastgroup == "open") - (token.lastgroup == "close")
        if depth >= _DEEPEST:
            return line
        line += token[0].count("\n")
    return None


def parse_toml(raw: bytes, path: str) -> dict[str, Any]:
    """Parse a TOML document.

    Raises:
        InputError: it is not valid TOML; the error has the line where parsing stopped.
    """
    text = decode_utf8(raw, path)
    try:
        return loads(text)
    except TooDeep as error:
        raise InputError("not valid TOML: nested too deeply", path=path, line=error.line) from error
    except ValueError as error:
        reason, _, where = str(error).partition(" (at ")
        line = re.match(r"line (\d+)", where)
        last = text.rstrip().count("\n") + 1
        raise InputError(
            f"not valid TOML: {reason[:1].lower()}{reason[1:]}",
            path=path,
            line=int(line[1]) if line else last if where else None,
        ) from error
