"""Other releases of packages outside of the torch family, as a fix: what the metadata of both sides allows."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.audit.fix.remedies import remedy_of
from torchlock.audit.fix.search import changed, respelled
from torchlock.audit.fix.weight import weighed
from torchlock.audit.install_sets import pinned
from torchlock.knowledge.rules import specifier_set
from torchlock.knowledge.stack import FAMILY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from torchlock.audit.context import Knowledge
    from torchlock.finding import Finding, Remedy
    from torchlock.manifests.document import Document, Entry

# The rules whose findings another release of such a package may fix.
RULES = frozenset({"TL530"})
# Limits on releases that are tried: for one line, and for one document.
_TRIALS, _ALL_TRIALS = 30, 90


class DeclaredSearch:
    """Searches for a release that what others declare allows. ``judge`` judges a document."""

    def __init__(self, known: Knowledge, judge: Callable[[Document], list[Finding]]) -> None:
        self._known = known
        self._judge = judge
        self.begin()

    def begin(self) -> None:
        """Start on a document, with a new budget."""
        self._left = _ALL_TRIALS

    def remedy(self, document: Document, findings: list[Finding], finding: Finding) -> Remedy | None:
        """The remedy for one finding: one line changes; None if no other release of these packages helps."""
        for index, new in self._trials(document, finding):
            if self._left <= 0:
                return None
            self._left -= 1
            after = self._judge(changed(document, {index: new}))
            gone = all((each.rule, each.place) != (finding.rule, finding.place) for each in after)
            if gone and weighed(after) < weighed(findings):
                return remedy_of(document, {index: new})
        return None

    def _trials(self, document: Document, finding: Finding) -> Iterator[tuple[int, str]]:
        """Lines of the finding, and new specifiers for them; first the package that the finding names first."""
        places = {finding.place, *finding.related}
        for name, _ in finding.packages:
            for index, entry in enumerate(document.entries):
                mine = entry.name == name and entry.place in places and entry.path == document.path
                if mine and name not in FAMILY and entry.url is None and not entry.constraint:
                    beside = self._cells_beside(document, finding, name)
                    yield from ((index, new) for new in islice(self._specifiers(entry, beside), _TRIALS))

    def _cells_beside(self, document: Document, finding: Finding, name: str) -> int:
        """The cells where the other packages of a finding install."""
        cells, places = self._known.stack.everywhere, {finding.place, *finding.related}
        for entry in document.entries:
            if entry.name != name and entry.place in places and entry.url is None:
                public = re.sub(r"\+[\w.]+", "", entry.specifier)
                allowed = self._known.declared.allowed(entry.name, public)
                cells &= allowed[0].cells if allowed else cells
        return cells

    def _specifiers(self, entry: Entry, beside: int) -> Iterator[str]:
        """Pins of other releases for the platforms of the present one, the nearest to it first.

        They install on some of the cells where the other packages do.
        """
        allowed_now = self._known.declared.allowed(entry.name, entry.specifier)
        platforms = self._platforms(allowed_now[0].cells if allowed_now else 0)
        releases = [
            release
            for release in self._known.declared.releases(entry.name) or ()
            if release.is_final and platforms <= self._platforms(release.cells) and release.cells & beside
        ]
        allowed = specifier_set(entry.specifier)
        here = pinned(entry.specifier) or max(
            (release.version for release in releases if allowed.contains(release.version)), default=None
        )
        if here is not None:
            for version in _nearest((release.version for release in releases), here):
                yield respelled(entry.specifier, str(version), "")

    def _platforms(self, cells: int) -> set[int]:
        stack = self._known.stack
        return {place for place in range(len(stack.platforms)) if cells & stack.on_platform(place)}


def _nearest(versions: Iterable[Version], here: Version) -> list[Version]:
    """Versions by their distance: those of the same series first, then those of the same major version."""
    order = sorted(versions)
    at = sum(version < here for version in order)

    def rank(index: int) -> tuple[bool, bool, int]:
        version = order[index]
        return version.release[:1] != here.release[:1], version.release[:2] != here.release[:2], abs(index - at)

    return [order[index] for index in sorted(range(len(order)), key=rank) if order[index] != here]
