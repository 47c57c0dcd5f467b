"""Companions that ask for another patch release of torch than the one that a later command installs."""

from __future__ import annotations

from torchlock.answers import Unknown
from torchlock.audit.supplies import build_of, supplies_of
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import InstallSet

_TOLD = "pip only reports that the metadata requires another release"
_LOADS = f"{_TOLD}; but their libraries load together"
_OTHER_BUILD = "its metadata requires that release, and the later command takes another build of torch"


def is_kept(install_set: InstallSet, names: Sequence[str]) -> bool:
    """Whether a later command installs torch alone: pip does not ask what is installed already."""
    torches = [demand.entry for demand in install_set.demands.get("torch", ())] if "torch" in names else []
    others = [demand.entry for name in names if name != "torch" for demand in install_set.demands[name]]
    first = min((entry.step for entry in torches if entry.channel == "pip"), default=0)
    return bool(torches) and all(other.step and other.step < first for other in others)


def beside_kept(context: AuditContext, install_set: InstallSet, domains: Mapping[str, int]) -> tuple[str, str]:
    """The severity and the reason, for releases whose libraries load together if they are of one build."""
    alike = _are_alike(context, install_set, domains)
    if alike is False:
        return "warning", _OTHER_BUILD
    return "note", _LOADS if alike else _TOLD


def _are_alike(context: AuditContext, install_set: InstallSet, domains: Mapping[str, int]) -> bool | None:
    """Whether the newest releases of these are of one build on Linux, where the public index has CUDA builds."""
    place, builds = context.stack.platforms.index("linux-x86_64"), set[str]()
    for name, mask in domains.items():
        supply = supplies_of(context, install_set, name)[place]._replace(label=install_set.first(name).label)
        build = build_of(context.known, name, mask.bit_length() - 1, place, supply)
        if isinstance(build, Unknown):
            return None
        builds.add(build)
    return len(builds) == 1
