"""A TOML document as values, each with the place it stands at; what is left of a broken one is rescued."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from torchlock.errors import InputError
from torchlock.location import Edit, Span
from torchlock.manifests.syntax.toml_positions import parse_toml

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(
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
# Deeper than any table is, and not as deep as to take long.
_DEEPEST = 100
# What begins a line of a table and cannot stand in an array.
_HEADER = re.compile(r"\[\[?[A-Za-z_][\w.\- \"']*\]\]?[ \t\r]*(?:#.*)?$|[A-Za-z_][\w.-]*[ \t]*=", re.MULTILINE)

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
        """What stands between the quotes."""
        quotes = 3 if self.raw.startswith(('"""', "'''")) and len(self.raw) >= 6 else 1
        return Span(self.start + quotes, self.end - quotes)


class Tree:
    """The values of a document (``table``) and where their strings and keys stand in the text.

    A value is known by its path: keys, and the indexes of arrays. ``error`` is what the parser says of an
    invalid document; ``table`` then holds the strings that stand plainly under one key or in one array.
    """

    def __init__(self, text: str, path: str) -> None:
        self.error: InputError | None = None
        self.literals: dict[Path, Literal] = {}
        self.keys: dict[Path, int] = {}
        self._text = text
        try:
            self.table = parse_toml(text.encode("utf-8", "surrogatepass"), path)
        except InputError as error:
            self.error = error
            self.table = self._rescue()
        else:
            self._places()

    def get(self, *path: Key) -> Any:
        """The value at a path, else None."""
        found: Any = self.table
        for key in path:
            if isinstance(found, dict):
                found = found.get(str(key))
            elif isinstance(found, list) and isinstance(key, int) and key < len(found):
                found = found[key]
            else:
                return None
        return found

    def items(self, *path: Key) -> list[tuple[str, Any]]:
        """The keys and values of a table, none where there is no table."""
        found = self.get(*path)
        return list(found.items()) if isinstance(found, dict) else []

    def array(self, *path: Key) -> list[Any]:
        """The items of an array, none where there is no array."""
        found = self.get(*path)
        return found if isinstance(found, list) else []

    def string(self, *path: Key) -> str:
        """The string at a path, "" where there is none."""
        found = self.get(*path)
        return found if isinstance(found, str) else ""

    def offset(self, *path: Key) -> int | None:
        """Where a value begins in the text, or the nearest one that holds it."""
        for length in range(len(path), 0, -1):
            literal = self.literals.get(path[:length])
            if literal is not None:
                return literal.content.start
            if path[:length] in self.keys:
                return self.keys[path[:length]]
        return None

    def content(self, *path: Key) -> Span | None:
        """What stands between the quotes of a string, if it is what the string stands for."""
        literal = self.literals.get(path)
        if literal is None or self._text[slice(*literal.content)] != self.get(*path):
            return None
        return literal.content

    def mend(self) -> Edit | None:
        """The one comma or quote that makes an invalid document valid, if there is one."""
        for edit in self._guesses():
            mended = self._text[: edit.span.start] + edit.new + self._text[edit.span.end :]
            with suppress(InputError):
                parse_toml(mended.encode("utf-8", "surrogatepass"), "")
                return edit
        return None

    def _guesses(self) -> Iterator[Edit]:
        if self.error is None or self.error.line is None:
            return
        lines = self._text.splitlines(keepends=True)
        number = self.error.line - 1
        for at in (number - 1, number):
            if not 0 <= at < len(lines):
                continue
            line = lines[at].rstrip()
            end = sum(map(len, lines[:at])) + len(line)
            last = line[-1:]
            if last in "\"'":
                yield Edit(Span(end, end), ",")
            elif last and line.count('"') % 2:
                comma = line.endswith(",")
                yield Edit(Span(end - comma, end), '",') if comma else Edit(Span(end, end), '",')
                yield Edit(Span(end, end), '"')

    def _places(self) -> None:
        for item in _scan(self._text, broken=False):
            if isinstance(item, Literal):
                self.literals.setdefault(item.path, item)
            else:
                self.keys.setdefault(*item)

    def _rescue(self) -> dict[str, Any]:
        """The strings of an invalid document as a table; what stands there twice is left out."""
        root: dict[Key, Any] = {}
        twice: list[Path] = []
        literals: dict[Path, Literal] = {}
        for item in _scan(self._text, broken=True):
            if isinstance(item, Literal):
                literals[item.path] = item
            elif item[0] in self.keys:
                twice.append(item[0])
            else:
                self.keys[item[0]] = item[1]
        dropped = {path[: len(prefix)] for prefix in twice for path in literals if path[: len(prefix)] == prefix}
        for path, literal in literals.items():
            if not path or any(path[:length] in dropped for length in range(1, len(path) + 1)):
                continue
            self.literals[path] = literal
            _put(root, path, _value(literal.raw))
        found: dict[str, Any] = _with_lists(root)
        return found


def _put(root: dict[Key, Any], path: Path, value: str) -> None:
    for key in path[:-1]:
        inner = root.setdefault(key, {})
        if not isinstance(inner, dict):
            return
        root = inner
    root.setdefault(path[-1], value)


def _with_lists(value: Any) -> Any:
    """Tables whose keys are numbers turned into lists, gaps filled with None."""
    if not isinstance(value, dict):
        return value
    if value and all(isinstance(key, int) for key in value):
        return [_with_lists(value.get(number)) for number in range(max(value) + 1)]
    return {str(key): _with_lists(item) for key, item in value.items()}


class _Frame:
    """An array or inline table that the scan is inside of."""

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
        for token in _TOKEN.finditer(self._text):
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
        """The path of a table, with the indexes of the arrays of tables that it lies in."""
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


def _scan(text: str, *, broken: bool) -> Iterator[Literal | tuple[Path, int]]:
    """Every string literal, and every key and table header with its place. ``broken``: expect anything.

    What lies deeper than any table is left out.
    """
    for item in _Scan(text, broken=broken).run():
        if len(item.path if isinstance(item, Literal) else item[0]) <= _DEEPEST:
            yield item


def _dotted(parts: list[str]) -> tuple[str, ...]:
    """``["tool.", '"a.b"', ".c"]`` as ``("tool", "a.b", "c")``."""
    keys: list[str] = []
    for part in parts:
        keys += [_value(part)] if part[0] in "\"'" else filter(None, part.split("."))
    return tuple(keys)


def _value(literal: str) -> str:
    """What a string literal stands for."""
    if literal.startswith(('"""', "'''")) or "\\" in literal:
        with suppress(InputError):
            value = parse_toml(f"_ = {literal}".encode("utf-8", "surrogatepass"), "").get("_")
            return value if isinstance(value, str) else ""
    return literal[1:-1]
