"""Explain a conflict: the conflicting requirements, the steps that follow from them, and their sources.

This module computes nothing new: each loss of the solver has its reason, and each reason its origin.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from torchlock.answers import Unknown
from torchlock.knowledge.build_labels import describe_build, kind_of, needs_same_build
from torchlock.knowledge.builds import build_table
from torchlock.knowledge.indexes import page_of
from torchlock.knowledge.masks import bits, full
from torchlock.knowledge.releases import Provenance
from torchlock.knowledge.rules import (
    BUILD_CUDA,
    EXCLUSION,
    GIL,
    HOST_PREFIX,
    cuda_version,
    is_virtual,
    specifier_set,
)
from torchlock.knowledge.stack import FAMILY
from torchlock.lock import dependency_of
from torchlock.lock.missing_builds import missing, without_builds, without_wheel
from torchlock.lock.model import title_of
from torchlock.lock.phrasing import counted, named_releases, spanned, wheels_in_words
from torchlock.solve.candidates import UPLOADED, withdrawal
from torchlock.solve.conflict_core import UserRequirement, demands, involved, minimal_conflict, relevant
from torchlock.solve.counting import overfull
from torchlock.solve.kept import KeptRelease
from torchlock.solve.propagate import traced
from torchlock.solve.reasons import Asked, Built, Declared, Ruled, SameBuild, Unreadable
from torchlock.standards.dependency import Dependency, readable_specifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.finding import Evidence
    from torchlock.knowledge.rules import Statement
    from torchlock.lock import Conflict
    from torchlock.solve.candidates import Candidate, Rejected
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
        self._brief = brief
        self.cited: dict[Statement, None] = {}
        self.named: dict[str, None] = {}
        self._universe = universe
        self._units = units

    def steps(self) -> Iterator[str]:
        for unit in self._units:
            dependency = dependency_of(unit.written)
            if all(not need.mask for need in unit.roots) and all(not mask for _, mask in unit.limits):
                yield from list(self._overridden(dependency.name)) or self._absent(dependency)
                return
        names = {dependency_of(unit.written).name for unit in self._units}
        if len(names) == 1 and (excluded := self._excluded_upgrade(*names)):
            yield excluded
            return
        if len(names) == 1 and len(self._units) > 1:
            asked = " and ".join(readable_specifier(dependency_of(unit.written).specifier) for unit in self._units)
            name = names.pop()
            yield f"no {name} that installs here satisfies {asked} together{self._dated(name)}"
            return
        domains, losses, empty = traced(self._universe, *demands(self._units))
        if empty:
            for loss in _relevant(losses, empty):
                yield from self._kept(loss.by or "")
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

    def _kept(self, identifier: str) -> Iterator[str]:
        """What is installed already of a project, if it stays."""
        name = identifier.partition("[")[0]
        if not name or is_virtual(name):
            return
        for candidate in self._universe.candidates(name):
            if isinstance(candidate.release, KeptRelease):
                package = candidate.release.package
                self.named.update(dict.fromkeys(package.sources))
                yield f"{package.owner} has {package}, which is not replaced"

    def _dated(self, name: str) -> str:
        """The date to add to a statement about the releases of a project."""
        return "" if self._brief else self._universe.provenance(name).dated

    def _nothing_left(self, identifier: str, domains: Domains) -> Iterator[str]:
        name = identifier.partition("[")[0]
        if name.startswith(EXCLUSION):
            yield "so only one of the two can be installed"
        elif name in self._universe.unknown:
            yield self._universe.unknown[name].message
        elif not self._universe.candidates(name):
            if name.startswith(HOST_PREFIX):
                yield from self._who_needs(name, domains)
            yield from self._absent(Dependency(name))
        elif name.startswith(HOST_PREFIX):
            library = name.removeprefix(HOST_PREFIX)
            version = self._universe.target.libraries.get(library) or self._universe.candidates(name)[0].version
            yield f"the target has {_called(name)} {version}"
        elif overridden := list(self._overridden(name)):
            yield from overridden
        elif kept := list(self._kept(name)):
            yield from kept
        else:
            if overrides := [override.specifier for override in self._universe.overrides_on(name) or ()]:
                yield f"an override replaces what others declare about {name}: {name}{','.join(overrides)}"
            elif not is_virtual(name):
                yield from self._rejections(name, self._rejected(name, self._asked(name)))
                yield from self._withdrawn(name, self._asked(name))
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
        yield from self._rejections(name, self._rejected(name, together))
        asked = " and ".join(map(readable_specifier, overrides))
        word = "overrides" if len(overrides) > 1 else "override"
        yield f"no {name} that installs here satisfies the {word} {asked}{self._dated(name)}"

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

    def _rejected(self, name: str, specifier: str) -> list[Rejected]:
        admitted = specifier_set(specifier)
        return [item for item in self._universe.rejected(name) if admitted.contains(item.version)]

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
            yield from self._absent(Dependency(name))

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
                f"{_subject(name)} {versions}: each needs another {_called(reason.dependency.name)} "
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
                what = f"{_subject(reason.name)} {reason.version} needs {_need(reason.dependency)}"
            yield f"{what}, because {statement.because} ({statement.rule}, {statement.kind})"

    def _builds_of_torch(self, dependency: Dependency) -> Iterator[str]:
        """The builds of torch that exist, if none of them is the needed one."""
        if self._universe.mask(BUILD_CUDA, dependency.specifier):
            return
        for candidate in self._universe.candidates("torch")[:3]:
            cuda = cuda_version(candidate.build)
            if isinstance(cuda, str):
                yield from self._because(Built(str(candidate.version), cuda, str(candidate.build)))

    def _absent(self, dependency: Dependency) -> Iterator[str]:
        """Why no candidate satisfies a requirement."""
        name, specifier = dependency.name, dependency.specifier
        if name.startswith(HOST_PREFIX):
            yield "the target has no " + _need(dependency).removeprefix("a ")
            return
        if name in self._universe.unknown:
            yield self._universe.unknown[name].message
            return
        if kept := list(self._kept(name)):
            yield from kept
            return
        rejected = self._rejected(name, specifier)
        yield from self._rejections(name, rejected)
        if rejected:
            return
        candidates = self._universe.candidates(name)
        if withdrawn := list(self._withdrawn(name, specifier)):
            yield from withdrawn
            return
        label = next((clause.version for clause in SpecifierSet(specifier) if "+" in clause.version), None)
        if label:
            yield self._labelled(name, *label.split("+", 1))
        elif candidates:
            newest = max((item.version for item in candidates if _has_files(item)), default=None)
            lacking = self._lacking(name, specifier)
            there = f"; the newest that installs on {self._universe.target} is {newest}" if newest else ""
            yield lacking if self._brief else f"{lacking}{there}"
        elif self._universe.provenance(name).folder:
            yield self._lacking(name, specifier)
        else:
            yield f"no release of {name} installs on {self._universe.target}{self._dated(name)}"

    def _lacking(self, name: str, specifier: str) -> str:
        source = self._universe.provenance(name)
        if source.folder:
            target = self._universe.target
            return without_builds(source, target) or missing(name, specifier, source, target, brief=self._brief)
        return f"there is no {name}{specifier}{source.dated}"

    def _withdrawn(self, name: str, specifier: str) -> Iterator[str]:
        """Releases of a project that would satisfy the specifier if they were not withdrawn (PEP 592)."""
        admitted = specifier_set(specifier)
        reasons: dict[str, list[str]] = {}
        for candidate in reversed(self._universe.withdrawn(name)):
            if admitted.contains(candidate.version):
                reasons.setdefault(withdrawal(candidate), []).append(str(candidate.version))
        for reason, versions in reasons.items():
            subject = named_releases(name, versions)
            yield f"{subject}: {reason}; only an exact pin selects it: {name}=={versions[-1]}"

    def _labelled(self, name: str, version: str, build: str) -> str:
        """Which index serves a build that none of the used indexes has."""
        bare = next((each for each in self._universe.candidates(name) if str(each.version) == version), None)
        built = f", built for {bare.build}" if bare is not None and isinstance(bare.build, str) else ""
        plain = f"; it has {name} {version} without a label{built}" if bare is not None else ""
        asked = self._universe.provenance(name)
        if asked.folder:
            return f"{asked.folder} has no builds with the label +{build}"
        lacking = f"{asked.where or 'the public index'} has no {name} {version}+{build}{asked.dated}"
        if name not in FAMILY or kind_of(build) is None:
            return f"{lacking}: name the index that serves it with --index-url{plain}"
        target = self._universe.target
        published = build_table().published(name, version, build, str(target.platform), str(target.python))
        if published is False:
            return f"{lacking}, which was never published for {target}{plain}"
        served = "use"
        if isinstance(published, Unknown):
            served = f"it is unknown whether it was published; for builds of +{build}, use"
        return f"{lacking}: {served} --accelerator {build}, or --index-url {page_of(build)}{plain}"

    def _rejections(self, name: str, rejected: Sequence[Rejected]) -> Iterator[str]:
        target = self._universe.target
        reasons: dict[tuple[str, str], list[Rejected]] = {}
        for item in rejected:
            reasons.setdefault((item.why, _distinct(item)), []).append(item)
        for (why, _), items in reasons.items():
            newest = items[-1]
            subject = named_releases(name, (item.version for item in items))
            if why == "wheel":
                yield self._without_wheel(name, newest.version, subject)
            elif why == "python":
                yield f"{subject}: requires Python {newest.detail}, the target has {target.python.full}"
            elif why == "never":
                yield from self._never(name, newest)
            elif why == "newer" and len(items) > 1 and newest.detail.startswith(UPLOADED):
                day = newest.detail.removeprefix(UPLOADED).partition(",")[0]
                yield f"{subject}: uploaded after --exclude-newer ({newest.version} on {day})"
            else:
                yield f"{subject}: {_WHY[why].format(detail=newest.detail)}"

    def _without_wheel(self, name: str, newest: str, subject: str) -> str:
        target, source = self._universe.target, self._universe.provenance(name)
        if sentence := without_builds(source, target):
            return sentence
        if self._brief:
            what = without_wheel(name, newest, source, target, brief=True)
            alone = not self._universe.candidates(name) and not self._universe.withdrawn(name)
            alone = alone and all(item.why == "wheel" for item in self._universe.rejected(name))
            return what.replace("wheel", name, 1) if alone else f"{subject}: {what}"
        wheels = wheels_in_words(newest, self._universe.tags_of(name, newest), target)
        return f"{subject}: {without_wheel(name, newest, source, target)}{wheels}"

    def _never(self, name: str, rejected: Rejected) -> Iterator[str]:
        version = Version(rejected.version)
        for statement in self._universe.matrix.about(name):
            if statement.never and specifier_set(statement.when.specifier).contains(version):
                self.cited[statement] = None
                why = f"{statement.does_not_load}, because {statement.because}"
                yield f"{name} {version} {why} ({statement.rule})"


_WHY = {
    "newer": "{detail}",
    "unreadable": "{detail}",
    "gpu": "{detail}",
    "sdist": "only a source distribution, and torchlock never builds the torch family from source",
}


def _relevant(losses: Sequence[Loss], identifier: str) -> list[Loss]:
    """The losses that led to an empty domain, in their order; losses with the same reason are merged."""
    merged: dict[tuple[object, ...], Loss] = {}
    for loss in relevant(losses, identifier):
        reason = loss.cause.reason if loss.cause else None
        key = (loss.identifier, loss.by, type(reason), getattr(getattr(reason, "statement", None), "rule", None))
        known = merged.get(key)
        merged[key] = loss if known is None else known._replace(mask=known.mask | loss.mask)
    return list(merged.values())


def _distinct(item: Rejected) -> str:
    """What keeps a rejected release out of one sentence with others that have the same kind of reason."""
    if item.why == "newer":
        return UPLOADED if item.detail.startswith(UPLOADED) else item.detail
    return item.detail if item.why in ("gpu", "unreadable") else ""


def _has_files(candidate: Candidate) -> bool:
    """Whether a file of a release is known. A virtual package has none, and needs none."""
    return candidate.release is None or not candidate.release.tags or bool(candidate.release.files())


def _listed(names: Sequence[str]) -> str:
    """Up to nine names, else the first and the last one."""
    return ", ".join(names) if len(names) < 10 else f"{names[0]} … {names[-1]}"


def _called(name: str) -> str:
    """The name of a package or a library of the machine in a sentence."""
    if name == BUILD_CUDA:
        return "CUDA build of torch"
    if name == GIL:
        return "Python with the global interpreter lock"
    library = name.removeprefix(HOST_PREFIX)
    return library if library == name else title_of(library)


def _subject(name: str) -> str:
    """The name before a version: ``CUDA`` for the CUDA version of the torch build."""
    return "CUDA" if name == BUILD_CUDA else _called(name)


def _need(dependency: Dependency) -> str:
    """A requirement in words: ``NVIDIA driver 580 or newer``, ``a CPU build of torch``, ``torch==2.8.*``."""
    if dependency.name == BUILD_CUDA:
        version = dependency.specifier.lstrip("=").removesuffix(".*")
        return "a CPU build of torch" if version == "0" else f"a torch built for CUDA {version}"
    if dependency.name == GIL:
        return "a Python with the global interpreter lock"
    if not dependency.name.startswith(HOST_PREFIX):
        return str(dependency)
    library, specifier = _called(dependency.name), dependency.specifier
    lowest = specifier.removeprefix(">=")
    if specifier.startswith(">=") and "," not in specifier:
        return f"{library} {lowest} or newer"
    return f"{library} {readable_specifier(specifier)}".strip()
