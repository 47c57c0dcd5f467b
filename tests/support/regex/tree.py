"""A regular expression as a small tree, of what Python's own parser says, over a few letters that stand for all.

Two characters that no part of the pattern tells apart are one: a letter stands for each such class.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

if sys.version_info >= (3, 11):
    from re import _constants as constants
    from re import _parser as parser
else:
    import sre_constants as constants
    import sre_parse as parser

_USUAL = "aZ0_ x-./\\\"'#=!:,@$()[]{}<>\t\n\r~%&*+;^`|\u00e9\u2028\x00"
FOREVER = 1 << 30
_IGNORECASE, _DOTALL, _ASCII, _UNICODE = map(int, (re.IGNORECASE, re.DOTALL, re.ASCII, re.UNICODE))


@dataclass(eq=False)
class Node:
    """A part of a pattern; the kinds are the classes below."""


@dataclass(eq=False)
class Char(Node):
    """One character, out of the letters that it may be."""

    letters: frozenset[str] = frozenset()


@dataclass(eq=False)
class Sequence(Node):
    parts: list[Node] = field(default_factory=list)


@dataclass(eq=False)
class Branch(Node):
    parts: list[Node] = field(default_factory=list)


@dataclass(eq=False)
class Repeat(Node):
    body: Node
    least: int
    most: int
    kind: str = "greedy"  # or lazy, possessive


@dataclass(eq=False)
class Group(Node):
    number: int
    body: Node


@dataclass(eq=False)
class Atomic(Node):
    body: Node


@dataclass(eq=False)
class Reference(Node):
    number: int
    blind: bool  # to the case of letters


@dataclass(eq=False)
class Condition(Node):
    number: int
    yes: Node
    no: Node


@dataclass(eq=False)
class Look(Node):
    body: Node
    ahead: bool
    negative: bool
    width: int


@dataclass(eq=False)
class Anchor(Node):
    kind: str
    flags: int


@dataclass
class Pattern:
    """A whole pattern: its tree, the letters that stand for all characters, and its number of groups."""

    root: Node
    letters: str
    groups: int


def parsed(pattern: str | bytes, flags: int = 0) -> Pattern:
    """The tree of a pattern; a pattern of bytes is one of characters below 256."""
    tree = parser.parse(pattern, flags)  # type: ignore[arg-type]
    reader = _Reader(isinstance(pattern, bytes))
    root = reader.sequence(tree, int(tree.state.flags))
    return Pattern(root, reader.settle(), tree.state.groups)


class _Reader:
    def __init__(self, of_bytes: bool) -> None:
        self._bytes = of_bytes
        self._chars: list[tuple[Char, Any, Any, int]] = []

    def sequence(self, items: Any, flags: int) -> Node:
        parts = [self._node(operator, value, flags) for operator, value in items]
        return parts[0] if len(parts) == 1 else Sequence(parts)

    def settle(self) -> str:
        """Choose the letters, and tell each character of the tree which of them it takes."""
        known: dict[tuple[bool, ...], str] = {}
        alike: dict[str, list[tuple[Char, Any, Any, int]]] = {}
        for each in self._chars:
            alike.setdefault(repr(each[1:]), []).append(each)
        sets = [same[0][1:] for same in alike.values()]
        for letter in dict.fromkeys([*self._candidates()]):
            row = tuple(_takes(operator, value, flags, letter) for operator, value, flags in sets)
            known.setdefault((*row, letter == "\n", letter.isalnum() or letter == "_"), letter)
        for number, same in enumerate(alike.values()):
            taken = frozenset(letter for row, letter in known.items() if row[number])
            for char, *_ in same:
                char.letters = taken
        return "".join(known.values())

    def _candidates(self) -> Iterator[str]:
        of_all = [code for _, operator, value, _ in self._chars for code in _codes(operator, value)]
        usual = [ord(letter) for letter in _USUAL]
        for code in [*usual, *of_all]:
            if 0 <= code < (256 if self._bytes else sys.maxunicode + 1):
                yield chr(code)

    def _node(self, operator: Any, value: Any, flags: int) -> Node:
        name = str(operator)
        if name in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
            char = Char()
            self._chars.append((char, name, value, flags))
            return char
        if name == "BRANCH":
            return Branch([self.sequence(part, flags) for part in value[1]])
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            kind = {"MAX_REPEAT": "greedy", "MIN_REPEAT": "lazy"}.get(name, "possessive")
            most = FOREVER if value[1] is constants.MAXREPEAT else int(value[1])
            return Repeat(self.sequence(value[2], flags), int(value[0]), most, kind)
        if name == "SUBPATTERN":
            number, added, removed, body = value
            inner = self.sequence(body, (flags | added) & ~removed)
            return inner if number is None else Group(number, inner)
        if name == "ATOMIC_GROUP":
            return Atomic(self.sequence(value, flags))
        if name == "GROUPREF":
            return Reference(value, bool(flags & _IGNORECASE))
        if name == "GROUPREF_EXISTS":
            number, yes, no = value
            return Condition(number, self.sequence(yes, flags), self.sequence(no or [], flags))
        if name in ("ASSERT", "ASSERT_NOT"):
            direction, body = value
            width = body.getwidth()[1] if direction < 0 else 0
            return Look(self.sequence(body, flags), direction > 0, name == "ASSERT_NOT", width)
        if name == "AT":
            return Anchor(str(value).removeprefix("AT_"), flags)
        raise NotImplementedError(name)


def _codes(operator: str, value: Any) -> Iterator[int]:
    if operator in ("LITERAL", "NOT_LITERAL"):
        yield value
    elif operator == "IN":
        for inner, what in value:
            if str(inner) == "LITERAL":
                yield what
            elif str(inner) == "RANGE":
                yield from (what[0], what[1], what[0] - 1, what[1] + 1)


def _takes(operator: str, value: Any, flags: int, letter: str) -> bool:
    if operator == "ANY":
        return letter != "\n" or bool(flags & _DOTALL)
    ways = {letter, letter.lower(), letter.upper()} if flags & _IGNORECASE else {letter}
    ways = {way for way in ways if len(way) == 1}
    if operator == "LITERAL":
        return chr(value) in ways
    if operator == "NOT_LITERAL":
        return chr(value) not in ways
    negated = bool(value) and str(value[0][0]) == "NEGATE"
    taken = any(_in_class(str(inner), what, flags, way) for inner, what in value for way in ways)
    return taken != negated


def _in_class(operator: str, value: Any, flags: int, letter: str) -> bool:
    if operator == "LITERAL":
        return ord(letter) == value
    if operator == "RANGE":
        return bool(value[0] <= ord(letter) <= value[1])
    if operator == "CATEGORY":
        return in_category(str(value), flags, letter)
    return False


@cache
def in_category(category: str, flags: int, letter: str) -> bool:
    """Whether a letter is a digit, a space or of a word."""
    plain = bool(flags & _ASCII) or not flags & _UNICODE
    name = category.removeprefix("CATEGORY_")
    if name.startswith("NOT_"):
        return not in_category(name.removeprefix("NOT_"), flags, letter)
    if plain and not letter.isascii():
        return False
    if name == "DIGIT":
        return letter.isdecimal()
    if name == "SPACE":
        return letter in " \t\n\r\f\v" if plain else letter.isspace()
    return letter.isalnum() or letter == "_"
