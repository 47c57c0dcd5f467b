"""TL216: addresses of wheels on the PyTorch index, compared with the table of builds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from torchlock.audit.phrasing import as_of
from torchlock.knowledge.build_labels import is_published
from torchlock.knowledge.indexes import BUILDS, classify_index, is_own_host
from torchlock.knowledge.registry import rule
from torchlock.knowledge.stack import FAMILY
from torchlock.standards.names import normalise
from torchlock.target import PLATFORMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import Demand, InstallSet
    from torchlock.finding import Finding


class WheelAddress(NamedTuple):
    """A wheel in a folder of the PyTorch index. ``platform`` is "" for one that no target is for."""

    folder: str
    file: str
    version: str
    label: str
    python: str
    platform: str


def wheel_address(url: str) -> WheelAddress | None:
    """Parse the address of a wheel in the folder of one build on the PyTorch index; None for any other address."""
    if not is_own_host(url):
        return None
    folder, _, file = unquote(urlsplit(url).path).rpartition("/")
    page = classify_index(url.partition("#")[0].partition("?")[0].rpartition("/")[0])
    parts = file.removesuffix(".whl").split("-")
    if page.kind != BUILDS or not page.label or not folder.endswith(f"/{page.label}") or len(parts) not in (5, 6):
        return None
    version, _, label = parts[1].partition("+")
    return WheelAddress(page.label, file, version, label, _python(parts[-3], parts[-2]), _platform(parts[-1]))


def _python(interpreter: str, abi: str) -> str:
    """The Python of a wheel, like 3.12 or 3.13t; "" for a wheel for several Pythons."""
    if interpreter[:3] != "cp3" or not interpreter[3:].isdigit() or abi == "abi3":
        return ""
    return f"3.{interpreter[3:]}{'t' if abi.endswith('t') else ''}"


def _platform(tags: str) -> str:
    """The platform of a wheel's tags, as a name of ``PLATFORMS``; "" for others."""
    tag = tags.split(".")[0]
    system = {"win": "windows", "macosx": "macos", "linux": "linux", "manylinux": "linux"}
    found = next((name for start, name in system.items() if tag.startswith(start)), "")
    return next(
        (name for name in PLATFORMS if found and name.startswith(found) and tag.endswith(name.partition("-")[2])),
        "",
    )


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
    builds, name = context.known.builds, demand.name
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
