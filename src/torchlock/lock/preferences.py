"""Keep the pins of an existing lock as long as they work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.errors import TorchlockError, Undecided
from torchlock.knowledge.build_labels import kind_of
from torchlock.knowledge.stack import FAMILY
from torchlock.solve.conflict_core import UserRequirement, anchors, contested, demands, minimal_conflict
from torchlock.solve.pipeline import resolve
from torchlock.solve.problem import GaveUp
from torchlock.solve.propagate import DomainWipeout, propagate
from torchlock.standards.dependency import Dependency
from torchlock.standards.filenames import same_version
from torchlock.terms import Origin, ParsedRequirement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torchlock.lock.model import Options
    from torchlock.solve.candidates import Candidate
    from torchlock.solve.problem import Solution
    from torchlock.solve.universe import Universe


def solve_keeping(universe: Universe, units: Sequence[UserRequirement], options: Options) -> Solution | None:
    """The newest solution that keeps the pins of an existing lock as long as they work.

    Pins that conflict with the user's lines, or with the newest versions of the packages to upgrade, are
    dropped, one smallest conflicting set at a time.

    Raises:
        Undecided: the search reached its limit, without any of these pins too.
    """
    try:
        return _solve_keeping(universe, units, options)
    except GaveUp as error:
        raise _undecided(error, universe, units) from error


def _solve_keeping(universe: Universe, units: Sequence[UserRequirement], options: Options) -> Solution | None:
    soft = [unit for name, version in options.preferred.items() if (unit := pinned(universe, name, version))]
    firm = [*units, *_newest(universe, units, options)] if soft else units
    while soft:
        try:
            solution = resolved(universe, [*firm, *soft], units)
        except GaveUp:  # too hard with the pins: solve without them
            break
        if solution is not None:
            return solution
        blamed = {id(unit) for unit in minimal_conflict(universe, soft, firm)}
        still = [unit for unit in soft if id(unit) not in blamed]
        soft = still if len(still) < len(soft) else []  # else the user's own lines are the conflict
    return resolved(universe, units, units)


def resolved(
    universe: Universe, held: Sequence[UserRequirement], units: Sequence[UserRequirement]
) -> Solution | None:
    """The newest solution of the lines in ``held``, of which ``units`` are the user's."""
    demanded = demands(held)
    sharing = universe.sharing
    if sharing is None:
        return resolve(universe, *demanded, anchors(universe, units))
    solution = sharing.try_known(universe, *demanded) or resolve(universe, *demanded, anchors(universe, units))
    if solution is not None:
        sharing.keep(universe, demanded[0], solution)
    return solution


def _undecided(gave_up: GaveUp, universe: Universe, units: Sequence[UserRequirement]) -> Undecided:
    """The error after the search gave up: the number of tries, and the requirements in conflict."""
    lines = [
        f"{written.origin.text.strip()}" + ("" if written.origin.path is None else f" ({written.origin})")
        for unit in contested(universe, units, gave_up.contested) or units
        if (written := unit.written)
    ]
    return Undecided(
        f"gave up after {gave_up.tries:,} tries; these requirements were still in conflict: {', '.join(lines)}",
        hint="narrow some of them, for example with a pin",
    )


def _newest(universe: Universe, units: Sequence[UserRequirement], options: Options) -> list[UserRequirement]:
    """Limits for the packages to upgrade: the versions that they would have without the existing lock."""
    solution = resolve(universe, *demands(units), anchors(universe, units)) if options.upgraded else None
    return [
        UserRequirement(ParsedRequirement(None, Origin(None, None, name)), limits=((name, 1 << solution[name]),))
        for name in options.upgraded
        if solution and name in solution
    ]


def pinned(universe: Universe, name: str, version: str) -> UserRequirement | None:
    """A pin of an existing lock in the terms of a universe; None if no source has the release any more."""
    try:
        mask = universe.mask(name, f"=={version}")
    except TorchlockError:  # a package of the old lock that no source has any more
        return None
    return (
        UserRequirement(ParsedRequirement(None, Origin(None, None, name)), limits=((name, mask),))
        if mask
        else None
    )


def changed_pins(
    universe: Universe,
    units: Sequence[UserRequirement],
    preferred: Mapping[str, str],
    chosen: Mapping[str, Candidate],
) -> Iterator[str]:
    """Notes on pins of the existing lock that changed. A pin that the snapshot does not know may be good."""
    for name, version in preferred.items():
        if name not in chosen or _is_of(str(chosen[name].version), version, universe):
            continue
        new = chosen[name].version
        source = universe.provenance(name)
        if source.as_of and not any(_is_of(each, version, universe) for each in _known(universe, name)):
            lost = f"{name}=={version} of the existing lock is not known{source.dated}"
            label = version.partition("+")[2] if universe.target.accelerator == "pypi" else ""
            way = f"; --accelerator {label} keeps that build" if name in FAMILY and kind_of(label) else ""
            yield f"{lost}, and the index was not asked; now {new}{way}"
        else:
            changed = "updated" if new > Version(version) else "downgraded"
            yield f"{changed} {name} {version} → {new}, because {_why(universe, units, name, version)}"


def _why(universe: Universe, units: Sequence[UserRequirement], name: str, version: str) -> str:
    """Why a pin of the existing lock did not hold."""
    for item in universe.rejected(name):
        if _is_of(item.version, version, universe):
            return {
                "wheel": f"{version} has no wheel for {universe.target}",
                "python": f"{version} requires Python {item.detail}",
                "newer": f"of {version}: {item.detail}",
                "gpu": f"of {version}: {item.detail}",
            }.get(item.why, f"{version} cannot be used any more")
    for (other, read), unread in universe.unreadable.items():
        if other == name and _is_of(read, version, universe):
            return f"of {read} {unread.message}"
    pin = UserRequirement(
        ParsedRequirement(None, Origin(None, None, name)),
        roots=tuple(universe.require(Dependency(name, f"=={version}"), None)),
    )
    for unit in units:
        try:
            propagate(anchors(universe, [pin, unit]), *demands([pin, unit]))
        except DomainWipeout:
            return f"{version} conflicts with {unit.written.origin.text.strip()}"
    return f"no solution with {name}=={version} was found"


def _is_of(version: str, pin: str, universe: Universe) -> bool:
    """Whether a version is the one of a pin. In a lock for a build, a pin without a label is any of its builds."""
    if universe.target.accelerator != "pypi" and "+" not in pin:
        version = version.partition("+")[0]
    return same_version(version, pin)


def _known(universe: Universe, name: str) -> Iterator[str]:
    """Every version of a project that its source lists."""
    for candidate in (*universe.candidates(name), *universe.held.get(name, ())):
        yield str(candidate.version)
    yield from (item.version for item in universe.rejected(name))
