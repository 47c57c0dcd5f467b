"""Which extras and groups of a project need a package, and the markers that say so in a pylock.toml (PEP 751)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torchlock.solve.conflict_core import UserRequirement
    from torchlock.solve.problem import Problem

# The variable of PEP 751 for each kind of scope.
_VARIABLES = {"extra": "extras", "group": "dependency_groups"}


def scopes_of(
    universe: Problem, solution: Mapping[str, int], units: Sequence[UserRequirement]
) -> dict[str, tuple[str, ...]]:
    """The scopes that need a package, by its name; a package that is always needed is not there.

    All scopes are solved together, so a package has one version in all of them.
    """
    scopes = dict.fromkeys(scope for unit in units for scope in unit.written.scopes)
    if not scopes:
        return {}
    always = _reached(universe, solution, [unit for unit in units if not unit.written.scopes])
    found: dict[str, list[str]] = {}
    for scope in scopes:
        own = _reached(universe, solution, [unit for unit in units if scope in unit.written.scopes])
        for name in own - always:
            found.setdefault(name, []).append(scope)
    return {name: tuple(own) for name, own in found.items()}


def _reached(universe: Problem, solution: Mapping[str, int], units: Iterable[UserRequirement]) -> set[str]:
    """The names of the packages that these lines need, with all that those need."""
    waiting = [need.identifier for unit in units for need in unit.roots]
    reached: set[str] = set()
    while waiting:
        identifier = waiting.pop()
        if identifier not in reached:
            reached.add(identifier)
            waiting += [need.identifier for need in universe.needs(identifier, solution[identifier])]
    return {identifier.partition("[")[0] for identifier in reached}


def scope_marker(scopes: Iterable[str]) -> str:
    """The marker that is true if one of these scopes is installed; "" for no scopes, which is always true."""
    parts = [scope.partition(":") for scope in scopes]
    return " or ".join(f"'{normalise(name)}' in {_VARIABLES[kind]}" for kind, _, name in parts)


def names_of(kind: str, scopes: Iterable[str]) -> list[str]:
    """The names of the extras (``extra``) or groups (``group``) among some scopes, normalised."""
    parts = [scope.partition(":") for scope in scopes]
    return list(dict.fromkeys(normalise(name) for each, _, name in parts if each == kind))
