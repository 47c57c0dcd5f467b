"""The main job: from requirements to pins that load, or to the conflict that forbids them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torchlock.audit import judge
from torchlock.errors import InputError, TorchlockError, UnknownPackage
from torchlock.matrix import HOST_PREFIX, is_virtual, specifier_set
from torchlock.solve.candidates import Policy, is_exact, mentions_prerelease
from torchlock.solve.core import Unit, anchors, demands, guilty
from torchlock.solve.pipeline import resolve
from torchlock.solve.reasons import Asked, Declared, Ruled
from torchlock.solve.universe import Universe
from torchlock.words import Dependency, Origin, Written, spelled

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from torchlock.direct import DirectRelease
    from torchlock.matrix import Matrix, Statement
    from torchlock.solve.candidates import Candidate, Release
    from torchlock.solve.problem import Solution
    from torchlock.target import Target
    from torchlock.words import File, Inputs


@dataclass(frozen=True)
class Options:
    """What the user allows and prefers.

    ``preferred`` are the pins of an existing lock that are to be kept, by name; ``upgraded`` names those of its
    packages that are to be as new as possible.
    """

    pre: bool = False
    allow_sdist: bool = False
    lowest: bool = False
    exclude_newer: str | None = None
    preferred: Mapping[str, str] = field(default_factory=dict)
    upgraded: Collection[str] = ()


@dataclass(frozen=True)
class Pin:
    """One package of a lock.

    ``files`` are those an installer may use on the target; ``required_by`` names what asked for it (packages,
    files, the command line) and ``rules`` the rules that did, each as (package, rule). ``marker`` is kept from
    the user's line. ``written`` is set for what is installed from an address rather than an index.
    """

    name: str
    version: str
    files: tuple[File, ...]
    required_by: tuple[str, ...]
    rules: tuple[tuple[str, str], ...]
    marker: str = ""
    written: Written | None = None
    extras: tuple[str, ...] = ()


@dataclass(frozen=True)
class HostNote:
    """What a pin has to do with a library of the machine.

    ``kind`` is needs (it will not load without), wants (it can do more with it) or bundles (it carries its
    own). ``library`` is a host library's name, or another package's for a want; ``specifier`` its versions.
    """

    kind: str
    library: str
    specifier: str
    package: str
    version: str
    statement: Statement

    @property
    def of_the_machine(self) -> bool:
        """Whether the library is the machine's rather than another package."""
        needed = (*self.statement.needs, *self.statement.wants)
        return any(dependency.name == HOST_PREFIX + self.library for dependency in needed)

    def admits(self, version: str) -> bool:
        """Whether this version of the library serves; one that nobody knows is taken to."""
        return not version or specifier_set(self.specifier).contains(version)


@dataclass(frozen=True)
class Lock:
    """An environment that loads on ``target``; pins sorted by name."""

    target: Target
    pins: tuple[Pin, ...]
    host: tuple[HostNote, ...]
    notes: tuple[str, ...]
    visited: int


@dataclass(frozen=True)
class Conflict:
    """No environment satisfies these lines; everything the explainer needs to say why.

    ``elsewhere`` tries the same lines on another target.
    """

    universe: Universe
    units: tuple[Unit, ...]
    elsewhere: Callable[[Target], Lock | Conflict]


