"""Plan what to install so that an environment loads; the solver chooses, for this Python, platform and build."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torchlock.answers import Unknown
from torchlock.check.context import dependencies_of
from torchlock.check.fix.torch_builds import change_of_build, labels_to_try, public_build, public_of
from torchlock.check.index_wheels import has_wheels, labels_of, likely_has_wheels, wheel_version
from torchlock.check.vendors import is_of_no_index
from torchlock.check.windows_libraries import is_of_amd
from torchlock.errors import TorchlockError
from torchlock.index.sources import Sources
from torchlock.knowledge.build_labels import kind_of
from torchlock.knowledge.releases import CatalogueRelease
from torchlock.knowledge.rules import BUILD_CUDA, Matrix
from torchlock.knowledge.stack import FAMILY, MEMBERS, STACK
from torchlock.lock import Lock, Options, lock
from torchlock.records import replace
from torchlock.solve.source import DelegatingSource
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
# What a plan chooses, and torchdata, by which torchtext requires a torch.
_PLANNED = frozenset({*STACK, "torchdata"})


class Plan(NamedTuple):
    """The packages to install: name → version, as the wheels have it.

    ``label`` is the build whose page has those in ``page``; "" if all come from the public index. ``unsure`` are
    those of which it is not known whether the page has them. ``alone``: their requirements must stay as they are,
    because an installer would replace the installed build of torch.
    """

    versions: Mapping[str, str]
    label: str = ""
    page: frozenset[str] = frozenset()
    unsure: tuple[str, ...] = ()
    alone: bool = False


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
    installed torch, another torch for the installed torchaudio, both. The installed torch is never replaced by a
    build for fewer devices, unless ``--accelerator`` asks for one.
    """
    target = context.target
    if target is None or _is_vendors(context):
        return None
    target = replace(target, libraries={**target.libraries, **(libraries or {})})
    names = [name for name in STACK if name in context.pins or name in broken or name in wanted]
    own, source = _constraints(context, names), Sources(offline=True)
    for constraints in [[*own, *asked], [*asked]] if own else [[*asked]]:
        goals = [
            _Goal(target, names, firm, label, constraints, broken, certain, source)
            for firm, label, certain in _attempts(context, target)
        ]
        others: list[Plan] = []
        for plan in filter(None, (_solved(context, goal) for goal in goals)):
            if (change := _change(context, plan, target)) == "":
                return plan
            others += [plan] if change == "version" else []
        if others:
            return others[0]
    return None


def _change(context: CheckContext, plan: Plan, target: Target) -> str:
    torch = plan.versions.get("torch")
    return "" if torch is None else change_of_build(context, torch, plan.label, target)


def _attempts(context: CheckContext, target: Target) -> list[tuple[str, str, bool]]:
    """What is kept, in which build, and whether only with known wheels; the smallest change first.

    First torch stays: with companions of its build, then of the public index, then with wheels that may exist.
    """
    labels = list(labels_to_try(context, target))
    found = [
        ("torch", label, certain) for certain in (True, False) for label in labels if label in ("", labels[0])
    ]
    found += [(firm, label, True) for label in labels for firm in ("torch", "torchaudio", "")]
    found += [(firm, labels[0], False) for firm in ("torchaudio", "") if context.accelerator]
    return [each for each in dict.fromkeys(found) if _is_open(context, *each)]


class _Goal(NamedTuple):
    """What one attempt keeps and allows.

    ``firm`` is the package that keeps its version, "" for none; all packages are of the build ``label``.
    ``certain``: only wheels that are known to exist. ``source`` has the releases of all builds.
    """

    target: Target
    names: Sequence[str]
    firm: str
    label: str
    constraints: Sequence[str]
    broken: Collection[str]
    certain: bool
    source: ReleaseSource


def _is_open(context: CheckContext, firm: str, label: str, certain: bool) -> bool:
    """Whether an attempt makes sense: the package that keeps its version can do so in this build."""
    if firm and (firm not in context.pins or context.pins[firm].unversioned):
        return False
    if not certain and not label:
        return False  # The releases of the public index are all known.
    return firm != "torch" or not label or context.accelerator is not None or label == context.label("torch")


def _is_vendors(context: CheckContext) -> bool:
    label = context.label("torch")
    pin = context.pins.get("torch")
    if is_of_amd(context):
        return True
    if is_of_no_index(context, "torch") or bool(label and kind_of(label) is None):
        return True
    return bool(pin and not pin.unversioned and pin.version.is_prerelease)


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


def _solved(context: CheckContext, goal: _Goal) -> Plan | None:
    """The plan that reaches a goal; None if there is none."""
    target, names, label, broken = goal.target, goal.names, goal.label, goal.broken
    kept = {
        name: pin.version.public for name, pin in context.pins.items() if name in names and not pin.unversioned
    }
    lines = [f"{name}=={kept[name]}" if name == goal.firm else name for name in names]
    inputs = Inputs([_written(line) for line in lines], [_written(line) for line in goal.constraints])
    options = Options(preferred={name: version for name, version in kept.items() if name != goal.firm})
    matrix = _WithoutBuildStatements(context.matrix) if label else context.matrix
    published = _ReleasesOfBuild(goal.source, label, target, goal.certain)
    if label:  # The driver is for the builds of the public index here; whoever chose the label asked about it.
        target = replace(target, libraries={k: v for k, v in target.libraries.items() if k != "cuda-driver"})
    found = None
    if label and "torchcodec" in names:
        is_gone = "torchcodec" in broken or _is_other_build(context, "torchcodec", label, target)
        certain = _CertainTorchcodec(published, label, target, "" if is_gone else kept.get("torchcodec", ""))
        found = _locked(inputs, target, options, matrix, certain)
    found = found or _locked(inputs, target, options, matrix, published)
    if found is None:
        return None
    chosen = {pin.name: pin.version for pin in found.pins if pin.name in names}
    if not label and _is_another_than_public(context, target):
        return _beside(context, goal, {name: each for name, each in chosen.items() if each != kept.get(name)})
    versions = {
        name: version
        for name, version in chosen.items()
        if name in broken or version != kept.get(name) or _is_other_build(context, name, label, target)
    }
    return of_build(versions, label, target) if versions else None


