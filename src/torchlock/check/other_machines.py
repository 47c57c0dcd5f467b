"""A release that has wheels, and none for the machine of the environment: which machine or release to take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.check import known_wheels as wheels
from torchlock.check.installer_findings import Told, install_again
from torchlock.check.log_machine import is_32_bit
from torchlock.finding import Remedy
from torchlock.knowledge.indexes import page_of

if TYPE_CHECKING:
    from torchlock.check.asked_releases import Asked
    from torchlock.check.context import CheckContext
    from torchlock.check.installer_log import Installation
    from torchlock.target import Target

# The build that the PyTorch index has for machines of which the public index has none.
_PAGE = "cpu"
_APPLE_SILICON = "arm64"


def no_wheels_for(asked: Installation, platform: str) -> Told | None:
    """A platform of 32 bits, as ``sysconfig`` spells it, for which no release has a wheel; None if not known."""
    if not is_32_bit(platform) or any(
        tag.endswith(platform.replace("-", "_"))
        for tags in wheels.public_tags(asked.name).values()
        for tag in tags
    ):
        return None
    message = f"no release of {asked.name} has a wheel for a 32-bit Python, and this one has 32 bits ({platform})"
    summary = "Use a 64-bit Python" + (
        " (of python.org: Windows installer, 64-bit)." if platform == "win32" else "."
    )
    if platform != "win32":
        summary = "Use a 64-bit system with a 64-bit Python."
    return Told("TL403", message, Remedy(summary))


def on_windows_arm64(name: str, target: Target) -> Remedy | None:
    """What a Windows for ARM64 can do, which also runs a Python for x64; None on other machines."""
    if (target.platform.system, target.platform.machine) != ("windows", "arm64"):
        return None
    releases = [each for each in wheels.public_tags(name) if wheels.is_final(each)]
    newest = next((each for each in reversed(releases) if wheels.pythons_with(name, each, _PAGE, target)), "")
    pythons = wheels.pythons_with(name, newest, _PAGE, target) if newest else []
    other = f"; or Python {pythons[-1]} for ARM64, with {page_of(_PAGE)}" if pythons else ""
    return Remedy(
        f"Use a Python for x64 (of python.org: Windows installer, 64-bit), which this Windows runs, too{other}."
    )


def is_only_for_other_machines(asked: Asked) -> bool:
    """Whether a pinned release is on the public index, and has no wheel for this machine, in any Python."""
    return (
        asked.target.platform.system == "macos"
        and asked.version in wheels.public_tags(asked.name)
        and not wheels.pythons_with(asked.name, asked.version, "", asked.target)
    )


def on_page_only(context: CheckContext, asked: Asked) -> Told | None:
    """No release on the public index has a wheel for this machine, and a page of the PyTorch index has some."""
    there = wheels.releases_with(asked.name, _PAGE, asked.target)
    allowed = [each for each in there if asked.log.version in ("", each)] or there
    if not there:
        return None
    span = f"{there[0]} to {there[-1]}" if len(there) > 1 else there[0]
    message = (
        f"the public index has no wheel of {asked.name} for {asked.place}: for Python {asked.target.python}, "
        f"the page of the build {_PAGE} has {span}"
    )
    version = wheels.nearest(allowed, asked.version) if asked.version else allowed[-1]
    written = wheels.written(asked.name, version, _PAGE, asked.target)
    words = ["--index-url", page_of(_PAGE), f"{asked.name}=={written}"]
    remedy = Remedy(f"Install {asked.name} {version} from that page.", commands=install_again(context, words))
    return Told("TL403", message, remedy)


def other_platform(context: CheckContext, asked: Asked) -> Told:
    """A release of the public index without a wheel for this platform, in any Python."""
    from torchlock.check.fix.fitting import fitting
    from torchlock.check.fix.plan import planned

    there = wheels.releases_with(asked.name, "", asked.target)
    message = f"{asked.name} {asked.version} has no wheel for {asked.place}"
    if _is_for_apple_silicon(asked):
        message = (
            f"{asked.name} {asked.version} has wheels for Macs with Apple silicon ({_APPLE_SILICON}) only, and "
            "this Python is for Intel (x86_64)"
        )
    if not there:
        return on_page_only(context, asked) or _leave_out(asked, message)
    if asked.name != "torch" and "torch" in context.pins and (plan := planned(context, wanted={asked.name})):
        return Told("TL403", message, fitting(context, plan))
    other = wheels.nearest(there, asked.version)
    span = f"{there[0]} to {there[-1]}" if len(there) > 1 else there[0]
    summary = (
        f"Install {asked.name} {other}: on {asked.place}, releases {span} have wheels for Python "
        f"{asked.target.python}."
    )
    words = [f"{asked.name}=={other}", *numpy_beside(asked.name, other)]
    return Told(
        "TL403", message, Remedy(_on_apple_silicon(asked) + summary, commands=install_again(context, words))
    )


def _leave_out(asked: Asked, message: str) -> Told:
    if remedy := on_windows_arm64(asked.name, asked.target):
        return Told("TL403", message, remedy)
    summary = f"{_on_apple_silicon(asked)}Leave {asked.name} out: no release of it has a wheel for {asked.place}."
    return Told("TL403", message, Remedy(summary))


def _is_for_apple_silicon(asked: Asked) -> bool:
    """Whether a Mac's Python is for Intel, and the same Python for arm64 has a wheel of the release."""
    from dataclasses import replace

    from torchlock.target import Platform

    platform = asked.target.platform
    if (platform.system, platform.machine) != ("macos", "x86_64"):
        return False
    own = replace(asked.target, platform=Platform.parse(f"macos-{_APPLE_SILICON}"))
    return wheels.installs(asked.name, asked.version, "", own) is True


def _on_apple_silicon(asked: Asked) -> str:
    """What a Mac with Apple silicon can do: it also runs a Python for Intel, by translation."""
    words = f"On Apple silicon, use a Python for {_APPLE_SILICON}. On a Mac with Intel: "
    return words if _is_for_apple_silicon(asked) else ""


def numpy_beside(name: str, version: str) -> list[str]:
    """NumPy 1 for a torch that was compiled against it."""
    return ["numpy<2"] if name == "torch" and Version(version) < Version("2.3") else []
