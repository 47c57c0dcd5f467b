"""A TOML document as values with their positions; of a broken document, the strings that can be read."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from torchlock.errors import InputError
from torchlock.location import Edit, Span
from torchlock.manifests.syntax.toml_tokens import Literal, scan, value_of
from torchlock.manifests.syntax.toml_values import parse_toml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.manifests.syntax.toml_tokens import Key, Path


class Tree:
    """The values of a document (``table``), and the positions of its strings and keys.

    The path of a value: keys, and the indexes of arrays. ``error`` is the parser's error if the document is
    invalid; ``table`` then holds only strings, and none whose key is written twice.
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
            self._locate()

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
        """The keys and values of a table; empty if there is no table."""
        found = self.get(*path)
        return list(found.items()) if isinstance(found, dict) else []

    def array(self, *path: Key) -> list[Any]:
        """The items of an array; empty if there is no array."""
        found = self.get(*path)
        return found if isinstance(found, list) else []

    def string(self, *path: Key) -> str:
        """The string at a path; "" if there is none."""
        found = self.get(*path)
        return found if isinstance(found, str) else ""

    def offset(self, *path: Key) -> int | None:
        """The offset of a value, or of the nearest value that contains it."""
        for length in range(len(path), 0, -1):
            literal = self.literals.get(path[:length])
            if literal is not None:
                return literal.content.start
            if path[:length] in self.keys:
                return self.keys[path[:length]]
        return None

    def line(self, *path: Key) -> int | None:
        """The line of a value, or of the nearest value that contains it."""
        at = self.offset(*path)
        return None if at is None else self._text.count("\n", 0, at) + 1

    def content(self, *path: Key) -> Span | None:
        """The span between the quotes of a string, if the text has it without escapes."""
        literal = self.literals.get(path)
        if literal is None or self._text[slice(*literal.content)] != self.get(*path):
            return None
        return literal.content

    def fix(self) -> Edit | None:
        """The one comma or quote that makes an invalid document valid, if there is one."""
        for edit in self._guesses():
            fixed = self._text[: edit.span.start] + edit.new + self._text[edit.span.end :]
            with suppress(InputError):
                parse_toml(fixed.encode("utf-8", "surrogatepass"), "")
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

    def _locate(self) -> None:
        for item in scan(self._text, broken=False):
            if isinstance(item, Literal):
                self.literals.setdefault(item.path, item)
            else:
                self.keys.setdefault(*item)

    def _rescue(self) -> dict[str, Any]:
        """The strings of an invalid document as a table; a repeated key is left out."""
        root: dict[Key, Any] = {}
        twice: list[Path] = []
        literals: dict[Path, Literal] = {}
        for item in scan(self._text, broken=True):
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
            _put(root, path, value_of(literal.raw))
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
    """Tables whose keys are numbers as lists, with None in gaps."""
    if not isinstance(value, dict):
        return value
    if value and all(isinstance(key, int) for key in value):
        return [_with_lists(value.get(number)) for number in range(max(value) + 1)]
    return {str(key): _with_lists(item) for key, item in value.items()}
