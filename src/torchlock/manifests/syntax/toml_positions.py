"""TOML, and the lines its strings stand on, which TOML parsers do not tell."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from torchlock.errors import InputError
from torchlock.manifests.text import decode_utf8

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(
    r"""
      (?P<string>  \"{3} (?:[^\\]|\\.)*? \"{3,5} | '{3} .*? '{3,5} | "(?:[^"\\\n]|\\.)*" | '[^'\n]*' )
    | (?P<comment> \#[^\n]* )
    | (?P<newline> \n )
    | (?P<open>    [\[{] )
    | (?P<close>   [\]}] )
    | (?P<equals>  = )
    | (?P<bare>    [^\s\[\]{}"'\#=]+ )
    """,
    re.VERBOSE | re.DOTALL,
)


# A key of more parts than any table is deep. Parsers take quadratic time for it.
_DEEPEST = 200
_DEEP_KEY = re.compile(
    rf"""(?:^|[{{,\[])[ \t]*(?:(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){{{_DEEPEST}}}"""
)


class TooDeep(ValueError):
    """A document that is nested deeper than any table is; ``line`` is where, None where that is not known."""

    def __init__(self, line: int | None) -> None:
        super().__init__("nested too deeply")
        self.line = line


def loads(text: str) -> dict[str, Any]:
    """The values of a TOML document.

    Raises:
        ValueError: it is none; ``TooDeep``, which is one, where it is nested too deeply.
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
    """The line where arrays and tables are nested deeper than any are; None where that is not found."""
    line, depth = 1, 0
    for token in _TOKEN.finditer(text):
        depth += (token.lastgroup == "open") - (token.lastgroup == "close")
        if depth >= _DEEPEST:
            return line
        line += token[0].count("\n")
    return None


def parse_toml(raw: bytes, path: str) -> dict[str, Any]:
    """Parse a TOML document.

    Raises:
        InputError: it is none, with the line where parsing stopped.
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


class Places:
    """The lines of a valid TOML document's keys and strings.

    A string is known by its value and by the keys that lead to it.
    """

    def __init__(self, text: str) -> None:
        self._strings: dict[str, list[tuple[tuple[str, ...], int]]] = {}
        self._keys: dict[tuple[str, ...], int] = {}
        for keys, line, literal in _scan(text):
            if literal is None:
                self._keys.setdefault(keys, line)
            else:
                self._strings.setdefault(_value(literal), []).append((keys, line))

    def string(self, value: str, *keys: str) -> int | None:
        """The line of a string under these keys, else that of the keys, else where it stands first."""
        found = self._strings.get(value, [])
        for leading, line in found:
            if leading == keys[: len(leading)]:
                return line
        return self.key(*keys) or (found[0][1] if found else None)

    def key(self, *keys: str) -> int | None:
        """The line of a key or table header, or of the nearest one above it."""
        for length in range(len(keys), 0, -1):
            if keys[:length] in self._keys:
                return self._keys[keys[:length]]
        return None


def _scan(text: str) -> Iterator[tuple[tuple[str, ...], int, str | None]]:
    """Every key (with None) and every string literal, each with the keys that lead to it and its line."""
    line, depth = 1, 0
    where, table, keys = "key", (), ()  # type: str, tuple[str, ...], tuple[str, ...]
    parts: list[str] = []
    for token in _TOKEN.finditer(text):
        kind, literal = token.lastgroup, token[0]
        if kind == "newline" and depth == 0:
            where, parts = "key", []
        elif where == "key" and kind == "open":
            where = "table"
        elif where == "table" and kind == "close":
            where, table = "value", _dotted(parts)
            yield table, line, None
        elif where == "key" and kind == "equals":
            where, keys = "value", (*table, *_dotted(parts))
            yield keys, line, None
        elif where in ("key", "table") and kind in ("bare", "string"):
            parts.append(literal)
        elif kind == "open":
            depth += 1
        elif kind == "close":
            depth -= 1
        elif kind == "string":
            yield keys, line, literal
        line += literal.count("\n")


def _dotted(parts: list[str]) -> tuple[str, ...]:
    """``["tool.", '"a.b"', ".c"]`` as ``("tool", "a.b", "c")``."""
    keys: list[str] = []
    for part in parts:
        keys += [_value(part)] if part[0] in "\"'" else filter(None, part.split("."))
    return tuple(keys)


def _value(literal: str) -> str:
    """What a string literal of a valid document stands for."""
    if literal.startswith(('"""', "'''")) or "\\" in literal:
        value = parse_toml(f"_ = {literal}".encode(), "").get("_")
        return value if isinstance(value, str) else ""
    return literal[1:-1]