def lock(
    inputs: Inputs,
    target: Target,
    options: Options,
    matrix: Matrix,
    releases: Callable[[str], Sequence[Release]],
    metadata: Callable[[File], str] | None = None,
) -> Lock | Conflict:
    """Resolve the requirements for the target.

    ``releases`` answers a normalised name with its releases, oldest first, or raises UnknownPackage;
    ``metadata`` a file named by address with its METADATA text, or raises a TorchlockError.

    Raises:
        InputError: the project itself does not run on the target's Python, or a line cannot be used.
        UnknownPackage: no source holds a package that the user names.
        NetworkError: an index failed.
    """
    _check_python(inputs, target)
    overrides: dict[str, list[Dependency]] = {}
    for written in inputs.overrides:
        dependency = dependency_of(written)
        overrides.setdefault(dependency.name, []).append(dependency)
    direct = Direct(inputs.requirements, metadata)
    universe = Universe(target, matrix, direct.before(releases), _policy(inputs, options), overrides)
    units, notes = _units(inputs, direct, universe, overrides)
    for unit in units:
        for root in unit.roots:
            if root.identifier in universe.unknown:
                raise _unknown(universe.unknown[root.identifier], unit)
    solution = _solve(universe, units, options)
    if solution is None:
        return Conflict(universe, tuple(units), lambda other: lock(inputs, other, options, matrix, releases))
    chosen = {
        name: universe.candidates(name)[index]
        for name, index in solution.items()
        if "[" not in name and not is_virtual(name)
    }
    if wrong := judge(chosen, target, matrix, overrides):
        raise AssertionError(f"the judge rejects what the solver chose: {'; '.join(wrong)}")
    notes += _given_way(options.preferred, chosen)
    pins = (*_pins(universe, solution, chosen, units, direct), *direct.unnamed_pins())
    return Lock(target, pins, tuple(host_notes(universe, chosen)), tuple(notes), universe.visited)


class Direct:
    """The requirements that name an address, read as far as that goes without a build.

    ``written`` has the line of each project that is known by name; ``notes`` say what is not known.
    """

    def __init__(self, requirements: Sequence[Written], metadata: Callable[[File], str] | None) -> None:
        self.written: dict[str, Written] = {}
        self.notes: list[str] = []
        self._metadata = metadata or _no_metadata
        self._releases: dict[str, list[DirectRelease]] = {}
        self._names: dict[int, str | None] = {}
        for written in requirements:
            if written.url is not None:
                self._names[id(written)] = self._read(written)
        self._unnamed = [written for written in requirements if self._names.get(id(written), "") is None]

    def before(self, releases: Callable[[str], Sequence[Release]]) -> Callable[[str], Sequence[Release]]:
        """The same source, but for the projects that the user names by address."""
        return lambda name: self._releases.get(name) or releases(name)

    def dependency(self, written: Written) -> Dependency | None:
        """What a line requires; None for an address of which not even the name is known."""
        if written.url is None or written.requirement is not None:
            return dependency_of(written)
        name = self._names[id(written)]
        return None if name is None else Dependency(name)

    def unnamed_pins(self) -> Iterator[Pin]:
        """What stays in the lock as it was written, unseen by the solver."""
        for written in self._unnamed:
            yield Pin(written.origin.text.strip(), "", (), (_asked(written),), (), written=written)

    def _read(self, written: Written) -> str | None:
        from torchlock.direct import read_direct

        release = read_direct(written, self._metadata)
        if release is None:
            self.notes.append(f"{written.origin}: {written.url} is kept as written; its project is not known")
            return None
        self.notes += [*release.notes, f"{written.origin}: {release.name} is kept as written"]
        self.written[release.name] = written
        self._releases[release.name] = [release]
        return release.name


def _no_metadata(file: File) -> str:
    raise TorchlockError(f"{file.filename} was not asked for its metadata")


def dependency_of(written: Written) -> Dependency:
    """What a line requires, taken apart.

    Raises:
        InputError: the line is a bare address, of which nobody knows the name.
    """
    requirement = written.requirement
    if requirement is None:
        path, line, text = written.origin
        raise InputError(f"{text}: the project's name is not known", path=path, line=line)
    return Dependency.from_requirement(requirement)


def _check_python(inputs: Inputs, target: Target) -> None:
    if inputs.requires_python is None:
        return
    specifier, (path, line, _) = inputs.requires_python
    if not specifier.contains(target.python.full, prereleases=True):
        raise InputError(
            f"this project requires Python {specifier}, the target is {target.python.full}",
            path=path,
            line=line,
            hint="choose the target's Python with --python",
        )


