"""Arithmetic on environment markers (PEP 508), as texts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.standards.markers import fault_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(r"""[()] | '[^']*' | "[^"]*" | not\s+in\b | [<>=!~]+ | [\w.]+""", re.VERBOSE)
_OPPOSITE = {"==": "!=", "<": ">=", ">": "<=", "in": "not in"}
_OPPOSITE |= {inverse: operator for operator, inverse in _OPPOSITE.items()}
_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]*)['"]""")


def valid(marker: str) -> bool:
    """Whether this is a marker, and has a value."""
    return bool(marker) and not fault_of(marker)


def both(*markers: str) -> str:
    """What holds where all of these do; "" holds everywhere."""
    parts = [marker for marker in dict.fromkeys(markers) if marker]
    return parts[0] if len(parts) == 1 else " and ".join(f"({part})" for part in parts)


def either(*markers: str) -> str:
    """What holds where any of these does; "" holds everywhere."""
    if not all(markers):
        return ""
    parts = list(dict.fromkeys(markers))
    return parts[0] if len(parts) == 1 else " or ".join(f"({part})" for part in parts)


def negated(marker: str) -> str | None:
    """What holds where a valid marker does not; None where no marker says that (``~=`` has no opposite)."""
    try:
        return _any(_tokens(marker))
    except (KeyError, IndexError, RecursionError):
        return None


def part_extra(marker: str) -> tuple[str, str]:
    """A marker of the form ``… and extra == 'name'`` as the extra and the rest; no extra otherwise."""
    clauses = re.split(r"(?<!\s)\s+and\s+", marker) if " or " not in marker and "(" not in marker else [marker]
    found = [match for clause in clauses if (match := _EXTRA.fullmatch(clause.strip()))]
    if len(found) != 1:
        return "", marker
    return found[0][1], " and ".join(clause for clause in clauses if not _EXTRA.fullmatch(clause.strip()))


def _tokens(marker: str) -> list[str]:
    """The tokens in reverse: the next one is the last."""
    return _TOKEN.findall(marker)[::-1]


def _joined(tokens: list[str], word: str) -> Iterator[None]:
    yield
    while tokens and tokens[-1] == word:
        tokens.pop()
        yield


def _any(tokens: list[str]) -> str:
    """The opposite of clauses joined by ``or``: the opposites joined by ``and``."""
    return " and ".join([_all(tokens) for _ in _joined(tokens, "or")])


def _all(tokens: list[str]) -> str:
    parts = [_one(tokens) for _ in _joined(tokens, "and")]
    return parts[0] if len(parts) == 1 else f"({' or '.join(parts)})"


def _one(tokens: list[str]) -> str:
    left = tokens.pop()
    if left == "(":
        inner = _any(tokens)
        tokens.pop()
        return f"({inner})"
    operator, right = " ".join(tokens.pop().split()), tokens.pop()
    return f"{left} {_OPPOSITE[operator]} {right}"
