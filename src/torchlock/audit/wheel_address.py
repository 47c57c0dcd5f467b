"""The addresses of wheels in the folders of the PyTorch index."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from torchlock.knowledge.indexes import BUILDS, classify_index, is_own_host
from torchlock.target import PLATFORMS


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
