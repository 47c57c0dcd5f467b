"""New specifiers: the releases nearest to those that are written, upper bounds, and pins in the old style."""

from __future__ import annotations

import re

from torchlock.knowledge.masks import bits
from torchlock.standards.versions import without_trailing_zeros
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.audit.install_sets import Demand
    from torchlock.knowledge.compatibility import Package
    from torchlock.manifests.document import Entry


def written(demand: Demand, package: Package) -> int | None:
    """The releases that a demand allows; for a version that was never published, the release before it."""
    if demand.releases or not demand.exact:
        return demand.releases
    version = demand.entry.specifier.lstrip("= ").partition("+")[0]
    try:
        return package.mask(f"<={version}") or None
    except ValueError:
        return None


def nearest(mask: int, written: int | None, texts: Sequence[str]) -> Iterator[int]:
    """Releases, the nearest first: the present one, its series from new to old, newer ones, then older ones."""
    found = list(bits(mask))
    if not written:
        yield from reversed(found)
        return
    old = written.bit_length() - 1
    series, major = _series(texts[old], 2), _series(texts[old], 1)

    def rank(index: int) -> tuple[bool, bool, bool, int]:
        text = texts[index]
        return index != old, _series(text, 2) != series, _series(text, 1) != major, abs(index - old)

    yield from sorted(found, key=rank)


def _series(text: str, parts: int) -> str:
    return ".".join(text.split(".")[:parts])


def capped(entry: Entry, package: Package, allowed: int, good: int) -> Iterator[str]:
    """The range with an upper bound after the newest release that works."""
    kept = allowed & good
    above = [index for index in bits(allowed & ~package.prereleases) if index >= kept.bit_length()]
    if not kept or not above:
        return
    clauses = [clause.strip() for clause in entry.specifier.split(",") if not re.match(r"\s*<", clause)]
    bound = without_trailing_zeros(package.versions[above[0]])
    yield ",".join([*filter(None, clauses), f"<{bound}"])


def respelled(specifier: str, version: str, label: str) -> str:
    """A pin of this version in the style of the old one: ``~=`` stays, everything else becomes ``==``."""
    operator = "~=" if re.fullmatch(r"~=\s*[\w.]+", specifier.strip()) and not label else "=="
    return f"{operator}{version}{f'+{label}' if label else ''}"
