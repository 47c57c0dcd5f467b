"""Packages of conda on package indexes: which of them lock can take."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torchlock.knowledge.releases import Catalogue
    from torchlock.manifests.document import Entry


class CondaNote(NamedTuple):
    """What lock says of a package of conda. ``kept``: lock takes the package from the index."""

    text: str
    kept: bool


def note_on(entry: Entry) -> CondaNote | None:
    """A note on an entry of conda; None where there is nothing to say, and for entries of pip.

    Only packages of the bundled catalogue are taken: under any other name, an index may have another project.
    """
    if entry.channel != "conda":
        return None
    if entry.name in ("python", "pip"):
        return CondaNote("", kept=False)
    if not _catalogue().holds(entry.name):
        text = f"{entry.text} is skipped: it is a conda package, and the index has no known package of this name"
        return CondaNote(text, kept=False)
    if entry.build:
        text = f"{entry.text}: the build {entry.build} is ignored; name its index with --index-url"
        return CondaNote(text, kept=True)
    return None


@lru_cache(maxsize=1)
def _catalogue() -> Catalogue:
    from torchlock.knowledge.releases import Catalogue

    return Catalogue()
