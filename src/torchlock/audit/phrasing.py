"""Masks of releases and targets, and specifiers, in words."""

from __future__ import annotations

from torchlock.knowledge.masks import bits
from torchlock.standards.dependency import readable_specifier
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.audit.install_sets import Demand
    from torchlock.knowledge.compatibility import CompatibilityTable, Package

_SYSTEMS = {
    "linux-x86_64": "Linux (x86_64)",
    "linux-aarch64": "Linux (aarch64)",
    "macos-arm64": "macOS (arm64)",
    "macos-x86_64": "macOS (x86_64)",
    "windows-amd64": "Windows",
    "windows-arm64": "Windows (arm64)",
}


def listed(words: Sequence[str], last: str = "and") -> str:
    """``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}" if words else ""


def as_of(date: str) -> str:
    """The date that a statement about existing releases includes."""
    return f"as of {date}"


def releases(package: Package, mask: int) -> str:
    """``2.3.0 or 2.3.1``, ``2.11.0 or later``, ``1.7.0 to 1.9.1``, ``none``."""
    found = list(bits(mask & ~package.prereleases)) or list(bits(mask))
    if not found:
        return "none"
    texts = [package.versions[index] for index in found]
    whole = [index for index in bits(package.everything & ~package.prereleases) if index >= found[0]]
    if len(found) > 1 and found == whole:
        return f"{texts[0]} or later"
    if len(found) > 3:
        return f"{texts[0]} to {texts[-1]}" if found == whole[: len(found)] else f"{texts[0]}, …, {texts[-1]}"
    return listed(texts, "or")


def asked(demand: Demand) -> str:
    """A demand as the author wrote it: ``torch 2.3.1``, ``torch>=2.0,<2.4``, ``any torchaudio``."""
    specifier = demand.entry.specifier.strip()
    if not specifier and demand.entry.url:
        return f"{demand.name} (from its address)"
    if not specifier:
        return f"any {demand.name}"
    if demand.entry.channel == "conda" and specifier.startswith("=="):
        return f"{demand.name} {specifier.lstrip('= ').removesuffix('.*')}"
    if demand.exact and specifier.startswith("=="):
        return f"{demand.name} {specifier.lstrip('= ')}"
    return f"{demand.name}{readable_specifier(specifier)}"


def pythons(stack: CompatibilityTable, cells: int) -> str:
    """The Pythons of some cells: ``Python 3.13 and later``, ``Python 3.8 to 3.10``."""
    indices = sorted({stack.coordinates(cell)[1] for cell in bits(cells)})
    if not indices:
        return "no Python"
    names = [f"3.{stack.pythons[index]}" for index in indices]
    if len(names) == len(stack.pythons):
        return "any Python"
    if (
        len(names) > 1
        and indices[-1] == len(stack.pythons) - 1
        and len(indices) == len(stack.pythons) - indices[0]
    ):
        return f"Python {names[0]} and later"
    if len(names) > 2 and indices[-1] - indices[0] == len(indices) - 1:
        return f"Python {names[0]} to {names[-1]}"
    return f"Python {listed(names)}"


def where(stack: CompatibilityTable, cells: int) -> str:
    """The Pythons and platforms of some cells: ``Python 3.8 on Windows``; only the Python if on all platforms."""
    systems = platforms(stack, cells)
    return pythons(stack, cells) + ("" if systems == "every platform" else f" on {systems}")


def platforms(stack: CompatibilityTable, cells: int) -> str:
    """The platforms of some cells: ``Linux (x86_64) and Windows``."""
    indices = sorted({stack.coordinates(cell)[0] for cell in bits(cells)})
    names = [_SYSTEMS[stack.platforms[index]] for index in indices]
    if len(names) == len(stack.platforms):
        return "every platform"
    if {"Linux (x86_64)", "Linux (aarch64)"} <= set(names):
        names = ["Linux", *(name for name in names if not name.startswith("Linux"))]
    if {"macOS (arm64)", "macOS (x86_64)"} <= set(names):
        names = [*(name for name in names if not name.startswith("macOS")), "macOS"]
    return listed(names)