def of_build(versions: Mapping[str, str], label: str, target: Target) -> Plan:
    """The plan for some releases (name → version without label) of one build; "" is that of the public index."""
    if not label:
        return Plan(versions)
    mine = [name for name in versions if name in _LABELLED]
    there = {name: has_wheels(name, versions[name], label, target) for name in mine}
    named = {name: wheel_version(name, versions[name], label, target) for name in mine}
    page = frozenset(
        name for name in mine if "+" in named[name] or likely_has_wheels(name, versions[name], label, target)
    )
    unsure = tuple(name for name in mine if isinstance(there[name], Unknown))
    return Plan({**versions, **named}, label if page else "", page, unsure if page else ())


def _is_another_than_public(context: CheckContext, target: Target) -> bool:
    """Whether the installed torch is another build than that of the public index, and must stay."""
    label = context.label("torch")
    return bool(label) and context.accelerator is None and label != public_of(context, target)


def _beside(context: CheckContext, goal: _Goal, versions: dict[str, str]) -> Plan | None:
    """Companions of the public index beside a torch of another build, which stays; None if they need its build."""
    again = {name: context.pins[name].version.public for name in goal.broken if name in context.pins}
    versions = {**again, **versions}
    if "torch" in versions or not versions:
        return None
    for name in versions:
        build = public_build(name, versions[name], goal.target) if name in _LABELLED else "cpu"
        if build not in ("cpu", context.label("torch")) and name != "torchcodec":
            return None
        if name == "torchcodec" and _is_lost(name, versions[name], context.label("torch") or "", goal.target):
            return None
    return Plan(versions, alone=all(name in FAMILY for name in versions))


def _is_lost(name: str, version: str, label: str, target: Target) -> bool:
    """Whether a release from the public index needs the CUDA of torch, and this torch is for ROCm or XPU."""
    if kind_of(label) not in ("rocm", "xpu"):
        return False
    public = public_build(name, version, target)
    return isinstance(public, str) and kind_of(public) == "cuda"


def _locked(
    inputs: Inputs, target: Target, options: Options, matrix: Matrix, source: ReleaseSource
) -> Lock | None:
    try:
        found = lock(inputs, target, options, matrix, source)
    except TorchlockError:
        return None
    return found if isinstance(found, Lock) else None


def _planned(release: Release) -> Release:
    """A release whose other requirements are left to the installer, so that their tables are not read."""
    return release.among(_PLANNED) if isinstance(release, CatalogueRelease) else release


class _ReleasesOfBuild(DelegatingSource):
    """Only the releases that were published for one build; "" is the build of the public index.

    ``certain``: without those of which this is unknown for the platform.
    """

    def __init__(self, source: ReleaseSource, label: str, target: Target, certain: bool) -> None:
        super().__init__(source)
        self._label = label
        self._target = target
        self._certain = certain

    def releases(self, name: str) -> Sequence[Release]:
        return [_planned(each) for each in self.source.releases(name) if self._has(name, each.version)]

    def _has(self, name: str, version: str) -> bool:
        if not self._label or name not in _LABELLED:
            return True
        if likely_has_wheels(name, version, self._label, self._target):
            return True
        if name != "torchcodec" and (self._certain or self._label not in labels_of(name)):
            return False
        if name == "torchcodec" and _is_lost(name, version, self._label, self._target):
            return False  # No build for this torch is known, so that it would come from the public index.
        return has_wheels(name, version, self._label, self._target) is not False


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
        is_kept = version == self._installed and not _is_lost("torchcodec", version, self._label, self._target)
        return is_kept or has_wheels("torchcodec", version, self._label, self._target) is True


def _written(line: str) -> ParsedRequirement:
    from packaging.requirements import Requirement

    return ParsedRequirement(Requirement(line), Origin(None, None, line))


def _is_other_build(context: CheckContext, name: str, label: str, target: Target) -> bool:
    """Whether the installed build differs from the planned one, even if the version is the same."""
    mine = context.label(name)
    if name not in _LABELLED or not mine:
        return False
    if label:
        return mine != label
    public = public_build(name, context.pins[name].version.public, target)
    return isinstance(public, str) and mine != public  # an unknown build is not called different


class _WithoutBuildStatements(Matrix):
    """The rules without statements on builds: all packages from the page of one build agree."""

    def __init__(self, rules: Matrix) -> None:
        vars(self).update(vars(rules))  # what they have parsed is not parsed again

    def statements_for(self, pinned: Pinned, target: Target) -> Iterator[Statement]:
        for statement in super().statements_for(pinned, target):
            if not statement.build and not any(item.name == BUILD_CUDA for item in statement.needs):
                yield statement