def _policy(inputs: Inputs, options: Options) -> Policy:
    """What the user's lines allow: pre-releases where one is named, yanked releases where one is pinned."""
    stated = [
        dependency_of(written)
        for written in [*inputs.requirements, *inputs.constraints, *inputs.overrides]
        if written.requirement is not None
    ]
    return Policy(
        allow_sdist=options.allow_sdist,
        all_pre=options.pre or inputs.pre,
        pre={item.name for item in stated if item.specifier and mentions_prerelease(item.specifier)},
        pinned={item.name for item in stated if item.specifier and is_exact(item.specifier)},
        lowest=options.lowest,
        exclude_newer=options.exclude_newer,
    )


def _solve(universe: Universe, units: Sequence[Unit], options: Options) -> Solution | None:
    """The newest-first solution that keeps the pins of an existing lock as far as they still work.

    Pins that cannot stand together with the user's lines, or with the newest versions of what is to be
    upgraded, are dropped, a smallest guilty set at a time.
    """
    soft = [unit for name, version in options.preferred.items() if (unit := _pinned(universe, name, version))]
    firm = [*units, *_newest(universe, units, options)] if soft else units
    while soft:
        solution = resolve(universe, *demands([*firm, *soft]), anchors(universe, units))
        if solution is not None:
            return solution
        blamed = {id(unit) for unit in guilty(universe, [*firm, *soft])}
        still = [unit for unit in soft if id(unit) not in blamed]
        soft = still if len(still) < len(soft) else []  # else the user's own lines are the conflict
    return resolve(universe, *demands(units), anchors(universe, units))


def _newest(universe: Universe, units: Sequence[Unit], options: Options) -> list[Unit]:
    """What is to be upgraded, at the versions that it would have without the existing lock."""
    solution = resolve(universe, *demands(units), anchors(universe, units)) if options.upgraded else None
    return [
        Unit(Written(None, Origin(None, None, name)), limits=((name, 1 << solution[name]),))
        for name in options.upgraded
        if solution and name in solution
    ]


def _pinned(universe: Universe, name: str, version: str) -> Unit | None:
    try:
        mask = universe.mask(name, f"=={version}")
    except TorchlockError:  # a package of the old lock that no source can be asked for any more
        return None
    return Unit(Written(None, Origin(None, None, name)), limits=((name, mask),)) if mask else None


def _given_way(preferred: Mapping[str, str], chosen: Mapping[str, Candidate]) -> Iterator[str]:
    for name, version in preferred.items():
        if name in chosen and str(chosen[name].version) != version:
            yield f"{name}=={version} of the existing lock no longer works; now {chosen[name].version}"


def _units(
    inputs: Inputs, direct: Direct, universe: Universe, overrides: Mapping[str, Sequence[Dependency]]
) -> tuple[list[Unit], list[str]]:
    """The user's lines as roots and limits, and notes on those that do not apply to the target."""
    units: list[Unit] = []
    notes = list(direct.notes)
    for written in inputs.requirements:
        dependency = direct.dependency(written)
        if dependency is None:
            continue
        if not universe.target.holds(dependency.marker):
            notes.append(f"{written.origin}: {dependency} does not apply to {universe.target}")
            continue
        replaced = [
            item for item in overrides.get(dependency.name, (dependency,)) if universe.target.holds(item.marker)
        ]
        reason = Asked(written)
        units.append(Unit(written, tuple(need for item in replaced for need in universe.require(item, reason))))
    for written in inputs.constraints:
        dependency = dependency_of(written)
        if universe.target.holds(dependency.marker) and dependency.name not in overrides:
            mask = universe.mask(dependency.name, dependency.specifier)
            units.append(Unit(written, limits=((dependency.name, mask),)))
    return units, notes


def _unknown(error: UnknownPackage, unit: Unit) -> UnknownPackage:
    return UnknownPackage(error.name, f"{unit.written.origin}: {error.message}", hint=error.hint)


