"""Packages of conda that lock can take from a package index."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torchlock.knowledge.releases import Catalogue
    from torchlock.manifests.document import Entry


class CondaNote(NamedTuple):
    """A note of lock on a conda package. ``kept``: lock takes the package from the index."""

    text: str
    kept: bool


def note_on(entry: Entry) -> CondaNote | None:
    """A note on a conda entry; None if there is nothing to report, and for entries of pip.

    Only packages of the bundled catalogue are taken: under any other name, an index may have a different project.
    """
    if entry.channel != "conda":
        return None
    if entry.name in ("python", "pip"):
        return CondaNote("", kept=False)
    if not on_the_index(entry.name):
        text = f"{entry.text} is skipped: it is a conda package, and the index has no known package of this name"
        return CondaNote(text, kept=False)
    if entry.build:
        text = f"{entry.text}: the build {entry.build} is ignored; name its index with --index-url"
        return CondaNote(text, kept=True)
    return None


def on_the_index(name: str) -> bool:
    """True if lock takes the conda package of this name from the index."""
    return _catalogue().holds(name)


@lru_cache(maxsize=1)
def _catalogue() -> Catalogue:
    from torchlock.knowledge.releases import Catalogue

    return Catalogue()
