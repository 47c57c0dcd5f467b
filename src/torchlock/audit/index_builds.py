"""The builds that the indexes of an entry offer, as far as their addresses show it."""

from __future__ import annotations

from torchlock.answers import Unknown
from torchlock.knowledge.indexes import BUILDS, PRIVATE, PUBLIC, UNKNOWN, channel_of, classify_index
from torchlock.records import NamedTuple
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from torchlock.manifests.document import Document, Entry


class Offer(NamedTuple):
    """The builds that the indexes of an entry offer.

    ``labels`` are builds on pages with one build each; ``every``: a page with all builds is among the indexes;
    ``public``: the public index is; ``unknown``: an index with unknown content is (a private index, a folder,
    nightlies). ``ordered`` are the labels in the order of the indexes; ``channels`` are ``test`` and ``nightly``,
    if the pages of release candidates or nightlies are among the indexes.
    """

    labels: frozenset[str]
    every: bool
    public: bool
    unknown: bool
    ordered: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()

    @property
    def named(self) -> bool:
        """Whether the file names a page with labels."""
        return bool(self.labels) or self.every

    @property
    def only_public(self) -> bool:
        """Whether the public index is the only index."""
        return self.public and not self.named and not self.unknown

    @property
    def only_label(self) -> str | None:
        """The one build that an installer is certain to get, if the only index is a page with one build."""
        alone = len(self.labels) == 1 and not (self.public or self.unknown or self.every)
        return next(iter(self.labels)) if alone else None

    def carries(self, label: str) -> bool | Unknown:
        """Whether one of the indexes has this build."""
        if self.every or label in self.labels:
            return True
        return Unknown("the content of an index named here is unknown") if self.unknown else False


def further_indexes(entry: Entry, document: Document) -> list[str]:
    """The addresses beside the one index of a command, which settings of pip or variables name."""
    if not entry.shell:
        return []
    lines = [line for line in document.indexes if line.kind in ("extra", "find-links") and line.serves(entry.step)]
    return [line.address for line in lines if line.address and line.address != entry.index]


def offer_of(entry: Entry, document: Document) -> Offer:
    """The indexes that an entry can come from: its own, else those of its command and of the file.

    ``--index-url`` of a command leaves the further indexes of settings and variables.
    """
    if entry.index is not None:
        addresses, public = [entry.index, *further_indexes(entry, document)], False
    else:
        lines = [line for line in document.indexes if line.serves(entry.step)]
        addresses = [line.address for line in lines if line.address]
        public = not any(line.kind in ("index", "no-index") for line in lines)
    kinds = [classify_index(address) for address in addresses]
    labels = tuple(dict.fromkeys(label for _, label in kinds if label))
    return Offer(
        frozenset(labels),
        every=any(kind == BUILDS and not label for kind, label in kinds),
        public=public or any(kind == PUBLIC for kind, _ in kinds),
        unknown=any(kind in (PRIVATE, UNKNOWN) for kind, _ in kinds),
        ordered=labels,
        channels=tuple(dict.fromkeys(filter(None, map(channel_of, addresses)))),
    )
