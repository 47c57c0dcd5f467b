"""Builds a document from TOML: entries from its arrays of requirements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchlock.manifests.builder import DocumentBuilder
from torchlock.manifests.syntax.toml import Tree
from torchlock.records import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from torchlock.errors import InputError
    from torchlock.manifests.document import Entry
    from torchlock.manifests.syntax.toml_tokens import Key

_WORDS = {",": "Put a comma there", '"': "Close the string", '",': "Close the string, and put a comma there"}


def _list_of(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(isinstance(item, kind) for item in value)


# What a key of a tool may hold.
_SHAPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "table": lambda value: isinstance(value, dict),
    "list": lambda value: isinstance(value, list),
    "list of strings": _list_of(str),
    "list of tables": _list_of(dict),
    "string or list of strings": lambda value: isinstance(value, str) or _list_of(str)(value),
}


class TomlBuilder(DocumentBuilder):
    """A document with the values of its text; of invalid TOML, those that can be read."""

    def __init__(self, text: str, path: str, kind: str) -> None:
        super().__init__(text, path, kind)
        self.tree = Tree(text, path)
        error = self.tree.error
        if error is not None:
            fix = self.tree.fix()
            edits = (fix,) if fix else ()
            remedy = _WORDS.get(fix.new, "") if fix else ""
            at = self._line(error.line) if error.line else None
            self.issue("TL501", "error", error.message, at, remedy=remedy, edits=edits)

    def _line(self, number: int) -> int:
        """The first character of a line with content."""
        start = self.offset(number)
        rest = self.text[start:].split("\n", 1)[0]
        return start + len(rest) - len(rest.lstrip())

    def written(self, *path: Key) -> Entry | None:
        """The requirement at a path; None and an issue if the string is invalid."""
        value = self.tree.get(*path)
        if not isinstance(value, str):
            return None
        at, exact = self.tree.offset(*path), self.tree.content(*path)
        return self.requirement(value, at, exact, quiet=self.tree.error is not None)

    def listed(self, *path: Key, scope: str = "", constraint: bool = False) -> list[Entry]:
        """The requirements in the array at a path."""
        found = [self.written(*path, number) for number in range(len(self.tree.array(*path)))]
        return [replace(entry, scope=scope, constraint=constraint) for entry in found if entry is not None]

    def fault(self, message: str, at: int | None, *, error: InputError | None = None) -> None:
        """Record an error of a valid TOML document; an invalid one already has an error."""
        if self.tree.error is None:
            self.issue("TL501", "error", message, at, error=error)

    def shape(self, called: str, *path: Key, audit: bool = True) -> bool:
        """Whether the value at a path has the type that ``called`` names or is missing; else records an error.

        With ``audit`` false only lock refuses it, because other installers do not look at this table.
        """
        value = self.tree.get(*path)
        fits = value is None or _SHAPES[called](value)
        if not fits and self.tree.error is None:
            report = self.fault if audit else self.refuse
            report(f"{'.'.join(map(str, path))}: is not a {called}", self.tree.offset(*path))
        return fits

    def shapes(self, keys: Mapping[str, Iterable[str]], *path: Key, audit: bool = True) -> None:
        """Check the values of the keys of a table; ``keys`` are by what they hold."""
        for called, names in keys.items():
            for name in names:
                self.shape(called, *path, name, audit=audit)

    def strings(self, *path: Key) -> list[tuple[str, int | None]]:
        """The string at a path, or the strings of the array there, each with its place."""
        value = self.tree.get(*path)
        if isinstance(value, str):
            return [(value, self.tree.offset(*path))]
        items = enumerate(self.tree.array(*path))
        return [(item, self.tree.offset(*path, number)) for number, item in items if isinstance(item, str)]
