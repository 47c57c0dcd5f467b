"""A TOML document: values by their keys; a value of the wrong type is refused with its position."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from torchlock.errors import InputError
from torchlock.manifests.syntax.requirement import parse_requirement
from torchlock.manifests.syntax.toml_tokens import Literal, scan, value_of
from torchlock.terms import Origin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.terms import ParsedRequirement


class Places:
    """The lines of a valid document's keys and strings, by the keys that lead to them."""

    def __init__(self, text: str) -> None:
        self._strings: dict[str, list[tuple[tuple[str, ...], int]]] = {}
        self._keys: dict[tuple[str, ...], int] = {}
        line = at = 0
        for item in scan(text, broken=False):
            path, start = (item.path, item.start) if isinstance(item, Literal) else item
            line, at = line + text.count("\n", at, start), max(at, start)
            keys = tuple(key for key in path if isinstance(key, str))
            if isinstance(item, Literal):
                self._strings.setdefault(value_of(item.raw), []).append((keys, line + 1))
            else:
                self._keys.setdefault(keys, line + 1)

    def string(self, value: str, *keys: str) -> int | None:
        """The line of a string under these keys, else of the keys, else of its first occurrence."""
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


class Table:
    """One document, and the file that it stands in; ``first`` is the line of the file before its own first."""

    def __init__(self, table: dict[str, Any], text: str, path: str, first: int = 0) -> None:
        self.path = path
        self._table = table
        self._text = text
        self._first = first

    @cached_property
    def _places(self) -> Places:
        return Places(self._text)

    def get(self, *keys: str) -> Any:
        """What these keys lead to, else None.

        Raises:
            InputError: one of them leads to something that is not a table.
        """
        found: Any = self._table
        for depth, key in enumerate(keys):
            if not isinstance(found, dict):
                raise self.wrong("is not a table", *keys[:depth])
            found = found.get(key)
            if found is None:
                return None
        return found

    def has(self, *keys: str) -> bool:
        """Whether the keys lead to anything but an empty value."""
        return bool(self.get(*keys))

    def subtable(self, *keys: str) -> dict[str, Any]:
        """The table there, an empty one for none.

        Raises:
            InputError: it is not a table.
        """
        return self._typed(dict, "is not a table", *keys) or {}

    def array(self, *keys: str) -> list[Any]:
        """The list there, an empty one for none.

        Raises:
            InputError: it is no list.
        """
        return self._typed(list, "is not a list", *keys) or []

    def tables(self, *keys: str) -> Iterator[dict[str, Any]]:
        """The tables in the list there.

        Raises:
            InputError: it is no list of tables.
        """
        for item in self.array(*keys):
            if not isinstance(item, dict):
                raise self.wrong("is not a list of tables", *keys)
            yield item

    def text(self, *keys: str) -> str | None:
        """The string there.

        Raises:
            InputError: it is no string.
        """
        found: str | None = self._typed(str, "is not a string", *keys)
        return found

    def texts(self, *keys: str) -> list[str]:
        """The string there, or the strings in the list there.

        Raises:
            InputError: it is neither.
        """
        found = self.get(*keys)
        if isinstance(found, str):
            return [found]
        items = self.array(*keys)
        if not all(isinstance(item, str) for item in items):
            raise self.wrong("is not a list of strings", *keys)
        return items

    def requirements(self, *keys: str) -> list[ParsedRequirement]:
        """The requirements in the list there.

        Raises:
            InputError: an item is none.
        """
        return [self.requirement(item, *keys) for item in self.array(*keys)]

    def requirement(self, item: object, *keys: str) -> ParsedRequirement:
        """A string of the list at these keys as a requirement.

        Raises:
            InputError: it is none.
        """
        if not isinstance(item, str):
            raise self.wrong(f"{item!r} is not a requirement", *keys)
        return parse_requirement(item, self.origin(item, *keys))

    def origin(self, text: str, *keys: str) -> Origin:
        """Where a string at these keys stands."""
        return Origin(self.path, self._counted(self._places.string(text, *keys)), text)

    def line(self, *keys: str) -> int | None:
        """The line of these keys."""
        return self._counted(self._places.key(*keys))

    def place(self, *keys: str) -> str:
        """The place of these keys, to begin a note with."""
        line = self.line(*keys)
        return self.path if line is None else f"{self.path}:{line}"

    def wrong(self, message: str, *keys: str, hint: str | None = None) -> InputError:
        """What is wrong with the value at these keys."""
        return InputError(f"{'.'.join(keys)}: {message}", path=self.path, line=self.line(*keys), hint=hint)

    def _typed(self, kind: type, message: str, *keys: str) -> Any:
        found = self.get(*keys)
        if found is not None and not isinstance(found, kind):
            raise self.wrong(message, *keys)
        return found

    def _counted(self, line: int | None) -> int | None:
        return self._first + line if line is not None else self._first or None
