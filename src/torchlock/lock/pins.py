"""Turn the solution into the pins of a lock, and into notes on system libraries."""

from __future__ import annotations

import re

from torchlock.answers import Unknown
from torchlock.knowledge.judge import unjudged
from torchlock.knowledge.rules import GIL, HOST_PREFIX
from torchlock.knowledge.stack import FAMILY
from torchlock.lock.inputs import asked_by, dependency_of
from torchlock.lock.model import HostNote, Pin
from torchlock.lock.scopes import scopes_of
from torchlock.solve.reasons import Asked, Declared, Ruled
from torchlock.standards.dependency import readable_specifier
from torchlock.standards.names import normalise
from torchlock.standards.ordering import admits, is_later, is_prerelease
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from torchlock.lock.inputs import DirectRequirements
    from torchlock.solve.candidates import Candidate
    from torchlock.solve.lines import UserRequirement
    from torchlock.solve.problem import Need, Solution
    from torchlock.solve.universe import Universe
    from torchlock.standards.dependency import Dependency
    from torchlock.standards.index_file import File
    from torchlock.target import Target
    from torchlock.terms import Inputs


def pins_of(
    universe: Universe,
    solution: Solution,
    chosen: Mapping[str, Candidate],
    units: Sequence[UserRequirement],
    direct: DirectRequirements,
) -> tuple[Pin, ...]:
    """The pins of a solution, sorted by name, each with what requires it."""
    extras: dict[str, set[str]] = {name: set() for name in chosen}
    needs = [need for unit in units for need in unit.roots]
    for identifier, index in solution.items():
        name, _, extra = identifier.rstrip("]").partition("[")
        if extra:
            extras[name].add(extra)
        needs += universe.needs(identifier, index)
    by, rules = _requiring(needs, chosen)
    markers = _markers(units)
    files = {name: _usable_files(candidate) for name, candidate in chosen.items()}
    scopes = scopes_of(universe, solution, units)
    return tuple(
        Pin(
            name,
            candidate.text,
            files[name][0],
            tuple(sorted(by[name])),
            tuple(sorted(rules[name])),
            markers.get(name, "") if all(_is_origin(who) for who in by[name]) and not rules[name] else "",
            written=direct.written.get(name),
            extras=tuple(sorted(extras[name])),
            unproven=candidate.unproven,
            built=_origin(candidate),
            chosen=files[name][1],
            scopes=scopes.get(name, ()),
            build=candidate.build if isinstance(candidate.build, str) else "",
        )
        for name, candidate in sorted(chosen.items())
    )


def _requiring(
    needs: Iterable[Need], names: Iterable[str]
) -> tuple[dict[str, set[str]], dict[str, set[tuple[str, str]]]]:
    """What requires each package: packages, files and the command line; and rules, each with its package."""
    by: dict[str, set[str]] = {name: set() for name in names}
    rules: dict[str, set[tuple[str, str]]] = {name: set() for name in by}
    for need in needs:
        name, reason = need.identifier.partition("[")[0], need.reason
        if name not in by:
            continue
        if isinstance(reason, Asked):
            by[name].add(asked_by(reason.written))
        elif isinstance(reason, Declared):
            by[name].add(reason.name)
        elif isinstance(reason, Ruled):
            rules[name].add((reason.name, reason.statement.rule))
    return by, rules


def _is_origin(who: str) -> bool:
    return who.startswith("-r ") or who == "the command line"


def _markers(units: Sequence[UserRequirement]) -> dict[str, str]:
    """The marker of each name that the user requires under a single marker."""
    found: dict[str, set[str]] = {}
    for unit in units:
        if unit.roots and unit.written.requirement is not None:
            dependency = dependency_of(unit.written)
            found.setdefault(dependency.name, set()).add(dependency.marker)
    return {name: next(iter(markers)) for name, markers in found.items() if len(markers) == 1}


def _usable_files(candidate: Candidate) -> tuple[tuple[File, ...], str]:
    """The files that an installer may use on the target, and the name of the one that it takes."""
    if candidate.release is None or candidate.kept:
        return (), ""
    files = candidate.release.files()
    if not files:  # of a build that is known from documents only
        return (), ""
    usable = (files[-1],) if candidate.wheel < 0 else tuple(files[index] for index in candidate.usable)
    return usable, files[candidate.wheel].filename


def unused_extra_notes(units: Sequence[UserRequirement], chosen: Mapping[str, Candidate]) -> Iterator[str]:
    """Notes on extras that the user asks for and that add no requirement to the chosen release."""
    for unit in units:
        if not unit.roots or unit.written.requirement is None or unit.written.url is not None:
            continue
        dependency = dependency_of(unit.written)
        candidate = chosen.get(dependency.name)
        if candidate is None or candidate.release is None or not dependency.extras:
            continue
        declared = candidate.release.dependencies(candidate.wheel)
        if isinstance(declared, Unknown):
            continue
        markers = " ".join(item.marker for item in declared)
        known = {normalise(quoted) for quoted in re.findall(r"""["']([^"']+)["']""", markers)}
        for extra in dependency.extras:
            if extra not in known:
                yield f"{unit.written.origin}: {candidate.name} {candidate.text} requires nothing for [{extra}]"


