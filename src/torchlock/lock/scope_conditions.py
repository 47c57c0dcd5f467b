"""Markers of a pylock.toml on extras and groups, also on those that exclude each other.

A lock with exclusive extras is solved once for each *choice*: of every exclusive set one scope, or none. A choice
holds in an installation that names its scopes, and of a set from which it takes none, no scope at all. If an
installation names two scopes of one set, both choices hold, so the packages in which they differ are there twice.
Installers refuse that (PEP 751): no package is left out in silence.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from torchlock.manifests.syntax.lock_markers import scope_marker

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

# Above this number of scopes in one condition, its marker is correct and not the shortest.
_MOST = 10


class Choice(NamedTuple):
    """One scope or none of each exclusive set. ``scopes`` are the chosen ones, ``sets`` all exclusive sets."""

    scopes: tuple[str, ...]
    sets: tuple[tuple[str, ...], ...]


class Condition(NamedTuple):
    """A package is needed where a choice holds and one of ``scopes`` is named; without any, wherever it holds."""

    choice: Choice
    scopes: tuple[str, ...]


# A product of literals: the scopes that are named, and those that are not.
_Term = tuple[frozenset[str], frozenset[str]]


def choices(selected: Collection[str], sets: Iterable[Sequence[str]]) -> list[Choice]:
    """Every choice among selected scopes, the fullest first; empty if no two of them exclude each other."""
    found = [tuple(scope for scope in each if scope in selected) for each in sets]
    exclusive = tuple(dict.fromkeys(each for each in found if len(each) > 1))
    if not exclusive:
        return []
    taken = (tuple(dict.fromkeys(filter(None, each))) for each in product(*((*each, "") for each in exclusive)))
    valid = (each for each in taken if all(len({*each}.intersection(one)) <= 1 for one in exclusive))
    return [Choice(each, exclusive) for each in sorted(dict.fromkeys(valid), key=lambda each: -len(each))]


def condition_marker(conditions: Collection[Condition]) -> str:
    """The shortest marker that is true where one of these conditions holds; "" if that is everywhere.

    Raises:
        ValueError: it is nowhere.
    """
    terms = {term for condition in conditions for term in _terms(condition)}
    if not terms:
        raise ValueError("a marker that is never true")
    named = sorted({scope for term in terms for part in term for scope in part})
    if len(named) <= _MOST:
        terms = _shortest(terms, named)
    if (frozenset(), frozenset()) in terms:
        return ""
    written = sorted((_text(term) for term in terms), key=lambda text: (len(text), text))
    joined = [f"({text})" if " and " in text and len(written) > 1 else text for text in written]
    return " or ".join(joined)


def _terms(condition: Condition) -> list[_Term]:
    """A condition as a sum of products."""
    chosen = condition.choice.scopes
    named = frozenset(chosen)
    absent = frozenset(scope for each in condition.choice.sets if named.isdisjoint(each) for scope in each)
    return [
        (named | {scope}, absent) if scope else (named, absent)
        for scope in (condition.scopes or ("",))
        if scope not in absent
    ]


def _text(term: _Term) -> str:
    named, absent = term
    return " and ".join([*(scope_marker([scope]) for scope in sorted(named)), *map(_negated, sorted(absent))])


def _negated(scope: str) -> str:
    return scope_marker([scope]).replace(" in ", " not in ")


def _shortest(terms: Collection[_Term], named: Sequence[str]) -> set[_Term]:
    """The fewest products that are true in the same cases: of all prime ones, those that cover most first."""
    cases = {
        frozenset(case)
        for bits in product((False, True), repeat=len(named))
        if any(
            _holds(term, case := {scope for scope, bit in zip(named, bits, strict=True) if bit}) for term in terms
        )
    }
    if len(cases) == 2 ** len(named):
        return {(frozenset(), frozenset())}
    primes = sorted(_primes({(case, frozenset(named) - case) for case in cases}), key=_order)
    found: set[_Term] = set()
    left = set(cases)
    while left:
        best = max(primes, key=lambda term: sum(_holds(term, case) for case in left))
        found.add(best)
        left = {case for case in left if not _holds(best, case)}
    for term in sorted(found, key=_order, reverse=True):
        others = found - {term}
        if all(any(_holds(each, case) for each in others) for case in cases):
            found = others
    return found


def _holds(term: _Term, case: Collection[str]) -> bool:
    return term[0].issubset(case) and term[1].isdisjoint(case)


def _order(term: _Term) -> tuple[int, list[str], list[str]]:
    return len(term[0]) + len(term[1]), sorted(term[0]), sorted(term[1])


def _primes(terms: set[_Term]) -> set[_Term]:
    """The products that cannot lose a literal, made by joining two that differ in one (Quine and McCluskey)."""
    found: set[_Term] = set()
    while terms:
        joined, used = set(), set()
        for named, absent in terms:
            for scope in named:
                other = named - {scope}, absent | {scope}
                if other in terms:
                    joined.add((named - {scope}, absent))
                    used |= {(named, absent), other}
        found |= terms - used
        terms = joined
    return found
