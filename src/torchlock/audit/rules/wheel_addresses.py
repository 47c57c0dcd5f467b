"""TL216: addresses of wheels on the PyTorch index, compared with the table of builds."""

from __future__ import annotations

from torchlock.audit.phrasing import as_of
from torchlock.audit.wheel_address import wheel_address
from torchlock.knowledge.build_labels import is_published
from torchlock.knowledge.registry import rule
from torchlock.knowledge.stack import FAMILY
from torchlock.standards.names import normalise
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import Demand, InstallSet
    from torchlock.audit.wheel_address import WheelAddress
    from torchlock.finding import Finding


@rule("TL216")
def addresses(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """Addresses of wheels that were never published."""
    for name in install_set.demands:
        for demand in install_set.demands[name] if name in FAMILY else ():
            wheel = wheel_address(demand.entry.url) if demand.entry.url else None
            if wheel is not None and normalise(wheel.file.split("-")[0]) == name:
                why = _absence(context, demand, wheel)
                if why:
                    message = f"the folder {wheel.folder} of the PyTorch index never had {wheel.file}: {why}"
                    yield context.finding("TL216", "error", message, [demand])


def _absence(context: AuditContext, demand: Demand, wheel: WheelAddress) -> str:
    """Why a folder certainly never had a wheel; "" if it had it, or if that is unknown."""
    from torchlock.knowledge.build_files import evidence_of

    builds, name = context.known.builds, demand.name
    if evidence_of(wheel.folder, wheel.file) is not None:
        return ""
    if is_published(wheel.label) and wheel.label != wheel.folder:
        return f"its label is {wheel.label}, and each folder has the wheels of its own build"
    if wheel.label and not is_published(wheel.label):
        return ""
    asked_of = builds.published if wheel.label else builds.serves
    label = wheel.label or wheel.folder
    build, date = f"{name} {wheel.version} has no {label} build", as_of(builds.date)
    if asked_of(name, wheel.version, label) is False:
        return f"{build} ({date})"
    if not wheel.platform:
        return ""
    if asked_of(name, wheel.version, label, wheel.platform) is False:
        return f"{build} for {wheel.platform} ({date})"
    if wheel.python and asked_of(name, wheel.version, label, wheel.platform, wheel.python) is False:
        return f"{build} for Python {wheel.python} on {wheel.platform} ({date})"
    return ""
