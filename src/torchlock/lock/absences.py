"""Why a solver has no candidate for a requirement: no release, no wheel, withdrawn, another build."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from torchlock.answers import Unknown
from torchlock.knowledge.build_labels import kind_of
from torchlock.knowledge.builds import build_table
from torchlock.knowledge.indexes import page_of
from torchlock.knowledge.rules import HOST_PREFIX, is_virtual, specifier_set
from torchlock.knowledge.stack import FAMILY
from torchlock.lock.missing_builds import missing, without_builds, without_wheel
from torchlock.lock.phrasing import named_releases, need_in_words, wheels_in_words
from torchlock.solve.candidates import UPLOADED, withdrawal
from torchlock.solve.kept import KeptRelease

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.knowledge.rules import Statement
    from torchlock.solve.candidates import Candidate, Rejected
    from torchlock.solve.universe import Universe
    from torchlock.standards.dependency import Dependency

_WHY = {
    "newer": "{detail}",
    "unreadable": "{detail}",
    "gpu": "{detail}",
    "sdist": "only a source distribution, and torchlock never builds the torch family from source",
}


class Absences:
    """Says why requirements have no candidate, and collects what it cites.

    ``cited`` are the statements of rules, ``named`` further sources, of what is installed already. ``brief`` is
    for a list of builds: without the folder and its date, and without the releases that there are.
    """

    def __init__(self, universe: Universe, *, brief: bool) -> None:
        self.cited: dict[Statement, None] = {}
        self.named: dict[str, None] = {}
        self._universe = universe
        self._brief = brief

    def of(self, dependency: Dependency) -> Iterator[str]:
        """Why no candidate satisfies a requirement."""
        name, specifier = dependency.name, dependency.specifier
        if name.startswith(HOST_PREFIX):
            yield "the target has no " + need_in_words(dependency).removeprefix("a ")
            return
        if name in self._universe.unknown:
            yield self._universe.unknown[name].message
            return
        if kept := list(self.kept(name)):
            yield from kept
            return
        rejected = self.rejected(name, specifier)
        yield from self.rejections(name, rejected)
        if rejected:
            return
        candidates = self._universe.candidates(name)
        if withdrawn := list(self.withdrawn(name, specifier)):
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
            yield f"no release of {name} installs on {self._universe.target}{self.dated(name)}"

    def kept(self, identifier: str) -> Iterator[str]:
        """What is installed already of a project, if it stays."""
        name = identifier.partition("[")[0]
        if not name or is_virtual(name):
            return
        for candidate in self._universe.candidates(name):
            if isinstance(candidate.release, KeptRelease):
                package = candidate.release.package
                self.named.update(dict.fromkeys(package.sources))
                yield f"{package.owner} has {package}, which is not replaced"

    def dated(self, name: str) -> str:
        """The date to add to a statement about the releases of a project."""
        return "" if self._brief else self._universe.provenance(name).dated

    def rejected(self, name: str, specifier: str) -> list[Rejected]:
        admitted = specifier_set(specifier)
        return [item for item in self._universe.rejected(name) if admitted.contains(item.version)]

    def rejections(self, name: str, rejected: Sequence[Rejected]) -> Iterator[str]:
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

    def withdrawn(self, name: str, specifier: str) -> Iterator[str]:
        """Releases of a project that would satisfy the specifier if they were not withdrawn (PEP 592)."""
        admitted = specifier_set(specifier)
        reasons: dict[str, list[str]] = {}
        for candidate in reversed(self._universe.withdrawn(name)):
            if admitted.contains(candidate.version):
                reasons.setdefault(withdrawal(candidate), []).append(str(candidate.version))
        for reason, versions in reasons.items():
            subject = named_releases(name, versions)
            yield f"{subject}: {reason}; only an exact pin selects it: {name}=={versions[-1]}"

    def _lacking(self, name: str, specifier: str) -> str:
        source = self._universe.provenance(name)
        if source.folder:
            target = self._universe.target
            return without_builds(source, target) or missing(name, specifier, source, target, brief=self._brief)
        return f"there is no {name}{specifier}{source.dated}"

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


def _distinct(item: Rejected) -> str:
    """What keeps a rejected release out of one sentence with others that have the same kind of reason."""
    if item.why == "newer":
        return UPLOADED if item.detail.startswith(UPLOADED) else item.detail
    return item.detail if item.why in ("gpu", "unreadable") else ""


def _has_files(candidate: Candidate) -> bool:
    """Whether a file of a release is known. A virtual package has none, and needs none."""
    return candidate.release is None or not candidate.release.tags or bool(candidate.release.files())
