"""The values in a setup.py, as far as its text shows them, and the results of joining and changing them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ast
    from collections.abc import Sequence

# No project has more; larger values are not evaluated.
LONGEST = 10_000
# Placeholders in a text.
_LEFT = {"%s": re.compile(r"%[(a-z]"), "{}": re.compile(r"\{[^{}]*\}")}


@dataclass(slots=True)
class Text:
    """A string; ``node`` is its literal, None if the string is computed."""

    value: str
    node: ast.Constant | None = None


@dataclass(slots=True)
class Lines:
    """The lines of a file."""

    name: str


@dataclass(slots=True)
class Items:
    """A list; ``complete`` is false if it may have more items, or fewer."""

    items: list[Text | Lines] = field(default_factory=list)
    complete: bool = True

    def grow(self, added: Value, certain: bool) -> None:
        """Append a value; an uncertain one puts the list in doubt."""
        grown = listed([self, added]) if certain else self
        self.items, self.complete = grown.items, certain and grown.complete


@dataclass(slots=True)
class Table:
    """A dictionary."""

    items: dict[str, Value] = field(default_factory=dict)
    complete: bool = True


Value = Text | Lines | Items | Table | None


def listed(values: Sequence[Value]) -> Items:
    found = Items()
    for value in values:
        if isinstance(value, Text | Lines):
            found.items.append(value)
        elif isinstance(value, Items) and len(found.items) + len(value.items) <= LONGEST:
            found.items += value.items
            found.complete = found.complete and value.complete
        else:
            found.complete = False
    return found


def summed(left: Value, right: Value, certain: bool) -> Value:
    """The sum of two values. A text plus an unknown value is unknown."""
    if isinstance(left, Text) and isinstance(right, Text) and certain:
        long = len(left.value) + len(right.value) > LONGEST
        return None if long else Text(left.value + right.value)
    if (
        any(isinstance(one, Text) for one in (left, right))
        and not isinstance(left, Lines)
        and not isinstance(right, Lines)
    ):
        return None
    return joined(left, right, certain)


def strung(between: str, values: Sequence[Value]) -> Value:
    """The result of ``str.join`` on a list that is fully known."""
    listed = values[0] if len(values) == 1 else None
    if not isinstance(listed, Items) or not listed.complete:
        return None
    texts = [item.value for item in listed.items if isinstance(item, Text)]
    known = len(texts) == len(listed.items) and sum(map(len, texts)) <= LONGEST
    return Text(between.join(texts)) if known else None


def joined(left: Value, right: Value, certain: bool) -> Value:
    """Two lists in one; items added under a condition are left out."""
    if not certain:
        return doubtful(left)
    return None if left is None and right is None else listed([left, right])


def doubtful(known: Value) -> Value:
    """A value that something may change."""
    if isinstance(known, Items):
        return Items(known.items, complete=False)
    if isinstance(known, Table):
        return Table(known.items, complete=False)
    return Items([known], complete=False) if isinstance(known, Text | Lines) else known


def doubt(held: Value) -> None:
    """Put a list or a dictionary in doubt, under all its names."""
    if isinstance(held, Items | Table):
        held.complete = False


def copied(value: Value) -> Value:
    """A copy of a value that can change independently."""
    if isinstance(value, Items):
        return Items([*value.items], value.complete)
    return Table({**value.items}, value.complete) if isinstance(value, Table) else value


def filled(text: str, field: str, values: Sequence[Value]) -> Value:
    for value in values:
        if not isinstance(value, Text) or len(text) + len(value.value) > LONGEST:
            return None
        text = text.replace(field, value.value, 1)
    return None if _LEFT[field].search(text) else Text(text)