def _pins(
    universe: Universe,
    solution: Solution,
    chosen: Mapping[str, Candidate],
    units: Sequence[Unit],
    direct: Direct,
) -> tuple[Pin, ...]:
    by: dict[str, dict[str, None]] = {name: {} for name in chosen}
    rules: dict[str, dict[tuple[str, str], None]] = {name: {} for name in chosen}
    extras: dict[str, set[str]] = {name: set() for name in chosen}
    needs = [(need, need.reason) for unit in units for need in unit.roots]
    for identifier, index in solution.items():
        name, _, extra = identifier.rstrip("]").partition("[")
        if extra:
            extras[name].add(extra)
        needs += [(need, need.reason) for need in universe.needs(identifier, index)]
    for need, reason in needs:
        name = need.identifier.partition("[")[0]
        if name not in chosen:
            continue
        if isinstance(reason, Asked):
            by[name][_asked(reason.written)] = None
        elif isinstance(reason, Declared):
            by[name][reason.name] = None
        elif isinstance(reason, Ruled):
            rules[name][reason.name, reason.statement.rule] = None
    markers = _markers(units)
    return tuple(
        Pin(
            name,
            str(candidate.version),
            _usable_files(candidate),
            tuple(sorted(by[name])),
            tuple(sorted(rules[name])),
            markers.get(name, "") if all(_is_origin(who) for who in by[name]) and not rules[name] else "",
            written=direct.written.get(name),
            extras=tuple(sorted(extras[name])),
        )
        for name, candidate in sorted(chosen.items())
    )


def _asked(written: Written) -> str:
    return "the command line" if written.origin.path is None else f"-r {written.origin.path}"


def _is_origin(who: str) -> bool:
    return who.startswith("-r ") or who == "the command line"


def _markers(units: Sequence[Unit]) -> dict[str, str]:
    """The marker of each name that the user asks for under one and the same marker only."""
    found: dict[str, set[str]] = {}
    for unit in units:
        if unit.roots and unit.written.requirement is not None:
            dependency = dependency_of(unit.written)
            found.setdefault(dependency.name, set()).add(dependency.marker)
    return {name: next(iter(markers)) for name, markers in found.items() if len(markers) == 1}


def _usable_files(candidate: Candidate) -> tuple[File, ...]:
    if candidate.release is None:
        return ()
    files = candidate.release.files()
    if candidate.wheel < 0:
        return (_hashed(files[-1]),)
    return tuple(_hashed(files[index]) for index in candidate.usable)


def _hashed(file: File) -> File:
    """A file of a folder, which no index has hashed, with its hash."""
    if file.hashes or not file.url.startswith("file:"):
        return file
    import hashlib
    from pathlib import Path
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    with Path(url2pathname(urlsplit(file.url).path)).open("rb") as content:
        digest = hashlib.sha256()
        while block := content.read(1 << 20):
            digest.update(block)
    return file._replace(hashes={"sha256": digest.hexdigest()})


def host_notes(universe: Universe, chosen: Mapping[str, Candidate]) -> Iterator[HostNote]:
    """What the chosen releases need from the machine, could use of it, and carry themselves."""
    for name, candidate in sorted(chosen.items()):
        version = str(candidate.version)
        for statement in universe.statements(candidate):
            for dependency in statement.needs:
                library = dependency.name.removeprefix(HOST_PREFIX)
                if (
                    library != dependency.name
                    and not statement.optional
                    and universe.target.holds(dependency.marker)
                ):
                    yield HostNote("needs", library, spelled(dependency.specifier), name, version, statement)
            for dependency in statement.wants:
                if universe.target.holds(dependency.marker) and dependency.name not in chosen:
                    library = dependency.name.removeprefix(HOST_PREFIX)
                    yield HostNote("wants", library, spelled(dependency.specifier), name, version, statement)
            for bundle in statement.bundles:
                library, _, specifier = bundle.partition(" ")
                yield HostNote("bundles", library, specifier, name, version, statement)
