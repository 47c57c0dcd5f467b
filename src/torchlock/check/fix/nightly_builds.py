"""The remedy for a nightly build of torch and a companion of another day or build: the release, or one night."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.check.fix.commands import install
from torchlock.check.fix.fitting import fitting
from torchlock.check.fix.plan import of_build
from torchlock.check.fix.release_pairs import COMPANIONS, release_for
from torchlock.check.fix.torch_builds import public_build
from torchlock.check.gpu_builds import offers
from torchlock.check.index_wheels import has_wheels, likely_has_wheels
from torchlock.finding import Remedy
from torchlock.index.sources import Sources
from torchlock.knowledge.build_labels import describe_build, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torchlock.check import CheckContext
    from torchlock.knowledge.gpus import Gpu
    from torchlock.target import Target

_PAGE = "https://download.pytorch.org/whl/nightly"


def of_nightly(context: CheckContext, name: str) -> Remedy:
    """Install the release that a nightly build became, in the same build; or all packages of one night.

    The index deletes old nightly builds, so the release comes first, if it is known.
    """
    label = context.label("torch") or ""
    names = [each for each in ("torch", *COMPANIONS) if each in context.pins or each in ("torch", name)]
    page = f"{_PAGE}/{label}" if kind_of(label) else _PAGE
    nights = {context.pins[each].version.dev for each in names if each in context.pins}
    night = "one later night" if len(nights) == 1 else "one night"  # Those of this night do not work together.
    one_night = f"{' and '.join(names)} of {night} from {page}"
    versions = next(
        filter(None, (_releases(context, names, label, is_there) for is_there in (_is_known, _is_likely))), None
    )
    if not versions or context.target is None:
        return Remedy(f"Install {one_night}, with --pre --force-reinstall.")
    listed = ", ".join(f"{each} {version}" for each, version in versions.items())
    words = (
        f"Install {listed}{f' ({describe_build(label)})' if label else ''}, the release after this nightly build"
    )
    is_public = all(_is_public(*item, label, context.target) for item in versions.items())
    plan = of_build(versions, label if kind_of(label) and not is_public else "", context.target)
    doubt = f" (it is not certain that the index has {' and '.join(plan.unsure)})" if plan.unsure else ""
    return Remedy(f"{words}{doubt}; or {one_night}.", commands=install(context, plan, again=True))


def of_gpu(context: CheckContext, gpus: Sequence[Gpu]) -> Remedy | None:
    """The first release after a nightly build that has a build with code for some GPUs; None if none is known."""
    pin, target = context.pins["torch"], context.target
    if not pin.version.is_prerelease or target is None or kind_of(context.label("torch") or "cpu") is None:
        return None
    base, names = Version(pin.version.base_version), [each for each in COMPANIONS if each in context.pins]
    for release in Sources(offline=True).releases("torch"):
        torch = Version(release.version)
        if torch < base or torch.is_prerelease:
            continue
        beside = {each: str(release_for(context, each, torch) or "") for each in names}
        for offer in offers(context, gpus, release.version) if all(beside.values()) else ():
            if offer.is_certain and all(likely_has_wheels(*item, offer.label, target) for item in beside.items()):
                plan = of_build({"torch": release.version, **beside}, offer.label, target)
                return fitting(context, plan)
    return None


def _releases(
    context: CheckContext, names: list[str], label: str, is_there: Callable[[str, str, str, Target], bool]
) -> dict[str, str]:
    """The first releases of torch and its companions that are not older than the nightly build, in its build."""
    target, base = context.target, Version(context.pins["torch"].version.base_version)
    for release in Sources(offline=True).releases("torch") if target is not None else ():
        torch = Version(release.version)
        if torch < base or torch.is_prerelease or target is None:
            continue
        found = {"torch": torch, **{each: release_for(context, each, torch) for each in names if each != "torch"}}
        versions = {each: str(version) for each, version in found.items() if version is not None}
        if len(versions) == len(names) and all(is_there(*item, label, target) for item in versions.items()):
            return versions
    return {}


def _is_known(name: str, version: str, label: str, target: Target) -> bool:
    return (
        not kind_of(label)
        or has_wheels(name, version, label, target) is True
        or _is_public(name, version, label, target)
    )


def _is_public(name: str, version: str, label: str, target: Target) -> bool:
    return public_build(name, version, target) == label


def _is_likely(name: str, version: str, label: str, target: Target) -> bool:
    return not kind_of(label) or likely_has_wheels(name, version, label, target)
