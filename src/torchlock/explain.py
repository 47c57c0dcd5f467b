"""A conflict in sentences: the guilty lines, what follows from them, and the sources of every step.

Nothing is worked out here: the solver's losses carry their reasons, and each reason its origin.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from torchlock.lock import dependency_of
from torchlock.matrix import BUILD_CUDA, EXCLUSION, HOST_PREFIX, cuda_version, is_virtual, specifier_set
from torchlock.solve.core import Unit, demands, guilty
from torchlock.solve.problem import bits, full
from torchlock.solve.propagate import Domains, Loss, Wipeout
from torchlock.solve.reasons import Asked, Built, Declared, Ruled, Unreadable
from torchlock.words import Dependency, spelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torchlock.lock import Conflict
    from torchlock.matrix import Source, Statement
    from torchlock.solve.candidates import Candidate, Rejected
    from torchlock.solve.universe import Universe
    from torchlock.target import Platform


@dataclass
class Explanation:
    """Why some lines cannot stand together: ``units`` are the smallest guilty set, ``steps`` the sentences."""

    units: list[Unit]
    steps: list[str]
    sources: list[Source] = field(default_factory=list)


def explain(conflict: Conflict) -> Explanation:
    """Find the smallest guilty set of a conflict and say what follows from it."""
    units = guilty(conflict.universe, conflict.units)
    teller = _Teller(conflict.universe, units)
    steps = list(dict.fromkeys(teller.steps()))
    matrix = conflict.universe.matrix
    sources = dict.fromkeys(source for statement in teller.cited for source in statement.sources)
    return Explanation(units, steps, [matrix.source(source) for source in sources])


class _Teller:
    """Turns the trace of a failing propagation into sentences; notes the statements it cites."""

    def __init__(self, universe: Universe, units: Sequence[Unit]) -> None:
        self.cited: dict[Statement, None] = {}
        self._universe = universe
        self._units = units

    def steps(self) -> Iterator[str]:
        for unit in self._units:
            dependency = dependency_of(unit.written)
            if all(not need.mask for need in unit.roots) and all(not mask for _, mask in unit.limits):
                yield from self._absent(dependency)
                return
        names = {dependency_of(unit.written).name for unit in self._units}
        if len(names) == 1 and len(self._units) > 1:
            asked = " and ".join(spelled(dependency_of(unit.written).specifier) for unit in self._units)
            yield f"no {names.pop()} that installs here satisfies {asked} together"
            return
        roots, limits = demands(self._units)
        domains = Domains(self._universe, limits)
        domains.trace()
        try:
            domains.require(roots)
        except Wipeout as wipeout:
            for loss in _relevant(domains.losses or [], wipeout.identifier):
                yield from self._without_any(loss)
                yield from self._sentences(loss, domains)
            yield from self._nothing_left(wipeout.identifier)
        else:
            yield "every two of these can stand together, but no choice of versions satisfies all of them"

    def _nothing_left(self, identifier: str) -> Iterator[str]:
        name = identifier.partition("[")[0]
        if name.startswith(EXCLUSION):
            yield "so one of the two has to give way"
        elif name in self._universe.unknown:
            yield self._universe.unknown[name].message
        elif not self._universe.candidates(name):
            yield from self._absent(Dependency(name))
        else:
            if not is_virtual(name):
                yield from self._rejections(name, self._rejected(name, self._asked(name)))
            yield f"so nothing is left for {_called(name)}"

    def _asked(self, name: str) -> str:
        """What the lines ask of a package, all together."""
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
                    if need.identifier == loss.identifier and not need.mask & loss.mask:
                        yield from self._because(need.reason)

    def _without_any(self, loss: Loss) -> Iterator[str]:
        """Why there is no candidate at all of what was needed, which is the root of a loss."""
        name = (loss.by or "").partition("[")[0]
        if name and not is_virtual(name) and loss.by != loss.identifier and not self._universe.candidates(name):
            yield from self._absent(Dependency(name))

    def _unread(self, lost: Sequence[Candidate]) -> Iterator[str]:
        """Releases of which nobody could read what they need: the newest with its reason, the others counted."""
        found = [
            reason
            for candidate in lost
            if (reason := self._universe.unreadable.get((candidate.name, str(candidate.version))))
        ]
        for reason in found[:1]:
            others = "" if len(found) < 2 else f" (and so for {_counted(item.version for item in found[1:])})"
            yield f"{reason.name} {reason.version}: {reason.message}{others}"

    def _unmeetable(self, loss: Loss) -> Iterator[str]:
        name = loss.identifier.partition("[")[0]
        lost = [self._universe.candidates(name)[index] for index in bits(loss.mask)]
        versions = _versions(str(candidate.version) for candidate in lost)
        reason = loss.cause.reason if loss.cause else None
        if isinstance(reason, Unreadable):
            yield from self._unread(lost)
        elif len(lost) == 1 or not isinstance(reason, (Ruled, Declared)) or reason.dependency is None:
            yield from self._because(reason)
        elif isinstance(reason, Ruled):
            self.cited[reason.statement] = None
            rule = reason.statement.rule
            yield (
                f"{_called(name)} {versions}: each needs another {_called(reason.dependency.name)} "
                f"({rule}: {self._universe.matrix.title(rule)})"
            )
        elif len(asked := self._declared_by(loss, lost)) == 1:
            yield f"{name} {versions}: each declares that it needs {asked.pop()}"
        else:
            yield f"{name} {versions}: each declares another {reason.dependency.name}"

    def _declared_by(self, loss: Loss, lost: Sequence[Candidate]) -> set[str]:
        """What these candidates declare of the package that they were lost for."""
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
            kind = "is a CPU build" if reason.cuda == "0" else f"is built for CUDA {reason.cuda}"
            yield f"torch {reason.version} {kind}"
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
                what = f"{reason.name} {reason.version} needs {_need(reason.dependency)}"
            yield f"{what}, because {statement.because} ({statement.rule}, {statement.kind})"

    def _builds_of_torch(self, dependency: Dependency) -> Iterator[str]:
        """What there is, where no torch at all is the build that is needed."""
        if self._universe.mask(BUILD_CUDA, dependency.specifier):
            return
        for candidate in self._universe.candidates("torch")[:3]:
            cuda = cuda_version(candidate.build)
            if cuda:
                yield from self._because(Built(str(candidate.version), cuda))

    def _absent(self, dependency: Dependency) -> Iterator[str]:
        """Why no candidate satisfies a requirement at all."""
        name, specifier = dependency.name, dependency.specifier
        if name.startswith(HOST_PREFIX):
            yield f"the target has no {_need(dependency)}"
            return
        if name in self._universe.unknown:
            yield self._universe.unknown[name].message
            return
        rejected = self._rejected(name, specifier)
        yield from self._rejections(name, rejected)
        if rejected:
            return
        candidates = self._universe.candidates(name)
        label = next((clause.version for clause in SpecifierSet(specifier) if "+" in clause.version), None)
        if label:
            build = label.partition("+")[2]
            yield (
                f"{name} {label} is not on this index: builds labelled +{build} are served by an index of their "
                f"own (give it with --index-url); this index has {name} {label.partition('+')[0]} unlabelled"
            )
        elif candidates:
            newest = max(candidate.version for candidate in candidates)
            yield f"there is no {name}{specifier}; the newest that installs on {self._universe.target} is {newest}"
        else:
            yield f"no release of {name} installs on {self._universe.target}"

    def _rejections(self, name: str, rejected: Sequence[Rejected]) -> Iterator[str]:
        target = self._universe.target
        reasons: dict[str, list[Rejected]] = {}
        for item in rejected:
            reasons.setdefault(item.why, []).append(item)
        for why, items in reasons.items():
            newest = items[-1]
            versions = _counted(item.version for item in items)
            if why == "wheel":
                yield f"{name} {versions}: no wheel for {target}{self._wheels_of(name, newest.version)}"
            elif why == "python":
                yield f"{name} {versions}: requires Python {newest.detail}, the target is {target.python.full}"
            elif why == "never":
                yield from self._never(name, newest)
            else:
                yield f"{name} {versions}: {_WHY[why].format(detail=newest.detail)}"

    def _never(self, name: str, rejected: Rejected) -> Iterator[str]:
        version = Version(rejected.version)
        for statement in self._universe.matrix.about(name):
            if statement.never and specifier_set(statement.when.specifier).contains(version):
                self.cited[statement] = None
                yield f"{name} {version} loads with nothing, because {statement.because} ({statement.rule})"

    def _wheels_of(self, name: str, version: str) -> str:
        """Which Pythons and platforms this release does have wheels for."""
        tags = self._universe.tags_of(name, version)
        target = self._universe.target
        here = [
            tag for tag in tags if _place(tag) in (str(target.platform), "any") and _libc(tag, target.platform)
        ]
        if not here:
            places = sorted({_place(tag) for tag in tags if _libc(tag, target.platform)})
            return f" ({version} has wheels for {', '.join(places)} only)" if places else ""
        pythons = {_python(tag) for tag in here if tag.split("-")[-2].endswith("t") == target.python.free_threaded}
        if str(target.python) in pythons:
            platforms = sorted({tag.rpartition("-")[2].partition(".")[0] for tag in here})
            return f" ({version} has wheels for {', '.join(platforms)})"
        return f" ({version} has wheels for Python {_versions(pythons)} there)" if pythons else ""


_WHY = {
    "yanked": "withdrawn by its publisher",
    "newer": "uploaded on {detail}, after --exclude-newer",
    "unreadable": "declares a requirement that no installer can read ({detail})",
    "sdist": "only a source distribution, and the torch family is never built from source",
}


def _relevant(losses: Sequence[Loss], identifier: str) -> list[Loss]:
    """The losses that led to an empty domain, alike ones merged, in the order of happening."""
    wanted = {identifier}
    chosen: list[Loss] = []
    for loss in reversed(losses):
        if loss.identifier in wanted:
            chosen.append(loss)
            if loss.by is not None:
                wanted.add(loss.by)
    merged: dict[tuple[object, ...], Loss] = {}
    for loss in reversed(chosen):
        reason = loss.cause.reason if loss.cause else None
        key = (loss.identifier, loss.by, type(reason), getattr(getattr(reason, "statement", None), "rule", None))
        known = merged.get(key)
        merged[key] = loss if known is None else known._replace(mask=known.mask | loss.mask)
    return list(merged.values())


def _called(name: str) -> str:
    """What a package is called in a sentence."""
    if name == BUILD_CUDA:
        return "CUDA build of torch"
    if name == f"{HOST_PREFIX}cuda-driver":
        return "NVIDIA driver"
    return name.removeprefix(HOST_PREFIX)


def _need(dependency: Dependency) -> str:
    if dependency.name == BUILD_CUDA:
        version = dependency.specifier.lstrip("=").removesuffix(".*")
        return "a CPU build of torch" if version == "0" else f"a torch built for CUDA {version}"
    return str(dependency).removeprefix(HOST_PREFIX)


def _versions(versions: Iterable[str]) -> str:
    """``2.0.1``, ``2.0.1, 2.0.2`` or ``2.0.1 to 2.10.0``."""
    known = sorted(set(versions), key=lambda text: Version(text.rstrip("t")))
    return ", ".join(known) if len(known) <= 3 else f"{known[0]} to {known[-1]}"


def _counted(versions: Iterable[str]) -> str:
    """As ``_versions``, but for releases between which others may lie that are not meant."""
    known = list(versions)
    return _versions(known) if len(known) <= 3 else f"{len(known)} releases from {_versions(known)}"


def _python(tags: str) -> str:
    interpreter, abi, _ = tags.split("-")[-3:]
    digits = interpreter.partition(".")[0].lstrip("cpy")
    return f"{digits[0]}.{digits[1:] or 0}" + ("t" if abi.endswith("t") else "")


def _place(tags: str) -> str:
    """The platform of a wheel, as --platform has it, or ``any``."""
    platform = tags.rpartition("-")[2]
    if platform == "any":
        return "any"
    system = "windows" if platform.startswith("win") else "macos" if platform.startswith("macosx") else "linux"
    machine = next((name for name in ("x86_64", "aarch64", "arm64", "amd64") if platform.endswith(name)), "other")
    return f"{system}-{machine}"


def _libc(tags: str, platform: Platform) -> bool:
    """Whether a wheel is for the same C library (or for none in particular)."""
    return platform.system != "linux" or ("musllinux" in tags) == (platform.libc == "musl")
