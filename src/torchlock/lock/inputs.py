"""Turn the user's requirements into the input of the solver: roots, limits and policy."""

from __future__ import annotations

from torchlock.errors import InputError
from torchlock.lock.model import Pin
from torchlock.redaction import one_line
from torchlock.solve.candidates import Policy, Unproven
from torchlock.solve.lines import UserRequirement, demands
from torchlock.solve.reasons import Asked
from torchlock.solve.source import DelegatingSource
from torchlock.standards.dependency import Dependency
from torchlock.standards.ordering import is_exact, mentions_prerelease
from torchlock.terms import Inputs
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from torchlock.index.direct_url import DirectRelease
    from torchlock.knowledge.releases import Release
    from torchlock.lock.model import Options
    from torchlock.solve.source import ReleaseSource
    from torchlock.solve.universe import Universe
    from torchlock.target import Target
    from torchlock.terms import ParsedRequirement


def merge(*parts: Inputs) -> Inputs:
    """Everything together, in order. The first index address counts; every requires-python does."""
    merged = Inputs()
    for part in parts:
        merged.requirements += part.requirements
        merged.constraints += part.constraints
        merged.overrides += part.overrides
        merged.extra_index_urls += part.extra_index_urls
        merged.find_links += part.find_links
        merged.notes += part.notes
        merged.files += part.files
        merged.scopes += [scope for scope in part.scopes if scope not in merged.scopes]
        if part.index_url and merged.index_url not in (None, part.index_url):
            urls = f"{merged.index_url} is used, and {part.index_url} is ignored"
            merged.notes.append(f"two index URLs are given: {urls}")
        merged.index_url = merged.index_url or part.index_url
        merged.routes = {**part.routes, **merged.routes}
        merged.index_origins = {**part.index_origins, **merged.index_origins}
        merged.environments += part.environments
        merged.no_index = merged.no_index or part.no_index
        merged.pre = merged.pre or part.pre
        if merged.requires_python and part.requires_python:
            both = merged.requires_python[0] & part.requires_python[0]
            merged.requires_python = both, part.requires_python[1]
        else:
            merged.requires_python = merged.requires_python or part.requires_python
    return merged


def dependency_of(written: ParsedRequirement) -> Dependency:
    """The parts of a requirement: name, extras, specifier, marker.

    Raises:
        InputError: the line is a URL without a project name.
    """
    requirement = written.requirement
    if requirement is None:
        path, line, text = written.origin
        raise InputError(f"{text}: the project's name is not known", path=path, line=line)
    return Dependency.from_requirement(requirement)


def constraint_of(written: ParsedRequirement) -> Dependency:
    """The parts of a constraint or an override.

    Raises:
        InputError: it names a URL, which only a requirement may do.
    """
    if written.url is not None:
        path, line, text = written.origin
        raise InputError(
            f"{text.strip()}: a URL is supported in a requirement only, not in a constraint or an override",
            path=path,
            line=line,
            hint="move this line to the requirements",
        )
    return dependency_of(written)


class DirectRequirements:
    """The requirements that name a URL, with the metadata that can be read without a build.

    ``written`` has the line of each project that is known by name; ``notes`` say what is not known.
    """

    def __init__(self, requirements: Sequence[ParsedRequirement], target: Target, source: ReleaseSource) -> None:
        self.written: dict[str, ParsedRequirement] = {}
        self.notes: list[str] = []
        self._source = source
        self._releases: dict[str, list[DirectRelease]] = {}
        self._names: dict[int, str | None] = {}
        for written in requirements:
            if written.url is not None:
                applies = target.holds(_marker(written))
                self._names[id(written)] = self._read(written) if applies else _OTHER_TARGET
        self._unnamed = [written for written in requirements if self._names.get(id(written), "") is None]

    @property
    def source(self) -> ReleaseSource:
        """The source, which has of each project that the user names by address that release alone."""
        return _DirectFirst(self._source, self._releases) if self._releases else self._source

    def dependency(self, written: ParsedRequirement) -> Dependency | None:
        """The parts of a requirement; None for a URL whose project name is unknown."""
        if written.url is None or written.requirement is not None:
            return dependency_of(written)
        name = self._names[id(written)]
        return None if name is None else Dependency(name, marker=_marker(written))

    def unnamed_pins(self) -> Iterator[Pin]:
        """The lines that stay in the lock as written, and that the solver does not see."""
        for written in self._unnamed:
            yield Pin(
                written.origin.text.strip(),
                "",
                (),
                (asked_by(written),),
                (),
                written=written,
                scopes=written.scopes,
            )

    def _read(self, written: ParsedRequirement) -> str | None:
        from torchlock.index.direct_url import read_direct

        release = read_direct(written, self._source.metadata)
        if release is None:
            self.notes.append(
                f"{written.origin}: {written.url} is kept as written, because its project name is unknown"
            )
            return None
        other = self.written.get(release.name)
        if other is not None and other.url != written.url:
            path, line, _ = written.origin
            raise InputError(
                f"{release.name} has another URL at {other.origin}", path=path, line=line, hint="keep one of them"
            )
        self.notes += [*release.notes, f"{written.origin}: {release.name} is kept as written"]
        self.written[release.name] = written
        self._releases[release.name] = [release]
        return release.name


