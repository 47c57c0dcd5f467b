"""Plan what to install so that an environment loads; the solver chooses, for this Python, platform and build."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from torchlock.answers import Unknown
from torchlock.check.context import dependencies_of
from torchlock.errors import TorchlockError
from torchlock.index.sources import Sources
from torchlock.knowledge.build_labels import kind_of, parse_label
from torchlock.knowledge.builds import Builds
from torchlock.knowledge.compatibility import CompatibilityTable
from torchlock.knowledge.rules import BUILD_CUDA, Matrix
from torchlock.knowledge.stack import FAMILY, MEMBERS, STACK
from torchlock.lock import Lock, Options, lock
from torchlock.solve.source import DelegatingSource
from torchlock.target import PLATFORMS
from torchlock.terms import Inputs, Origin, ParsedRequirement

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from torchlock.check import CheckContext
    from torchlock.knowledge.releases import Release
    from torchlock.knowledge.rules import Pinned, Statement
    from torchlock.solve.source import ReleaseSource
    from torchlock.target import Target

# Packages whose wheels have no label: torchtext, and all packages that are not compiled against torch.
_LABELLED = frozenset(name for name in FAMILY if MEMBERS[name].labels)


@cache
def _builds() -> Builds:
    return Builds()


class Plan(NamedTuple):
    """The packages to install: name → version, with the label if it comes from the page of one build.

    ``label`` is that build; "" for the public index.
    """

    versions: Mapping[str, str]
    label: str = ""


def planned(
    context: CheckContext,
    broken: Collection[str] = (),
    wanted: Collection[str] = (),
    asked: Sequence[str] = (),
    libraries: Mapping[str, str] | None = None,
) -> Plan | None:
    """The smallest set of packages to install; None if no set is known to load.

    ``broken`` are reinstalled even at the same version, ``wanted`` are added; ``asked`` are requirements that must
    hold, ``libraries`` are libraries of the machine that count. It tries in turn: another companion for the
    installed torch, another torch for the installed torchaudio, both; and each with the installed build first.
    """
    target = context.target
    if target is None or _is_vendors(context):
        return None
    target = replace(target, libraries={**target.libraries, **(libraries or {})})
    names = [name for name in STACK if name in context.pins or name in broken or name in wanted]
    for label in _labels(context, target):
        for constraints in ([*_constraints(context, names), *asked], [*asked]):
            for firm in ("torch", "torchaudio", ""):
                if firm and (
                    firm not in context.pins
                    or context.pins[firm].unversioned
                    or (firm == "torch" and not _serves(context, label))
                ):
                    continue
                plan = _solved(context, target, names, firm, label, constraints, broken)
                if plan is not None:
                    return plan
    return None


def _is_vendors(context: CheckContext) -> bool:
    label = context.label("torch")
    pin = context.pins.get("torch")
    return bool(label and kind_of(label) is None) or bool(
        pin and not pin.unversioned and pin.version.is_prerelease
    )


def _labels(context: CheckContext, target: Target) -> Iterator[str]:
    """The builds to try: the installed one, older ones of its kind, then the build of the public index.

    A ROCm environment does not get the public index, whose wheels are for CUDA.
    """
    if context.accelerator is not None:
        yield "" if context.accelerator in ("pypi", _public(context, target)) else context.accelerator
        return
    label = context.label("torch") or ""
    if not label or target.platform.system == "macos" or label == _public(context, target):
        yield ""
        return
    yield label
    yield from _older(label)
    if kind_of(label) != "rocm":
        yield ""


def _older(label: str) -> list[str]:
    """The two next older builds of the same kind that torchaudio has."""
    kind = kind_of(label)
    if kind not in ("cuda", "rocm"):
        return []
    known = {
        each
        for version in CompatibilityTable().packages["torchaudio"].versions
        for each in _known_labels("torchaudio", version)
        if kind_of(each) == kind and _number(each) < _number(label)
    }
    return sorted(known, key=_number, reverse=True)[:2]


def _known_labels(name: str, version: str) -> Collection[str]:
    """The labels that a command may name: the known ones; none for a release without a list of labels."""
    labels = _builds().labels(name, version)
    return () if isinstance(labels, Unknown) else labels


def _number(label: str) -> tuple[int, ...]:
    """The version in a label: ``cu130`` → 13, 0; ``rocm5.4.2`` → 5, 4, 2."""
    build = parse_label(label)
    return build.version if build is not None else ()


def _serves(context: CheckContext, label: str) -> bool:
    """Whether the installed torch can stay if everything else is of this build."""
    return label == context.label("torch") or (not label and context.accelerator is None)


def builds_for_cuda(context: CheckContext) -> list[str]:
    """The values of ``--accelerator`` for CUDA with the installed torch: ``pypi``, or labels."""
    target = context.target
    if target is None or target.platform.system == "macos" or "torch" not in context.pins:
        return []
    public = _public(context, target)
    if isinstance(public, str) and public.startswith("cu"):
        return ["pypi"]
    known = _known_labels("torch", context.pins["torch"].version.public)
    return sorted((each for each in known if kind_of(each) == "cuda"), key=_number, reverse=True)


def _public(context: CheckContext, target: Target) -> str | Unknown | None:
    """The build of this torch on the public index."""
    package = CompatibilityTable().packages["torch"]
    version = context.pins["torch"].version.public if "torch" in context.pins else ""
    if version not in package.versions or str(target.platform) not in PLATFORMS:
        return Unknown(f"the data have no torch {version} for {target.platform}", context.matrix.date)
    return package.build(package.versions.index(version), list(PLATFORMS).index(str(target.platform)))


def _constraints(context: CheckContext, names: Sequence[str]) -> list[str]:
    """The requirements of other packages on the stack that are satisfied now and must stay so."""
    from torchlock.knowledge.rules import specifier_set

    found = []
    for distribution in context.installed.distributions:
        for dependency in dependencies_of(distribution) if distribution.name not in STACK else ():
            pin = context.pins.get(dependency.name)
            if dependency.name not in names or pin is None or pin.unversioned or not dependency.specifier:
                continue
            is_kept = specifier_set(dependency.specifier).contains(pin.version)
            if is_kept and context.target and context.target.holds(dependency.marker):
                found.append(f"{dependency.name}{dependency.specifier}")
    return list(dict.fromkeys(found))


def _solved(
    context: CheckContext,
    target: Target,
    names: Sequence[str],
    firm: str,
    label: str,
    constraints: Sequence[str],
    broken: Collection[str],
) -> Plan | None:
    """The plan that keeps the version of ``firm`` ("" for none), with all packages of one build."""
    kept = {
        name: pin.version.public for name, pin in context.pins.items() if name in names and not pin.unversioned
    }
    lines = [f"{name}=={kept[name]}" if name == firm else name for name in names]
    inputs = Inputs([_written(line) for line in lines], [_written(line) for line in constraints])
    options = Options(preferred={name: version for name, version in kept.items() if name != firm})
    matrix = _WithoutBuildStatements() if label else context.matrix
    published = _BuildSource(Sources(offline=True), label, target)
    found = None
    if label and "torchcodec" in names:
        is_gone = "torchcodec" in broken or _is_other_build(context, "torchcodec", label, target)
        certain = _CertainTorchcodec(published, label, target, "" if is_gone else kept.get("torchcodec", ""))
        found = _locked(inputs, target, options, matrix, certain)
    found = found or _locked(inputs, target, options, matrix, published)
    if found is None:
        return None
    versions = {
        pin.name: _labelled(pin.name, pin.version, label, target)
        for pin in found.pins
        if pin.name in names
        and (
            pin.name in broken
            or pin.version != kept.get(pin.name)
            or _is_other_build(context, pin.name, label, target)
        )
    }
    is_labelled = any("+" in version for version in versions.values())
    return Plan(versions, label if is_labelled else "") if versions else None


def _locked(
    inputs: Inputs, target: Target, options: Options, matrix: Matrix, source: ReleaseSource
) -> Lock | None:
    try:
        found = lock(inputs, target, options, matrix, source)
    except TorchlockError:
        return None
    return found if isinstance(found, Lock) else None


class _BuildSource(DelegatingSource):
    """Only the releases that were published for one build; "" is the build of the public index."""

    def __init__(self, source: ReleaseSource, label: str, target: Target) -> None:
        super().__init__(source)
        self._label = label
        self._target = target

    def releases(self, name: str) -> Sequence[Release]:
        found = self.source.releases(name)
        return [each for each in found if _is_published(name, each.version, self._label, self._target)]


class _CertainTorchcodec(DelegatingSource):
    """Only releases of torchcodec that are installed or certainly have the build.

    The table knows few of its builds. If there are no such releases, all that may have the build.
    """

    def __init__(self, source: ReleaseSource, label: str, target: Target, installed: str) -> None:
        super().__init__(source)
        self._label = label
        self._target = target
        self._installed = installed

    def releases(self, name: str) -> Sequence[Release]:
        found = self.source.releases(name)
        return [each for each in found if name != "torchcodec" or self._is_certain(each.version)] or found

    def _is_certain(self, version: str) -> bool:
        return version == self._installed or _is_certain(version, self._label, self._target)


def _written(line: str) -> ParsedRequirement:
    from packaging.requirements import Requirement

    return ParsedRequirement(Requirement(line), Origin(None, None, line))


def _is_published(name: str, version: str, label: str, target: Target) -> bool:
    if not label or name not in _LABELLED:
        return True
    python = f"{target.python.major}.{target.python.minor}" + ("t" if target.python.free_threaded else "")
    if _builds().published(name, version, label, str(target.platform), python) is False:
        return False
    return name == "torchcodec" or _builds().published(name, version, label) is True


def _is_certain(version: str, label: str, target: Target) -> bool:
    return _builds().published("torchcodec", version, label, str(target.platform)) is True


def _labelled(name: str, version: str, label: str, target: Target) -> str:
    if not label or name not in _LABELLED:
        return version
    published = _builds().published(name, version, label, str(target.platform))
    plain = isinstance(published, Unknown) and name == "torchcodec"
    return version if plain else f"{version}+{label}"


def _is_other_build(context: CheckContext, name: str, label: str, target: Target) -> bool:
    """Whether the installed build differs from the planned one, even if the version is the same."""
    mine = context.label(name)
    if name not in _LABELLED or not mine:
        return False
    if label:
        return mine != label
    package = CompatibilityTable().packages.get(name)
    version = context.pins[name].version.public
    if package is None or version not in package.versions or str(target.platform) not in PLATFORMS:
        return False
    public = package.build(package.versions.index(version), list(PLATFORMS).index(str(target.platform)))
    return isinstance(public, str) and mine != public  # an unknown build is not called different


class _WithoutBuildStatements(Matrix):
    """The rules without statements on builds: all packages from the page of one build agree."""

    def statements_for(self, pinned: Pinned, target: Target) -> Iterator[Statement]:
        for statement in super().statements_for(pinned, target):
            if not statement.build and not any(item.name == BUILD_CUDA for item in statement.needs):
                yield statement