def unused_override_notes(inputs: Inputs, universe: Universe, chosen: Mapping[str, Candidate]) -> Iterator[str]:
    """Notes on overrides of packages that nothing requires; not for one of many targets, where others may."""
    if not inputs.overrides or universe.sharing is not None:
        return
    asked = {*chosen, *(normalise(each.requirement.name) for each in inputs.requirements if each.requirement)}
    for candidate in chosen.values():
        declared = candidate.dependencies
        asked.update(each.name for each in (() if isinstance(declared, Unknown) else declared))
    for written in inputs.overrides:
        if written.requirement is not None and normalise(written.requirement.name) not in asked:
            line = written.origin.text.strip()
            yield f"{written.origin}: the override {line} has no effect: nothing requires the package"


def sdist_notes(chosen: Mapping[str, Candidate], target: Target) -> Iterator[str]:
    """Notes on packages that the installer has to build from source; torchlock did not try to build them."""

    def named(candidates: Iterable[Candidate]) -> str:
        return ", ".join(sorted(f"{candidate.name} {candidate.text}" for candidate in candidates))

    built = [candidate for candidate in chosen.values() if candidate.from_sdist]
    if not built:
        return
    from torchlock.index.sdist.reader import COMPUTED_HERE

    compiled = [candidate for candidate in built if candidate.last_resort]
    if compiled:
        yield (f"no wheel for {target}: {named(compiled)}; the installer has to compile it, which was not tested")
    if len(compiled) < len(built):
        names = named(candidate for candidate in built if candidate not in compiled)
        yield f"the installer has to build from source, which was not tested: {names}"
    here = [candidate for candidate in built if _origin(candidate).startswith(COMPUTED_HERE)]
    if here:
        yield (
            f"{named(here)}: the requirements were computed by {_origin(here[0])}; "
            f"a build on {target} may compute others"
        )


def _origin(candidate: Candidate) -> str:
    """The file with the requirements of a source distribution; empty for a wheel."""
    known = candidate.release is not None and candidate.from_sdist
    return candidate.release.origin(candidate.wheel) if known and candidate.release else ""


def host_notes(universe: Universe, chosen: Mapping[str, Candidate]) -> Iterator[HostNote]:
    """The system libraries that the chosen releases need, can use, and bundle."""
    for name, candidate in sorted(chosen.items()):
        version = candidate.text
        for statement in universe.statements(candidate):
            for dependency in statement.needs:
                library = dependency.name.removeprefix(HOST_PREFIX)
                if (
                    library != dependency.name
                    and dependency.name != GIL
                    and not statement.optional
                    and universe.target.holds(dependency.marker)
                ):
                    yield HostNote(
                        "needs", library, readable_specifier(dependency.specifier), name, version, statement
                    )
            for dependency in statement.wants:
                if universe.target.holds(dependency.marker) and dependency.name not in chosen:
                    library = dependency.name.removeprefix(HOST_PREFIX)
                    yield HostNote(
                        "wants", library, readable_specifier(dependency.specifier), name, version, statement
                    )
            for bundle in statement.bundles:
                library, _, specifier = bundle.partition(" ")
                yield HostNote("bundles", library, specifier, name, version, statement)


def unproven_notes(
    universe: Universe, chosen: Mapping[str, Candidate], units: Sequence[UserRequirement]
) -> Iterator[str]:
    """Notes on unproven releases that were locked, and on newer ones that were left out."""
    asked = _asked(units)
    for name, candidate in sorted(chosen.items()):
        why = candidate.unproven
        if why is not None:
            documented = candidate.release is not None and not candidate.release.files()
            yield f"{_named(candidate)} is unproven: {why}" + ("" if documented else ", so no rule covers it")
        newer = [item for item in universe.held.get(name, ()) if _counts(item, candidate, asked)]
        if newer:
            from torchlock.index.build_releases import ASK

            best = max(newer, key=lambda item: item.version)
            known = best.release is None or best.release.files()
            way = "use --unproven or a pin to lock it" if known else ASK
            yield f"{_named(best)} was left out: {best.unproven}; {way}"
    for said in unjudged(chosen, universe.target, universe.matrix):
        who = said.pinned if isinstance(said.pinned.build, Unknown) else chosen["torch"]
        subject = f"{said.pinned.name} {said.pinned.version}"
        yield f"{said.statement.rule} was not judged for {subject}: {who.name} {who.version}, {said.because}"


def unhashed_notes(
    universe: Universe, chosen: Mapping[str, Candidate], units: Sequence[UserRequirement]
) -> Iterator[str]:
    """Notes on newer releases that are passed over, because no hash of their wheel is known."""
    asked = _asked(units)
    for name, candidate in sorted(chosen.items()):
        if name not in FAMILY or candidate.without_hash:
            continue
        newer = [
            item for item in universe.candidates(name) if item.without_hash and _counts(item, candidate, asked)
        ]
        if newer:
            from torchlock.index.build_releases import ASK

            best = max(newer, key=lambda item: item.version)
            yield f"{_named(best)} was left out: no hash of its wheel is known; use a pin or --no-hashes, or {ASK}"


def _named(candidate: Candidate) -> str:
    date = candidate.release.date if candidate.release else ""
    return f"{candidate.name} {candidate.text}" + (f" ({date})" if date else "")


def _asked(units: Sequence[UserRequirement]) -> list[Dependency]:
    """What the user's lines ask of packages by name."""
    return [
        dependency_of(unit.written)
        for unit in units
        if unit.written.requirement is not None and (unit.roots or unit.limits)
    ]


def _counts(item: Candidate, chosen: Candidate, asked: Sequence[Dependency]) -> bool:
    """Whether a candidate is a newer final release that the user's lines admit."""
    return (
        is_later(item.text, chosen.text)
        and not is_prerelease(item.text)
        and (item.release is None or item.release.yanked is None)
        and all(admits(each.specifier, item.text) for each in asked if each.name == item.name)
    )
