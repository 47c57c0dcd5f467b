"""Scopes and platforms in the markers of lock files.

Lock files extend the markers of PEP 508 with the requested extras and groups (PEP 751's ``'x' in extras``,
poetry's ``extra == "x"``, uv's ``extra == 'extra-7-project-x'``). An undecided clause may be true: a marker that
is false even if every undecided clause is true is never true.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.manifests.syntax.markers import comparisons, simplified
from torchlock.patterns import pattern
from torchlock.standards.names import normalise
from torchlock.target import PLATFORMS, Platform, PythonVersion, Target

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from torchlock.manifests.syntax.markers import Decide

_UV = pattern(r"(extra|group)-(\d+)-(.+)")
# The variable of PEP 751 for each kind of scope.
_VARIABLES = {"extra": "extras", "group": "dependency_groups"}


def with_scopes(active: Collection[str]) -> Decide:
    """A function that decides clauses on extras and groups, if only these scopes (``extra:x``) are requested."""

    def decide(left: str, operator: str, right: str) -> bool | None:
        if right in ("extras", "dependency_groups") and operator.endswith("in"):
            there = f"{'extra' if right == 'extras' else 'group'}:{left}" in active
            return there is (operator == "in")
        if left == "extra" and operator in ("==", "!="):
            return (_scope(right) in active) is (operator == "==")
        return None

    return decide


def mentioned(marker: str) -> list[str]:
    """The scopes that a marker names, in the order of writing."""
    found: dict[str, None] = {}
    for left, operator, right in comparisons(marker):
        if right in ("extras", "dependency_groups") and operator.endswith("in"):
            found[f"{'extra' if right == 'extras' else 'group'}:{left}"] = None
        elif left == "extra" and operator in ("==", "!="):
            found[_scope(right)] = None
    return list(found)


def by_scope(marker: str, asked: Collection[str] = ()) -> list[tuple[str, str]]:
    """The scopes that a package with this marker belongs to, each with the rest of the marker.

    ``asked`` are the scopes that are always installed. A package that only several scopes together need has all of
    them, joined by ``+``.
    """
    scopes = mentioned(marker)
    if not scopes:
        return [("", marker)]
    always = simplified(marker, with_scopes(asked))
    if always is not None:
        return [("", always)]
    found = [(scope, simplified(marker, with_scopes([*asked, scope]))) for scope in scopes]
    alone = [(scope, left) for scope, left in found if left is not None]
    if alone:
        return alone
    together = simplified(marker, with_scopes([*asked, *(named := _named_in(marker))]))
    return [] if together is None or len(named) < 2 else [("+".join(named), together)]


def excluded_by(marker: str, asked: Collection[str]) -> tuple[str, ...]:
    """The scopes with which a package with this marker is not installed, if these others are."""
    others = [scope for scope in mentioned(marker) if scope not in asked]
    return tuple(scope for scope in others if simplified(marker, with_scopes([*asked, scope])) is None)


def _named_in(marker: str) -> list[str]:
    """The scopes that a marker wants, and not those that it excludes."""
    excluded = {left for left, operator, _ in comparisons(marker) if operator.startswith(("not", "!"))}
    return [scope for scope in mentioned(marker) if scope.partition(":")[2] not in excluded]


def scope_marker(scopes: Iterable[str]) -> str:
    """The marker that is true if one of these scopes is installed; "" for no scopes, which is always true."""
    parts = [scope.partition(":") for scope in scopes]
    return " or ".join(f"'{normalise(name)}' in {_VARIABLES[kind]}" for kind, _, name in parts)


def names_of(kind: str, scopes: Iterable[str]) -> list[str]:
    """The names of the extras (``extra``) or groups (``group``) among some scopes, normalised."""
    parts = [scope.partition(":") for scope in scopes]
    return list(dict.fromkeys(normalise(name) for each, _, name in parts if each == kind))


def platforms(markers: Iterable[str]) -> tuple[str, ...]:
    """The platforms of ``target.PLATFORMS`` on which one of these markers may be true; empty for all platforms."""
    markers = [marker for marker in markers if marker]
    if not markers:
        return ()
    found = tuple(
        name for name in PLATFORMS if any(simplified(marker, _on_platform(name)) is not None for marker in markers)
    )
    return () if found == PLATFORMS else found


def _on_platform(name: str) -> Decide:
    environment = Target(PythonVersion(3, 11, 0), Platform.parse(name)).environment

    def decide(left: str, operator: str, right: str) -> bool | None:
        if left not in ("sys_platform", "platform_system", "os_name", "platform_machine"):
            return None
        value, other = environment[left], right
        if left == "platform_machine":
            # One system says AMD64 where another says x86_64, and people mix the two.
            value, other = value.lower(), other.lower()
        known = {"==": value == other, "!=": value != other, "in": value in other, "not in": value not in other}
        return known.get(operator)

    return decide


def _scope(extra: str) -> str:
    """The scope in a value of ``extra``: a name, or uv's code for an extra or group of a package."""
    coded = _UV.fullmatch(extra)
    if not coded:
        return f"extra:{extra}"
    return f"{coded[1]}:{coded[3][int(coded[2][:4]) + 1 :]}"
