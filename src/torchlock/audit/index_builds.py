"""What the indexes in reach of an entry carry, as far as their addresses say."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torchlock.answers import Unknown
from torchlock.knowledge.indexes import BUILDS, PRIVATE, PUBLIC, UNKNOWN, classify_index

if TYPE_CHECKING:
    from torchlock.manifests.document import Document, Entry


class Offer(NamedTuple):
    """What the indexes in reach of an entry carry.

    ``labels`` are builds that a page of just one build offers; ``every``: a page of all builds is among
    them; ``public``: the public index is; ``unknown``: one is whose content nobody here knows (another
    index, a folder, nightlies).
    """

    labels: frozenset[str]
    every: bool
    public: bool
    unknown: bool

    @property
    def named(self) -> bool:
        """Whether any page with labels is named at all."""
        return bool(self.labels) or self.every

    @property
    def only_public(self) -> bool:
        """Whether the public index is the only index."""
        return self.public and not self.named and not self.unknown

    @property
    def only_label(self) -> str | None:
        """The one build that is certain to be taken, where just one page is in reach."""
        alone = len(self.labels) == 1 and not (self.public or self.unknown or self.every)
        return next(iter(self.labels)) if alone else None

    def carries(self, label: str) -> bool | Unknown:
        """Whether one of them is a page for this build."""
        if self.every or label in self.labels:
            return True
        return Unknown("what an index named here has is not known") if self.unknown else False


def offer_of(entry: Entry, document: Document) -> Offer:
    """The indexes that an entry is taken from: its own, else the file's."""
    if entry.index is not None:
        addresses, public = [entry.index], False
    else:
        addresses = [line.address for line in document.indexes if line.address]
        public = not any(line.kind in ("index", "no-index") for line in document.indexes)
    labels: set[str] = set()
    every = unknown = False
    for address in addresses:
        kind, label = classify_index(address)
        public |= kind == PUBLIC
        unknown |= kind in (PRIVATE, UNKNOWN)
        every |= kind == BUILDS and not label
        labels |= {label} if label else set()
    return Offer(frozenset(labels), every, public, unknown)
