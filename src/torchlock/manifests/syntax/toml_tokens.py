"""The one scanner of TOML: every string, key and table header with its position, in a valid document or not.

Parsers of TOML give values without positions: tomllib, tomli, tomlkit, and those in other languages.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from torchlock.location import Span
from torchlock.manifests.syntax.toml_values import loads
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = pattern(
    r"""
      (?P<string>  \"{3} (?:[^\\]|\\.)*? \"{3,5} | '{3} .*? '{3,5} | "(?:[^"\\\r\n]|\\.)*" | '[^'\r\n]*' )
    | (?P<open_end> "(?:[^"\\\r\n]|\\.)* | '[^'\r\n]* )
    | (?P<comment> \#[^\n]* )
    | (?P<newline> \n )
    | (?P<open>    [\[{] )
    | (?P<close>   [\]}] )
    | (?P<equals>  = )
    | (?P<comma>   , )
    | (?P<bare>    [^\s\[\]{}"'\#=,]+ )
    """,
    re.VERBOSE | re.DOTALL,
)
# No tool nests tables this deeply, and the scan stays fast.
_DEEPEST = 100
# A line of a table, which cannot be a line of an array.
_HEADER = pattern(r"\[\[?[A-Za-z_][\w.\- \"']*\]\]?[ \t\r]*(?:#.*)?$|[A-Za-z_][\w.-]*[ \t]*=", re.MULTILINE)

Key = str | int
Path = tuple[Key, ...]


class Literal(NamedTuple):
    """A string literal, quotes included, as offsets in the text."""

    path: Path
    start: int
    end: int
    raw: str

    @property
    def content(self) -> Span:
        """The text between the quotes."""
        quotes = 3 if self.raw.startswith(('"""', "'''")) and len(self.raw) >= 6 else 1
        return Span(self.start + quotes, self.end - quotes)


def scan(text: str, *, broken: bool) -> Iterator[Literal | tuple[Path, int]]:
    """Every string literal, and every key and table header, with its offset.

    ``broken``: the document is invalid. Text that is nested too deeply is left out.
    """
    for item in _Scan(text, broken=broken).run():
        if len(item.path if isinstance(item, Literal) else item[0]) <= _DEEPEST:
            yield item


class _Frame:
    """An array or inline table around the current token."""

    def __init__(self, path: Path, bracket: str) -> None:
        self.path = path
        self.array = bracket == "["
        self.count = 0
        self.parts: list[str] = []
        self.key: Path = ()

    def next(self) -> Path:
        """The path of the value that begins here."""
        if not self.array:
            return self.key or self.path
        self.count += 1
        return (*self.path, self.count - 1)


class _Scan:
    """One pass over the tokens of a document."""

    def __init__(self, text: str, *, broken: bool) -> None:
        self._text = text
        self._broken = broken
        self._frames: list[_Frame] = []
        self._arrays: dict[Path, int] = {}
        self._table: Path = ()
        self._key: Path | None = None
        self._parts: list[str] = []
        self._first = 0
        self._header = 0

    def run(self) -> Iterator[Literal | tuple[Path, int]]:
        for token in TOKEN.finditer(self._text):
            if len(self._frames) > _DEEPEST or len(self._parts) > _DEEPEST:
                return
            kind, start = token.lastgroup, token.start()
            if kind == "comment":
                continue
            if kind == "newline":
                self._newline(token.end())
            elif self._frames:
                yield from self._inside(token, kind)
            elif self._key is not None:
                yield from self._value(token, kind, self._key)
            elif self._header:
                yield from self._in_header(token, kind)
            elif kind == "open" and not self._parts:
                self._header = 2 if self._text.startswith("[[", start) else 1
                self._first = start
            elif kind == "equals":
                self._key = (*self._table, *_dotted(self._parts))
                yield self._key, self._first
            elif kind in ("bare", "string"):
                self._first = self._first if self._parts else start
                self._parts.append(token[0])

    def _newline(self, end: int) -> None:
        if self._broken and self._frames and _HEADER.match(self._text, end):
            self._frames = []
        if not self._frames:
            self._key, self._parts, self._header = None, [], 0

    def _in_header(self, token: re.Match[str], kind: str | None) -> Iterator[tuple[Path, int]]:
        if kind in ("bare", "string"):
            self._parts.append(token[0])
        elif kind == "close" and self._parts:
            keys = _dotted(self._parts)
            self._table = self._opened(keys)
            self._parts = []
            yield self._table, self._first

    def _opened(self, keys: tuple[str, ...]) -> Path:
        """The path of a table, with the indexes of the arrays of tables around it."""
        if len(keys) > _DEEPEST:
            return keys
        path: Path = ()
        for position, key in enumerate(keys, 1):
            path = (*path, key)
            if position == len(keys) and self._header == 2:
                self._arrays[path] = self._arrays.get(path, -1) + 1
            if path in self._arrays:
                path = (*path, self._arrays[path])
        return path

    def _inside(self, token: re.Match[str], kind: str | None) -> Iterator[Literal | tuple[Path, int]]:
        frame = self._frames[-1]
        if kind == "close":
            self._frames.pop()
        elif frame.array or frame.key:
            if kind == "comma":
                frame.key, frame.parts = (), []
            else:
                yield from self._value(token, kind, None)
        elif kind == "equals":
            frame.key = (*frame.path, *_dotted(frame.parts))
            yield frame.key, token.start()
        elif kind in ("bare", "string"):
            frame.parts.append(token[0])

    def _value(self, token: re.Match[str], kind: str | None, key: Path | None) -> Iterator[Literal]:
        if kind not in ("open", "string", "bare"):
            return
        path = self._frames[-1].next() if key is None else key
        if kind == "open":
            self._frames.append(_Frame(path, token[0]))
        elif kind == "string" and not (self._broken and self._text[token.end() : token.end() + 1].isalnum()):
            yield Literal(path, token.start(), token.end(), token[0])


def _dotted(parts: list[str]) -> tuple[str, ...]:
    """``["tool.", '"a.b"', ".c"]`` as ``("tool", "a.b", "c")``."""
    keys: list[str] = []
    for part in parts:
        keys += [value_of(part)] if part[0] in "\"'" else filter(None, part.split("."))
    return tuple(keys)


def value_of(literal: str) -> str:
    """The value of a string literal; "" if it is invalid."""
    if literal.startswith(('"""', "'''")) or "\\" in literal:
        with suppress(ValueError):
            value = loads(f"_ = {literal}").get("_")
            return value if isinstance(value, str) else ""
    return literal[1:-1]
