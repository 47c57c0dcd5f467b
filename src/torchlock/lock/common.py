"""Versions that the targets of one lock have in common: ``--fork fewest``.

Each target is solved by itself first, and it always has a lock then: a version of another target is a wish, and
is not taken if anything that the target needs forbids it. The targets that can go least far are asked first,
because the others can follow them more often than the reverse.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from torchlock.knowledge.masks import bits
from torchlock.knowledge.stack import FAMILY
from torchlock.lock.preferences import pinned
from torchlock.solve.lines import demands
from torchlock.solve.problem import violations
from torchlock.solve.walk import walk_or_run
from torchlock.standards.ordering import parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
    from typing import TypeAlias

    from packaging.version import Version

    from torchlock.lock.model import Lock, Options
    from torchlock.solve.lines import UserRequirement
    from torchlock.solve.problem import Solution
    from torchlock.solve.universe import Universe

    Versions: TypeAlias = Mapping[str, Version]
    Family: TypeAlias = tuple[tuple[str, Version], ...]

# Rounds after the first one. Each must leave fewer versions than there were.
_MOST_ROUNDS = 3
# The most sets of the torch family that are tried for one target.
_MOST_FAMILIES = 4


class Cell:
    """One target: the newest versions that it can have, and the lock that it has; a ``group`` shares versions."""

    def __init__(self, group: Hashable, newest: Versions, now: Lock) -> None:
        self.group = group
        self.newest = newest
        self.now = now
        self.versions = versions_of(now)


def share_versions(
    locks: Sequence[Lock],
    again: Callable[[int, Sequence[Mapping[str, str]]], Lock],
    group_of: Callable[[Lock], Hashable],
) -> list[Lock]:
    """The locks of some targets with few versions; targets of one group share them.

    ``again`` locks the target with this index again, with the first of some sets of versions that works there.
    The result does not depend on the order of the targets, except that equal ones are asked in that order.
    """
    cells = [Cell(group_of(lock), versions_of(lock), lock) for lock in locks]
    order = _least_far_first(cells)
    done: dict[Hashable, list[int]] = {}
    for index in order:
        earlier = done.setdefault(cells[index].group, [])
        cells[index] = _followed(cells[index], index, [cells[each] for each in earlier], again, _newest_used)
        earlier.append(index)
    for _ in range(_MOST_ROUNDS):
        tried = list(cells)
        for index in order:
            group = [each for each in tried if each.group == tried[index].group]
            tried[index] = _followed(tried[index], index, group, again, _most_used)
        if _count(tried) >= _count(cells):
            break
        cells = tried
    return [cell.now for cell in cells]


def _followed(
    cell: Cell,
    index: int,
    others: Sequence[Cell],
    again: Callable[[int, Sequence[Mapping[str, str]]], Lock],
    choose: Callable[[Mapping[Version, int], Version], Version | None],
) -> Cell:
    """The cell with versions of others, where it can have them; unchanged if it has them already."""
    newest, now = cell.newest, cell.versions
    used: dict[str, dict[Version, int]] = {}
    families: Counter[Family] = Counter()
    for other in others:
        for name, version in other.versions.items():
            if name in newest:
                counts = used.setdefault(name, {})
                counts[version] = counts.get(version, 0) + 1
        families[_family(other.versions)] += 1
    wishes: dict[str, Version] = {}
    for name, own in newest.items():
        if name in used and (chosen := choose(used[name], own)) is not None:
            wishes[name] = chosen
    sets = [{**wishes, **dict(family)} for family in _possible(families, newest, choose is _most_used)]
    sets.append({**wishes, **{name: version for name, version in now.items() if name in FAMILY}})
    if any(all(now.get(name, version) == version for name, version in each.items()) for each in sets[:1]):
        return cell
    public = [{name: version.public for name, version in each.items()} for each in sets]
    return Cell(cell.group, newest, again(index, public))


def _family(versions: Mapping[str, Version]) -> Family:
    return tuple(sorted((name, version) for name, version in versions.items() if name in FAMILY))


def _possible(families: Counter[Family], newest: Mapping[str, Version], by_use: bool) -> list[Family]:
    """The sets of the torch family that other targets have, none newer than what this target can have."""
    possible = [
        family
        for family in families
        if all(name not in newest or version <= newest[name] for name, version in family)
    ]
    possible.sort(key=lambda family: (families[family] if by_use else 0, family), reverse=True)
    return possible[:_MOST_FAMILIES]


def _newest_used(used: Mapping[Version, int], newest: Version) -> Version | None:
    """The newest version that other targets use, not newer than the one that this target can have."""
    return max((version for version in used if version <= newest), default=None)


def _most_used(used: Mapping[Version, int], newest: Version) -> Version | None:
    """The version that most targets use, not newer than the one that this target can have."""
    possible = [version for version in used if version <= newest]
    return max(possible, key=lambda version: (used[version], version), default=None)


def _least_far_first(cells: Sequence[Cell]) -> list[int]:
    """The indexes of the targets: those whose newest versions are oldest come first."""
    known: dict[str, set[Version]] = {}
    for cell in cells:
        for name, version in cell.newest.items():
            known.setdefault(name, set()).add(version)
    places = {name: {each: place for place, each in enumerate(sorted(found))} for name, found in known.items()}

    def reach(index: int) -> tuple[int, int]:
        return sum(places[name][version] for name, version in cells[index].newest.items()), index

    return sorted(range(len(cells)), key=reach)


def _count(cells: Iterable[Cell]) -> int:
    """How many versions of packages there are, in all groups together."""
    return len({(cell.group, item) for cell in cells for item in cell.versions.items()})


def versions_of(lock: Lock) -> dict[str, Version]:
    """The version of each package, without the label of its build."""
    listed = ((pin.name, parsed(pin.version)) for pin in lock.pins if pin.version and not pin.written)
    return {name: parsed(version.public) if version.local else version for name, version in listed}


def solve_sharing(
    universe: Universe, units: Sequence[UserRequirement], options: Options, solution: Solution
) -> Solution:
    """A solution with versions of other targets, the first of ``options.shared`` that works; else the given one.

    The pins of an existing lock that the given solution keeps are kept.
    """
    roots, limits = demands([*units, *_kept(universe, options, solution)])
    for wishes in options.shared:
        found = walk_or_run(universe, roots, limits, learn=True, wish=partial(_wished, universe, wishes, solution))
        if found is None or any(violations(universe, roots, limits, found)):
            continue
        family = {name: _public(universe, name, found) for name in FAMILY & wishes.keys() & found.keys()}
        if all(wishes[name] == version for name, version in family.items()):
            return found
    return solution


def _kept(universe: Universe, options: Options, solution: Solution) -> list[UserRequirement]:
    """The pins of an existing lock that a solution keeps."""
    units = (pinned(universe, name, version) for name, version in options.preferred.items() if name in solution)
    return [unit for unit in units if unit and all(mask >> solution[name] & 1 for name, mask in unit.limits)]


def _wished(
    universe: Universe, wishes: Mapping[str, str], solution: Solution, identifier: str, mask: int
) -> int | None:
    """The candidate of a wished version; None if this target has no good wheel of it.

    A source distribution, a withdrawn release or an unproven one counts only if the target has it anyway.
    """
    version = wishes.get(identifier.partition("[")[0])
    if version is None:
        return None
    candidates = universe.candidates(identifier)
    for index in bits(mask):
        candidate = candidates[index]
        if candidate.public != version:
            continue
        withdrawn = candidate.release is not None and candidate.release.yanked is not None
        weak = withdrawn or candidate.from_sdist or candidate.kept or candidate.unproven is not None
        if not weak or solution.get(identifier) == index:
            return index
    return None


def _public(universe: Universe, name: str, solution: Solution) -> str:
    return universe.candidates(name)[solution[name]].public
