"""Which extras and groups of a project need a package."""

from __future__ import annotations

from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torchlock.solve.lines import UserRequirement
    from torchlock.solve.problem import Problem


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
