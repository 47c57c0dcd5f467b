"""The addresses of wheels in the folders of the PyTorch index."""

from __future__ import annotations

from torchlock.knowledge.indexes import BUILDS, classify_index, is_own_host
from torchlock.records import NamedTuple
from torchlock.standards.filenames import cell_of, split_variant, tags_of
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
    from urllib.parse import unquote, urlsplit

    folder, _, file = unquote(urlsplit(url).path).rpartition("/")
    page = classify_index(url.partition("#")[0].partition("?")[0].rpartition("/")[0])
    parts = split_variant(file)[0].removesuffix(".whl").split("-")
    if page.kind != BUILDS or not page.label or not folder.endswith(f"/{page.label}") or len(parts) not in (5, 6):
        return None
    version, _, label = parts[1].partition("+")
    platform, python = cell_of(tags_of(file))
    return WheelAddress(page.label, file, version, label, python, platform if platform in PLATFORMS else "")
