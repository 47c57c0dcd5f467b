"""Another page of builds as a fix: the same releases from the page of a near build, judged like every fix."""

from __future__ import annotations

import re
from itertools import islice

from torchlock.audit.fix.edits import changes_of
from torchlock.audit.fix.remedies import edits_of
from torchlock.audit.fix.weight import weighed
from torchlock.audit.index_builds import offer_of
from torchlock.audit.install_sets import demand_of
from torchlock.finding import Remedy
from torchlock.knowledge.build_labels import parse_label
from torchlock.knowledge.indexes import classify_index, page_of
from torchlock.knowledge.masks import bits
from torchlock.knowledge.registry import changed_by
from torchlock.knowledge.stack import FAMILY
from torchlock.location import Edit, Span
from torchlock.records import replace
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torchlock.audit.context import Knowledge
    from torchlock.finding import Finding
    from torchlock.manifests.document import Document, IndexLine

# The rules whose findings another page of builds may fix.
RULES = changed_by("page")
# Limits on pages that are judged: for one finding, and for one document.
_TRIALS, _ALL_TRIALS = 3, 24


class PageSearch:
    """Searches for a page that has what a file takes from another page. ``judge`` judges a document."""

    def __init__(self, known: Knowledge, judge: Callable[[Document], list[Finding]]) -> None:
        self._known = known
        self._judge = judge
        self.begin()

    def begin(self) -> None:
        """Start on a document, with a new budget."""
        self._left = _ALL_TRIALS

    def remedy(self, document: Document, findings: list[Finding], finding: Finding) -> Remedy | None:
        """The remedy for one finding about a page; None if no other page of the same kind of build helps."""
        old = self._page_of(document, finding) if self._left > 0 and not document.locked else ""
        if finding.rule == "TL205" and any(f"+{old}" in entry.specifier for entry in document.entries):
            return None  # Some pins have the build of the page, and the others should have it too.
        for new in islice(self._pages(document, old), _TRIALS) if old else ():
            self._left -= 1
            after = self._judge(moved(document, old, new))
            left = [each for each in after if each.severity != "note"]
            gone = all((each.rule, each.place) != (finding.rule, finding.place) for each in left)
            if gone and weighed(after) < weighed(findings):
                edits = move_edits(document, old, new)
                summary = f"Use the page of {new} builds, {page_of(new)}, instead of the page of {old} builds."
                return Remedy(summary, changes_of(document, edits), edits)
        return None

    def _page_of(self, document: Document, finding: Finding) -> str:
        """The one build of the page that a finding is about; "" if there are several, or an include names it."""
        places = {finding.place, *finding.related}
        entries = [entry for entry in document.entries if entry.place in places and entry.name in FAMILY]
        labels = {label for entry in entries for label in offer_of(entry, document).labels}
        lines = [*document.indexes, *document.explicit]
        own = all(line.path == document.path for line in lines if classify_index(line.address).label in labels)
        return labels.pop() if len(labels) == 1 and own else ""

    def _pages(self, document: Document, old: str) -> Iterator[str]:
        """Builds of the same kind whose pages are known to have all that the file takes from this one."""
        mine = parse_label(old)
        if mine is None:
            return
        builds, stack = self._known.builds, self._known.stack
        taken = []
        for entry in document.entries:
            if entry.name in FAMILY and old in offer_of(entry, document).labels and entry.url is None:
                taken.append(demand_of(entry, stack))
        if not taken or any(not demand.releases for demand in taken):
            return
        for label in _near(old, builds.all_labels):
            if all(
                any(
                    builds.serves(demand.name, stack.packages[demand.name].versions[index], label) is True
                    for index in bits(demand.releases or 0)
                )
                for demand in taken
            ):
                yield label


def _near(label: str, labels: frozenset[str]) -> list[str]:
    """The builds of the same kind, the nearest versions first."""
    mine = parse_label(label)
    found = sorted(
        (parsed.version, text)
        for text in labels
        if (parsed := parse_label(text)) and mine and parsed.kind == mine.kind and parsed.version
    )
    order = [text for _, text in found]
    if mine is None or label not in order:
        return []
    at = order.index(label)
    return sorted(
        (text for text in order if text != label), key=lambda text: (abs(order.index(text) - at), text < label)
    )


def moved(document: Document, old: str, new: str) -> Document:
    """The document with the page and the labels of another build."""

    def line(one: IndexLine) -> IndexLine:
        return one._replace(address=_readdressed(one.address, old, new))

    entries = [
        replace(
            entry,
            index=entry.index and _readdressed(entry.index, old, new),
            specifier=_relabelled(entry.specifier, old, new) if entry.name in FAMILY else entry.specifier,
        )
        for entry in document.entries
    ]
    return replace(
        document,
        entries=entries,
        indexes=list(map(line, document.indexes)),
        explicit=list(map(line, document.explicit)),
    )


def move_edits(document: Document, old: str, new: str) -> tuple[Edit, ...]:
    """The edits that write the page and the labels of another build."""
    lines = [*document.indexes, *document.explicit]
    written = {line.address for line in lines} | {entry.index for entry in document.entries if entry.index}
    edits = []
    for address in written:
        changed = _readdressed(address, old, new)
        if changed != address:
            found = re.finditer(rf"{re.escape(address)}(?![\w./-])", document.text)
            edits += [Edit(Span(match.start(), match.end()), changed) for match in found]
    labels = {
        number: _relabelled(entry.specifier, old, new)
        for number, entry in enumerate(document.entries)
        if entry.name in FAMILY and entry.path == document.path and f"+{old}" in entry.specifier
    }
    return (*sorted(edits), *edits_of(document, labels))


def _readdressed(address: str, old: str, new: str) -> str:
    """The address of the page of another build; the same address if it is not that of the old page."""
    if classify_index(address).label != old:
        return address
    head, found, tail = address.rpartition(f"/{old}")
    return f"{head}/{new}{tail}" if found else address


def _relabelled(specifier: str, old: str, new: str) -> str:
    return re.sub(rf"\+{re.escape(old)}(?![\w.])", f"+{new}", specifier)
