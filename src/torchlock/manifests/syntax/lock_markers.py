"""Environment markers of lock files, simplified where a part of them is decided.

Lock files put more into markers than PEP 508 has: which extras and groups were asked for (PEP 751's
``'x' in extras``, poetry's ``extra == "x"``, uv's ``extra == 'extra-7-project-x'``). Markers know no *not*, so
what is undecided may hold: a marker that cannot hold with every undecided clause true never holds.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from torchlock.target import PLATFORMS, Platform, PythonVersion, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    Decide = Callable[[str, str, str], bool | None]

_VALUE = r"(?:'[^']*'|\"[^\"]*\"|[A-Za-z_.]+)"
_TOKEN = re.compile(
    rf"\s*(?:([()]|and\b|or\b)|({_VALUE})\s*(===|==|~=|!=|<=|>=|<|>|not\s+in\b|in\b)\s*({_VALUE}))"
)
_MENTIONED = re.compile(r"extra\s*[!=]=\s*['\"]([^'\"]+)|['\"]([^'\"]+)['\"]\s*in\s*(extras|dependency_groups)")
_UV = re.compile(r"(extra|group)-(\d+)-(.+)")
# Deeper than any tool writes, shallower than Python's own limit.
_DEEPEST = 100


def simplified(marker: str, decide: Decide) -> str | None:
    """The marker with the clauses that ``decide`` answers taken out: "" if it holds anyway, None if it never does.

    ``decide`` gets a clause as variable, operator and value (which side is which does not matter to it), and
    returns None for what it does not know. A marker that is none comes back as it is.
    """
    tokens = _tokens(marker)
    if not tokens:
        return marker
    try:
        result, rest = _any_of(tokens, 0, decide, 0)
    except (IndexError, ValueError):
        return marker
    return result if rest == len(tokens) else marker


def with_scopes(active: Collection[str]) -> Decide:
    """What decides clauses on extras and groups, if just these scopes (``extra:x``) were asked for."""

    def decide(left: str, operator: str, right: str) -> bool | None:
        if right in ("extras", "dependency_groups") and operator.endswith("in"):
            there = f"{'extra' if right == 'extras' else 'group'}:{left}" in active
            return there is (operator == "in")
        if left == "extra" and operator in ("==", "!="):
            return (_scope(right) in active) is (operator == "==")
        return None

    return decide


def mentioned(marker: str) -> list[str]:
    """The scopes that a marker speaks of, in the order of writing."""
    found = [
        _scope(extra) if extra else f"{'extra' if kind == 'extras' else 'group'}:{name}"
        for extra, name, kind in _MENTIONED.findall(marker)
    ]
    return list(dict.fromkeys(found))


def placed(marker: str, asked: Collection[str] = ()) -> list[tuple[str, str]]:
    """The scopes that a package with this marker belongs to, each with what is left of the marker.

    ``asked`` are the scopes that are installed without being asked for.
    """
    scopes = mentioned(marker)
    if not scopes:
        return [("", marker)]
    always = simplified(marker, with_scopes(asked))
    if always is not None:
        return [("", always)]
    found = [(scope, simplified(marker, with_scopes([*asked, scope]))) for scope in scopes]
    return [(scope, left) for scope, left in found if left is not None]


def platforms(markers: Iterable[str]) -> tuple[str, ...]:
    """The platforms of ``target.PLATFORMS`` where one of these markers may hold; nothing for every one."""
    markers = [marker for marker in markers if marker]
    if not markers:
        return ()
    found = tuple(
        name for name in PLATFORMS if any(simplified(marker, _on_platform(name)) is not None for marker in markers)
    )
    return () if found == PLATFORMS else found


def either(markers: Iterable[str]) -> str:
    """One marker that holds where any of these does."""
    distinct = list(dict.fromkeys(markers))
    if "" in distinct or not distinct:
        return ""
    return distinct[0] if len(distinct) == 1 else " or ".join(f"({marker})" for marker in distinct)


def both(one: str, other: str) -> str:
    """One marker that holds where both of these do."""
    return f"({one}) and ({other})" if one and other and one != other else one or other


def _on_platform(name: str) -> Decide:
    environment = Target(PythonVersion(3, 11, 0), Platform.parse(name)).environment

    def decide(left: str, operator: str, right: str) -> bool | None:
        if left not in ("sys_platform", "platform_system", "os_name", "platform_machine"):
            return None
        value, other = environment[left], right
        if left == "platform_machine":
            # What one system calls AMD64 is x86_64 to another, and people mix the two.
            value, other = value.lower(), other.lower()
        known = {"==": value == other, "!=": value != other, "in": value in other, "not in": value not in other}
        return known.get(operator)

    return decide


def _scope(extra: str) -> str:
    """The scope that the value of ``extra`` means: a name, or uv's code for an extra or group of a package."""
    coded = _UV.fullmatch(extra)
    if not coded:
        return f"extra:{extra}"
    return f"{coded[1]}:{coded[3][int(coded[2][:4]) + 1 :]}"


@lru_cache(maxsize=4096)
def _tokens(marker: str) -> list[tuple[str, ...]]:
    """``(`` and the like as they are, clauses in three parts; nothing for what is no marker."""
    tokens: list[tuple[str, ...]] = []
    position = 0
    while marker[position:].strip():
        match = _TOKEN.match(marker, position)
        if not match or len(tokens) > 2000:
            return []
        tokens.append((match[1],) if match[1] else (match[2], re.sub(r"\s+", " ", match[3]), match[4]))
        position = match.end()
    return tokens


def _any_of(tokens: list[tuple[str, ...]], at: int, decide: Decide, depth: int) -> tuple[str | None, int]:
    parts: list[str | None] = []
    while True:
        part, at = _all_of(tokens, at, decide, depth)
        parts.append(part)
        if at == len(tokens) or tokens[at] != ("or",):
            break
        at += 1
    kept = [part for part in parts if part is not None]
    if "" in kept:
        return "", at
    return (" or ".join(kept) if kept else None), at


def _all_of(tokens: list[tuple[str, ...]], at: int, decide: Decide, depth: int) -> tuple[str | None, int]:
    parts: list[str | None] = []
    while True:
        part, at = _clause(tokens, at, decide, depth)
        parts.append(part)
        if at == len(tokens) or tokens[at] != ("and",):
            break
        at += 1
    if None in parts:
        return None, at
    kept = [part for part in parts if part]
    return " and ".join(f"({part})" if " or " in part and len(kept) > 1 else part for part in kept), at


def _clause(tokens: list[tuple[str, ...]], at: int, decide: Decide, depth: int) -> tuple[str | None, int]:
    token = tokens[at]
    if token == ("(",) and depth < _DEEPEST:
        inner, at = _any_of(tokens, at + 1, decide, depth + 1)
        if tokens[at] != (")",):
            raise ValueError("a parenthesis is missing")
        return inner, at + 1
    if len(token) != 3:
        raise ValueError(f"{token[0]!r} is no clause")
    left, operator, right = token
    answer = _decided(decide, left, operator, right)
    if answer is None:
        return f"{left} {operator} {right}", at + 1
    return ("" if answer else None), at + 1


def _decided(decide: Decide, left: str, operator: str, right: str) -> bool | None:
    """The clause's answer, its variable put first (``'linux' == sys_platform`` is allowed)."""
    if left[0] in "'\"" and right[0] not in "'\"" and operator in ("==", "!="):
        left, right = right, left
    return decide(left.strip("'\""), operator, right.strip("'\""))
