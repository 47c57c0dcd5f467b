"""Explain a conflict: the conflicting requirements, the steps that follow from them, and their sources.

This module computes nothing new: each loss of the solver has its reason, and each reason its origin.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torchlock.knowledge.build_labels import describe_build, needs_same_build
from torchlock.knowledge.masks import bits, full
from torchlock.knowledge.releases import Provenance
from torchlock.knowledge.rules import (
    BUILD_CUDA,
    EXCLUSION,
    HOST_PREFIX,
    cuda_version,
    is_virtual,
)
from torchlock.lock import dependency_of
from torchlock.lock.absences import Absences
from torchlock.lock.phrasing import called, counted, need_in_words, spanned, subject_of
from torchlock.solve.conflict_core import involved, minimal_conflict, relevant
from torchlock.solve.counting import overfull
from torchlock.solve.lines import UserRequirement, demands
from torchlock.solve.propagate import traced
from torchlock.solve.reasons import Asked, Built, Declared, Ruled, SameBuild, Unreadable
from torchlock.standards.dependency import Dependency, readable_specifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.finding import Evidence
    from torchlock.lock import Conflict
    from torchlock.solve.candidates import Candidate
    from torchlock.solve.propagate import Domains, Loss
    from torchlock.solve.universe import Universe


# How the last step of many explanations begins.
CONCLUSION = "so no "


@dataclass
class Explanation:
    """Why some requirements conflict: ``units`` is the smallest conflicting set, ``steps`` the sentences.

    ``as_of`` is the date of the snapshot that a step depends on, or "" if indexes were asked for everything.
    """

    units: list[UserRequirement]
    steps: list[str]
    sources: list[Evidence] = field(default_factory=list)
    as_of: str = ""

    @property
    def dated(self) -> str:
        """The date that ends a heading about existing releases."""
        return Provenance(as_of=self.as_of).dated

    @property
    def reasons(self) -> list[str]:
        """The steps without the conclusion that nothing is left."""
        return [step for step in self.steps if not step.startswith(CONCLUSION)] or self.steps

    @property
    def advice(self) -> str:
        """A hint: how to get later releases."""
        return f"releases are as of {self.as_of}: run without --offline, or with --refresh, to get later ones"


def explain(conflict: Conflict, *, brief: bool = False) -> Explanation:
    """Find the smallest conflicting set of requirements, and explain it step by step.

    ``brief`` is for a list of builds: without the folder and its date, and without the releases that there are.
    """
    units = minimal_conflict(conflict.universe, conflict.units)
    narrator = _Narrator(conflict.universe, units, brief=brief)
    steps = list(dict.fromkeys(narrator.steps()))
    matrix = conflict.universe.matrix
    sources = dict.fromkeys(source for statement in narrator.cited for source in statement.sources)
    sources.update(narrator.named)
    as_of = max(
        (conflict.universe.provenance(name).as_of for name in involved(conflict.universe, units)), default=""
    )
    return Explanation(units, steps, [matrix.source(source) for source in sources], as_of)


class _Narrator:
    """Turns the trace of a failed propagation into sentences, and collects the statements that it cites.

    ``named`` are further sources, of what is installed already.
    """

    def __init__(self, universe: Universe, units: Sequence[UserRequirement], *, brief: bool = False) -> None:
        self._absences = Absences(universe, brief=brief)
        self.cited, self.named = self._absences.cited, self._absences.named
        self._universe = universe
        self._units = units
        self._told: list[Dependency] = []
        """The requirements of packages that the steps have named."""

    def steps(self) -> Iterator[str]:
        for unit in self._units:
            dependency = dependency_of(unit.written)
            if all(not need.mask for need in unit.roots) and all(not mask for _, mask in unit.limits):
                yield from list(self._overridden(dependency.name)) or self._absences.of(dependency)
                return
        names = {dependency_of(unit.written).name for unit in self._units}
        if len(names) == 1 and (excluded := self._excluded_upgrade(*names)):
            yield excluded
            return
        if len(names) == 1 and not self._universe.mask(name := names.pop(), self._asked(name)):
            stated = [dependency_of(unit.written).specifier for unit in self._units]
            asked = " and ".join(map(readable_specifier, filter(None, stated)))
            yield f"no {name} that installs here satisfies {asked} together{self._absences.dated(name)}"
            return
        domains, losses, empty = traced(self._universe, *demands(self._units))
        if empty:
            for loss in _relevant(losses, empty):
                yield from self._absences.kept(loss.by or "")
                yield from self._without_any(loss)
                yield from self._sentences(loss, domains)
            yield from self._nothing_left(empty, domains)
        elif crowd := overfull(self._universe, domains):
            yield (
                f"each of the {len(crowd.packages)} packages {_listed(crowd.packages)} needs a release of one of "
                f"the {len(crowd.shared)} packages {_listed(crowd.shared)} that suits no other of them"
            )
        else:
            yield "any two of these are compatible, but no choice of versions satisfies all of them"

    def _nothing_left(self, identifier: str, domains: Domains) -> Iterator[str]:
        name = identifier.partition("[")[0]
        if name.startswith(EXCLUSION):
            yield "so only one of the two can be installed"
        elif name in self._universe.unknown:
            yield self._universe.unknown[name].message
        elif not self._universe.candidates(name):
            if name.startswith(HOST_PREFIX):
                yield from self._who_needs(name, domains)
            yield from self._absences.of(Dependency(name))
        elif name.startswith(HOST_PREFIX):
            library = name.removeprefix(HOST_PREFIX)
            version = self._universe.target.libraries.get(library) or self._universe.candidates(name)[0].version
            yield f"the target has {called(name)} {version}"
        elif overridden := list(self._overridden(name)):
            yield from overridden
        elif kept := list(self._absences.kept(name)):
            yield from kept
        else:
            if overrides := self._universe.overrides_on(name):
                yield f"an override replaces what others declare about {name}: {' and '.join(map(str, overrides))}"
            elif not is_virtual(name):
                wanted = self._wanted(name)
                yield from self._absences.rejections(name, self._absences.rejected(name, wanted))
                yield from self._absences.withdrawn(name, wanted)
            yield f"{CONCLUSION}{'build of torch' if name == BUILD_CUDA else f'version of {name}'} is left"

    def _excluded_upgrade(self, name: str) -> str:
        """That an override excludes the release of --upgrade-package; "" if none does."""
        overrides = [
            override.specifier for override in self._universe.overrides_on(name) or () if override.specifier
        ]
        upgrades = [dependency_of(unit.written).specifier for unit in self._units if unit.written.is_upgrade]
        if not overrides or not upgrades or self._universe.mask(name, ",".join([*overrides, *upgrades])):
            return ""
        asked = " and ".join(map(readable_specifier, [*overrides, *upgrades]))
        return f"no {name} that installs here satisfies the override and --upgrade-package together: {asked}"

    def _overridden(self, name: str) -> Iterator[str]:
        """The overrides on a package that no release satisfies, and why those that would are rejected."""
        overrides = [override.specifier for override in self._universe.overrides_on(name) or ()]
        together = ",".join(filter(None, overrides))
        if not overrides or self._universe.mask(name, together):
            return
        yield from self._absences.rejections(name, self._absences.rejected(name, together))
        asked = " and ".join(map(readable_specifier, overrides))
        word = "overrides" if len(overrides) > 1 else "override"
        yield f"no {name} that installs here satisfies the {word} {asked}{self._absences.dated(name)}"

    def _who_needs(self, name: str, domains: Domains) -> Iterator[str]:
        """Which packages need the missing host library: the best release of each required package."""
        for identifier in domains.must:
            for index in list(bits(domains.left[identifier]))[:1]:
                for need in self._universe.needs(identifier, index):
                    if need.identifier == name:
                        yield from self._because(need.reason)

    def _asked(self, name: str) -> str:
        """The specifiers of all lines about a package, joined."""
        asked = (dependency_of(unit.written) for unit in self._units)
        return ",".join(item.specifier for item in asked if item.name == name and item.specifier)

    def _wanted(self, name: str) -> str:
        """The specifiers of all lines, and of all packages that the steps have named, about a package, joined."""
        told = [dependency.specifier for dependency in self._told if dependency.name == name]
        return ",".join(filter(None, [self._asked(name), *told]))

    def _sentences(self, loss: Loss, domains: Domains) -> Iterator[str]:
        cause = loss.cause
        if cause is None or isinstance(cause.reason, Asked):
            return
        if cause.reason is not None:  # a candidate lost because one of its needs cannot be met
            yield from self._unmeetable(loss)
        elif loss.by is not None:
            index_mask = domains.left[loss.by] or full(self._universe.size(loss.by))
            for index in list(bits(index_mask))[:3]:
                for need in self._universe.needs(loss.by, index):
                    excludes = not cause.mask or not need.mask & loss.mask  # or the needs exclude each other
                    if need.identifier == loss.identifier and excludes:
                        yield from self._because(need.reason)

    def _without_any(self, loss: Loss) -> Iterator[str]:
        """Why the needed package has no candidates, which is the root of a loss."""
        name = (loss.by or "").partition("[")[0]
        if name and not is_virtual(name) and loss.by != loss.identifier and not self._universe.candidates(name):
            yield from self._absences.of(Dependency(name))

    def _unread(self, lost: Sequence[Candidate]) -> Iterator[str]:
        """Name the newest release whose requirements could not be read, with its reason; count the others."""
        found = [
            reason
            for candidate in lost
            if (reason := self._universe.unreadable.get((candidate.name, str(candidate.version))))
        ]
        for reason in found[:1]:
            others = "" if len(found) < 2 else f" (likewise {counted(item.version for item in found[1:])})"
            yield f"{reason.name} {reason.version}: {reason.message}{others}"

    def _unmeetable(self, loss: Loss) -> Iterator[str]:
        name = loss.identifier.partition("[")[0]
        lost = [self._universe.candidates(name)[index] for index in bits(loss.mask)]
        versions = spanned(str(candidate.version) for candidate in lost)
        reason = loss.cause.reason if loss.cause else None
        if isinstance(reason, Unreadable):
            yield from self._unread(lost)
        elif len(lost) == 1 or not isinstance(reason, (Ruled, Declared)) or reason.dependency is None:
            yield from self._because(reason)
        elif isinstance(reason, Ruled):
            self.cited[reason.statement] = None
            rule = reason.statement.rule
            yield (
                f"{subject_of(name)} {versions}: each needs another {called(reason.dependency.name)} "
                f"({rule}: {self._universe.matrix.title(rule)})"
            )
        elif len(asked := self._declared_by(loss, lost)) == 1:
            yield f"{name} {versions}: each declares that it needs {asked.pop()}"
        else:
            yield f"{name} {versions}: each declares that it needs another {reason.dependency.name}"

    def _declared_by(self, loss: Loss, lost: Sequence[Candidate]) -> set[str]:
        """The requirements of these candidates on the package that ruled them out."""
        candidates = self._universe.candidates(loss.identifier)
        reasons = (
            need.reason
            for candidate in lost
            for need in self._universe.needs(loss.identifier, candidates.index(candidate))
            if need.identifier == loss.by
        )
        return {str(reason.dependency) for reason in reasons if isinstance(reason, Declared)}

    def _because(self, reason: object) -> Iterator[str]:
        if isinstance(reason, (Declared, Ruled)) and reason.dependency is not None:
            self._told.append(reason.dependency)
        if isinstance(reason, Declared):
            yield f"{reason.name} {reason.version} declares that it needs {reason.dependency}"
        elif isinstance(reason, Built):
            if reason.cuda != "0":
                yield f"torch {reason.version} is built for CUDA {reason.cuda}"
            elif needs_same_build(reason.build):
                yield f"torch {reason.version} is built for {describe_build(reason.build)}"
            else:
                yield f"torch {reason.version} is a CPU build"
        elif isinstance(reason, SameBuild):
            accelerator = describe_build(reason.build)
            yield f"{reason.name} {reason.version} is built for {accelerator}, and needs a torch built for it"
        elif isinstance(reason, Unreadable):
            yield f"{reason.name} {reason.version}: {reason.message}"
        elif isinstance(reason, Ruled):
            statement = reason.statement
            self.cited[statement] = None
            if reason.dependency is None:
                forbidden = " or ".join(str(dependency) for dependency in statement.forbids)
                what = f"{statement.when} does not load beside {forbidden}"
            else:
                if reason.dependency.name == BUILD_CUDA:
                    yield from self._builds_of_torch(reason.dependency)
                what = f"{subject_of(reason.name)} {reason.version} needs {need_in_words(reason.dependency)}"
            yield f"{what}, because {statement.because} ({statement.rule}, {statement.kind})"

    def _builds_of_torch(self, dependency: Dependency) -> Iterator[str]:
        """The builds of torch that exist, if none of them is the needed one."""
        if self._universe.mask(BUILD_CUDA, dependency.specifier):
            return
        for candidate in self._universe.candidates("torch")[:3]:
            cuda = cuda_version(candidate.build)
            if isinstance(cuda, str):
                yield from self._because(Built(str(candidate.version), cuda, str(candidate.build)))


def _relevant(losses: Sequence[Loss], identifier: str) -> list[Loss]:
    """The losses that led to an empty domain, in their order; losses with the same reason are merged."""
    merged: dict[tuple[object, ...], Loss] = {}
    for loss in relevant(losses, identifier):
        reason = loss.cause.reason if loss.cause else None
        key = (loss.identifier, loss.by, type(reason), getattr(getattr(reason, "statement", None), "rule", None))
        known = merged.get(key)
        merged[key] = loss if known is None else known._replace(mask=known.mask | loss.mask)
    return list(merged.values())


def _listed(names: Sequence[str]) -> str:
    """Up to nine names, else the first and the last one."""
    return ", ".join(names) if len(names) < 10 else f"{names[0]} … {names[-1]}"
