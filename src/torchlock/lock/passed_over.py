"""Notes on releases that a lock skips, and on withdrawn releases that it takes."""

from __future__ import annotations

from torchlock.knowledge.masks import bits
from torchlock.lock.inputs import dependency_of
from torchlock.solve.candidates import withdrawal
from torchlock.solve.lines import demands
from torchlock.solve.unread import Unread, unread_behind
from torchlock.standards.ordering import admits, is_later, is_prerelease, latest, normal
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torchlock.solve.candidates import Candidate
    from torchlock.solve.lines import UserRequirement
    from torchlock.solve.problem import Solution
    from torchlock.solve.reasons import Unreadable
    from torchlock.solve.universe import Universe

# How many newer releases of one package are examined to find the first that was skipped for this reason.
_MOST = 8


def refusal_notes(
    universe: Universe, chosen: Mapping[str, Candidate], units: Sequence[UserRequirement]
) -> Iterator[str]:
    """Notes on packages of the user: the newest release that the lines admit and its own metadata rules out."""
    asked: dict[str, list[str]] = {}
    for unit in units:
        if unit.written.requirement is not None:
            dependency = dependency_of(unit.written)
            asked.setdefault(dependency.name, []).append(dependency.specifier)
    roots = {need.identifier for unit in units for need in unit.roots}
    for name in sorted(roots & asked.keys() & chosen.keys()):
        taken = chosen[name].text
        newer = [
            (version, why)
            for version, why in _refused(universe, name)
            if is_later(version, taken)
            and is_prerelease(version) <= is_prerelease(taken)
            and all(admits(specifier, version) for specifier in asked[name])
        ]
        if newer:
            newest = latest([version for version, _ in newer])
            why = max(why for version, why in newer if not is_later(newest, version))
            yield f"{name} {normal(newest)} was skipped: {why}"


def _refused(universe: Universe, name: str) -> Iterator[tuple[str, str]]:
    for item in universe.rejected(name):
        if item.why == "unreadable":
            yield item.version, item.detail


def yanked_notes(chosen: Mapping[str, Candidate]) -> Iterator[str]:
    """Notes on locked releases that their publisher withdrew (PEP 592); an exact pin selects them."""
    for name, candidate in sorted(chosen.items()):
        if candidate.release is not None and candidate.release.yanked is not None:
            yield f"{name} {candidate.text} is {withdrawal(candidate)}"


def unread_notes(universe: Universe, units: Sequence[UserRequirement], solution: Solution) -> Iterator[str]:
    """Notes on releases that need a build: one for each package that the user named, one for all others."""
    roots, limits = demands(units)
    asked = {root.identifier for root in roots if "[" not in root.identifier and root.identifier in solution}
    told: set[tuple[str, str]] = set()
    for name in sorted(asked):
        mask = limits.get(name, -1)
        for root in roots:
            if root.identifier == name:
                mask &= root.mask
        newer = _newer(universe, name, solution[name], mask) if universe.unreadable else []
        for index in newer:
            found = unread_behind(universe, roots, limits, name, 1 << index)
            if found:
                told.add((found[0].release.name, found[0].release.version))
                yield _sentence(name, universe.candidates(name)[index].text, found[0])
                break
        yield from _compiled(universe, name, solution[name], mask)
    if universe.unreadable:
        yield from _below(universe, solution, asked, told)


def _newer(universe: Universe, name: str, chosen: int, mask: int) -> list[int]:
    """The candidates of a package that are newer than the chosen one, and that the user's lines admit."""
    candidates = universe.candidates(name)
    better = bits(mask & ((1 << chosen) - 1))
    return [index for index in better if is_later(candidates[index].text, candidates[chosen].text)][:_MOST]


def _compiled(universe: Universe, name: str, chosen: int, mask: int) -> Iterator[str]:
    """A note on the newest release, if it has compiled wheels, but none for the target."""
    candidates = universe.candidates(name)
    behind_it = [candidates[index] for index in bits(mask & ((1 << len(candidates)) - 1)) if index > chosen]
    mine = candidates[chosen]
    newer = [item for item in behind_it if is_later(item.text, mine.text) and not is_prerelease(item.text)]
    if newer and not mine.last_resort and all(item.last_resort for item in newer):
        version = latest([item.text for item in newer])
        yield (
            f"{name} {version} was skipped: it has no wheel for {universe.target}, and its source would "
            f"have to be compiled; to use it, pin {name}=={version}"
        )


def _sentence(name: str, version: str, unread: Unread) -> str:
    leaf = unread.release
    between = unread.path[1:-1]
    through = f" (through {', '.join(between)})" if between else ""
    needs = "" if leaf.name == name else f"it needs {leaf.name}{through}, and "
    return f"{name} {version} was skipped: {needs}{leaf.message}{_way_out(leaf)}"


def _way_out(unreadable: Unreadable) -> str:
    return "; use --build to include it" if unreadable.build else ""


def _below(
    universe: Universe, solution: Mapping[str, int], asked: set[str], told: set[tuple[str, str]]
) -> Iterator[str]:
    """A note on packages that could be newer and that the user did not name."""
    allowed: dict[str, int] = {}
    for identifier, index in solution.items():
        for need in universe.needs(identifier, index):
            allowed[need.identifier] = allowed.get(need.identifier, -1) & need.mask
    passed: list[Unreadable] = []
    for name, index in sorted(solution.items()):
        if "[" in name or name in asked:
            continue
        for newer in _newer(universe, name, index, allowed.get(name, -1)):
            key = name, universe.candidates(name)[newer].text
            if key in universe.unreadable and key not in told:
                passed.append(universe.unreadable[key])
                break
    if passed:
        names = ", ".join(f"{item.name} {item.version}" for item in passed)
        yield f"also skipped: {names} ({passed[0].message}{_way_out(passed[0])})"
