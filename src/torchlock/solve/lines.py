"""The lines of the user in the terms of the solver."""

from __future__ import annotations

from torchlock.knowledge.stack import FAMILY
from torchlock.records import NamedTuple
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlock.solve.problem import Need, Problem
    from torchlock.solve.universe import Universe
    from torchlock.terms import ParsedRequirement


class UserRequirement(NamedTuple):
    """One line of the user: a requirement (``roots``), or a constraint (``limits``, name and mask).

    ``fixed``: the line is of a package that stays, so nobody can change it.
    """

    written: ParsedRequirement
    roots: tuple[Need, ...] = ()
    limits: tuple[tuple[str, int], ...] = ()
    fixed: bool = False


def demands(units: Iterable[UserRequirement]) -> tuple[list[Need], dict[str, int]]:
    """The combined roots of some lines, and the mask of allowed candidates for each constrained name."""
    roots: list[Need] = []
    limits: dict[str, int] = {}
    for unit in units:
        roots += unit.roots
        for name, mask in unit.limits:
            limits[name] = limits.get(name, -1) & mask
    return roots, limits


def anchors(universe: Universe, units: Iterable[UserRequirement]) -> Problem:
    """The universe limited to the packages of the user and the torch family, where nearly all conflicts arise."""
    asked = (need.identifier.partition("[")[0] for unit in units for need in unit.roots)
    return universe.anchored({*asked, *FAMILY, *universe.matrix.forbidden_beside(FAMILY)})