# The name of a requirement that does not apply to the target; its content is never used.
_OTHER_TARGET = "(of another target)"


def _marker(written: ParsedRequirement) -> str:
    requirement = written.requirement
    return written.marker if requirement is None else str(requirement.marker or "")


class _DirectFirst(DelegatingSource):
    """A source that some releases come before."""

    def __init__(self, source: ReleaseSource, first: Mapping[str, Sequence[Release]]) -> None:
        super().__init__(source)
        self._first = first

    def releases(self, name: str) -> Sequence[Release]:
        return self._first.get(name) or self.source.releases(name)

    def expect(self, names: Iterable[str]) -> None:
        self.source.expect(name for name in names if name not in self._first)

    def is_local(self, name: str) -> bool:
        return name in self._first or self.source.is_local(name)


def policy_of(inputs: Inputs, options: Options) -> Policy:
    """The policy that the lines imply: pre-releases if one is named, yanked releases if one is pinned."""
    stated = [
        dependency_of(written)
        for written in [*inputs.requirements, *inputs.constraints, *inputs.overrides]
        if written.requirement is not None
    ]
    return Policy(
        all_pre=options.pre or inputs.pre,
        pre={item.name for item in stated if item.specifier and mentions_prerelease(item.specifier)},
        pinned={item.name for item in stated if item.specifier and is_exact(item.specifier)},
        lowest={item.name for item in stated} if options.lowest else (),
        exclude_newer=options.exclude_newer,
        hashes=options.hashes,
        unproven=Unproven.ANY if options.unproven else Unproven.ASKED,
        asked=_specifiers(stated),
        kept=options.preferred,
    )


def _specifiers(stated: Sequence[Dependency]) -> dict[str, list[str]]:
    """All specifiers of the lines, by project."""
    found: dict[str, list[str]] = {}
    for item in stated:
        found.setdefault(item.name, []).append(item.specifier)
    return found


def user_requirements(
    inputs: Inputs, direct: DirectRequirements, universe: Universe
) -> tuple[list[UserRequirement], list[str]]:
    """The user's lines as roots and limits, and notes on lines that do not apply to the target."""
    units: list[UserRequirement] = []
    notes = list(direct.notes)
    dependencies = filter(None, map(direct.dependency, inputs.requirements))
    universe.ahead.projects(each.name for each in dependencies if universe.target.holds(each.marker))
    for written in inputs.requirements:
        dependency = direct.dependency(written)
        if dependency is None:
            continue
        if not universe.target.holds(dependency.marker):
            if universe.sharing is None:  # for one of many targets, that is nothing to remark on
                notes.append(
                    f"{written.origin}: {written.origin.text.strip()} does not apply to {universe.target}"
                )
            continue
        replaced = universe.overrides_on(dependency.name)
        reason = Asked(written)
        needs = [
            need
            for item in ((dependency,) if replaced is None else replaced)
            for need in universe.require(item, reason)
        ]
        units.append(UserRequirement(written, tuple(needs)))
    for written in inputs.constraints:
        dependency = constraint_of(written)
        replaced = None if written.is_upgrade else universe.overrides_on(dependency.name)
        if universe.target.holds(dependency.marker) and replaced is None:
            mask = universe.mask(dependency.name, dependency.specifier)
            units.append(UserRequirement(written, limits=((dependency.name, mask),)))
    universe.ahead.picks(*demands(units))
    return units, notes


def asked_by(written: ParsedRequirement) -> str:
    """The origin of a line, as annotations in the lock name it."""

    path = written.file or written.origin.path
    return "the command line" if path is None else one_line(f"-r {path}")
