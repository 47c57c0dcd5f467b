"""Operations on environment markers (PEP 508) as texts: join, negate, simplify.

``standards.markers`` evaluates markers, with ``packaging``. They are parsed here because ``packaging`` has no
public form of a parsed marker, and neither negates nor simplifies one.
"""

from __future__ import annotations

from functools import lru_cache

from torchlock.patterns import pattern
from torchlock.records import NamedTuple
from torchlock.standards.markers import fault_of
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    Decide = Callable[[str, str, str], bool | None]
    Tree: TypeAlias = "Clause | Compound"
    Token = tuple[str, ...]

_VALUE = r"(?:'[^']*'|\"[^\"]*\"|[A-Za-z_.]+)"
_TOKEN = pattern(rf"\s*(?:([()]|and\b|or\b)|({_VALUE})\s*(===|==|~=|!=|<=|>=|<|>|not\s+in\b|in\b)\s*({_VALUE}))")
_OPPOSITE = {"==": "!=", "<": ">=", ">": "<=", "in": "not in", "and": "or"}
_OPPOSITE |= {inverse: operator for operator, inverse in _OPPOSITE.items()}
# Deeper than any tool writes, shallower than Python's own limit; and the longest marker that is parsed.
_DEEPEST, _LONGEST = 100, 2000


class Clause(NamedTuple):
    """A comparison, its sides as written."""

    left: str
    operator: str
    right: str

    def compared(self) -> tuple[str, str, str]:
        """Variable, operator and value without quotes, the variable first. (``'nt' == os_name`` is allowed.)"""
        left, operator, right = self
        if left[0] in "'\"" and right[0] not in "'\"" and operator in ("==", "!="):
            left, right = right, left
        return left.strip("'\""), operator, right.strip("'\"")


class Compound(NamedTuple):
    """Two or more markers joined by ``word``: "and" or "or". No part is a compound of the same word."""

    word: str
    parts: tuple[Tree, ...]


def valid(marker: str) -> bool:
    """Whether this is a marker that can be evaluated."""
    return bool(marker) and not fault_of(marker)


def both(*markers: str) -> str:
    """A marker that is true if all of these are; "" is always true."""
    parts = [marker for marker in dict.fromkeys(markers) if marker]
    return parts[0] if len(parts) == 1 else " and ".join(f"({part})" for part in parts)


def either(*markers: str) -> str:
    """A marker that is true if any of these is."""
    if not all(markers):
        return ""
    parts = list(dict.fromkeys(markers))
    return parts[0] if len(parts) == 1 else " or ".join(f"({part})" for part in parts)


def negated(marker: str) -> str | None:
    """A marker that is true if this one is false; None if no marker expresses that (``~=`` has no opposite)."""
    tree = _parsed(marker)
    try:
        return _text(_opposite(tree)) if tree else None
    except KeyError:
        return None


def simplified(marker: str, decide: Decide) -> str | None:
    """The marker without the clauses that ``decide`` answers: "" if it is always true, None if never.

    ``decide`` gets the variable, the operator and the value of a clause, and returns None for an unknown answer. A
    text that is not a marker is returned as it is.
    """
    tree = _parsed(marker)
    if tree is None:
        return marker
    reduced = _reduced(tree, decide)
    if isinstance(reduced, bool):
        return "" if reduced else None
    return _text(reduced)


def comparisons(marker: str) -> Iterator[tuple[str, str, str]]:
    """The variable, operator and value of each clause, in the order of writing."""
    tree = _parsed(marker)
    return _clauses(tree) if tree else iter(())


def split_extra(marker: str) -> tuple[str, str]:
    """Split a marker ``… and extra == 'name'`` into the extra and the rest; no extra in other markers."""
    tree = _parsed(marker)
    parts = tree.parts if isinstance(tree, Compound) and tree.word == "and" else (tree,)
    found = [part for part in parts if isinstance(part, Clause) and part[:2] == ("extra", "==")]
    if len(found) != 1:
        return "", marker
    rest = tuple(part for part in parts if part and part is not found[0])
    return found[0].right.strip("'\""), _text(_compound("and", rest)) if rest else ""


@lru_cache(maxsize=4096)
def _parsed(marker: str) -> Tree | None:
    """The tree of a marker; None if the text is not a marker, or nested too deeply."""
    tokens = _tokens(marker)
    try:
        tree, end = _joined(tokens, 0, 0, "or")
    except (IndexError, ValueError):
        return None
    return tree if end == len(tokens) else None


def _tokens(marker: str) -> list[Token]:
    """Parentheses and words as they are, clauses in three parts; empty if the text is not a marker."""
    tokens: list[Token] = []
    position, end = 0, len(marker.rstrip())
    while position < end:
        match = _TOKEN.match(marker, position)
        if not match or len(tokens) > _LONGEST:
            return []
        tokens.append((match[1],) if match[1] else (match[2], " ".join(match[3].split()), match[4]))
        position = match.end()
    return tokens


def _joined(tokens: list[Token], at: int, depth: int, word: str) -> tuple[Tree, int]:
    """Markers joined by ``or``, each of them clauses joined by ``and``; and the index of the next token."""
    parts: list[Tree] = []
    while True:
        part, at = _joined(tokens, at, depth, "and") if word == "or" else _single(tokens, at, depth)
        parts.append(part)
        if at == len(tokens) or tokens[at] != (word,):
            return _compound(word, tuple(parts)), at
        at += 1


def _single(tokens: list[Token], at: int, depth: int) -> tuple[Tree, int]:
    token = tokens[at]
    if token == ("(",) and depth < _DEEPEST:
        inner, at = _joined(tokens, at + 1, depth + 1, "or")
        if tokens[at] != (")",):
            raise ValueError("a parenthesis is missing")
        return inner, at + 1
    if len(token) != 3:
        raise ValueError(f"{token[0]!r} is not a clause")
    return Clause(*token), at + 1


def _compound(word: str, parts: tuple[Tree, ...]) -> Tree:
    if len(parts) == 1:
        return parts[0]
    flat = [part.parts if isinstance(part, Compound) and part.word == word else (part,) for part in parts]
    return Compound(word, tuple(part for several in flat for part in several))


def _opposite(tree: Tree) -> Tree:
    if isinstance(tree, Clause):
        return tree._replace(operator=_OPPOSITE[tree.operator])
    return Compound(_OPPOSITE[tree.word], tuple(map(_opposite, tree.parts)))


def _reduced(tree: Tree, decide: Decide) -> Tree | bool:
    """The rest of a marker, or its answer. One true part decides an "or", one false part an "and"."""
    if isinstance(tree, Clause):
        answer = decide(*tree.compared())
        return tree if answer is None else answer
    parts = [_reduced(part, decide) for part in tree.parts]
    decisive = tree.word == "or"
    if any(part is decisive for part in parts):
        return decisive
    rest = tuple(part for part in parts if not isinstance(part, bool))
    return _compound(tree.word, rest) if rest else not decisive


def _clauses(tree: Tree) -> Iterator[tuple[str, str, str]]:
    if isinstance(tree, Clause):
        yield tree.compared()
    else:
        for part in tree.parts:
            yield from _clauses(part)


def _text(tree: Tree) -> str:
    if isinstance(tree, Clause):
        return " ".join(tree)
    grouped = tree.word == "and"
    return f" {tree.word} ".join(
        f"({_text(part)})" if grouped and isinstance(part, Compound) else _text(part) for part in tree.parts
    )
