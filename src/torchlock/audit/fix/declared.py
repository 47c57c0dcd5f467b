"""Other releases of packages outside of the torch family, as a fix: what the metadata of both sides allows."""

from __future__ import annotations

import re
from itertools import islice

from torchlock.audit.fix.remedies import remedy_of
from torchlock.audit.fix.search import changed
from torchlock.audit.fix.specifiers import respelled
from torchlock.audit.fix.weight import weighed
from torchlock.audit.install_sets import is_pinned, pinned, with_pin
from torchlock.knowledge.registry import changed_by
from torchlock.knowledge.rules import specifier_set
from torchlock.knowledge.stack import FAMILY
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from packaging.version import Version

    from torchlock.audit.context import Knowledge
    from torchlock.finding import Finding, Remedy
    from torchlock.knowledge.declared import DeclaringRelease
    from torchlock.manifests.document import Document, Entry

# The rules whose findings another release of such a package may fix.
RULES = changed_by("release", "dependent")
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
        mine = [
            (index, with_pin(entry))
            for name, _ in finding.packages
            for index, entry in enumerate(document.entries)
            if entry.name == name and entry.place in places and entry.path == document.path
        ]
        for index, entry in mine:
            if entry.name not in FAMILY and not entry.constraint and not entry.url:
                others = [other for _, other in mine if other.name != entry.name]
                yield from (
                    (index, respelled(entry.specifier, pin, "")) for pin in self._declared_pins(entry, others)
                )
                specifiers = self._specifiers(document, entry, others, later=self._is_measured(finding))
                yield from ((index, new) for new in islice(specifiers, _TRIALS))

    def _declared_pins(self, entry: Entry, others: Sequence[Entry]) -> Iterator[str]:
        """The only version of a package that torch or a companion declares, as torch does of NVIDIA's packages."""
        for other in others:
            label = other.specifier.partition("+")[2].partition(",")[0].strip()
            if other.name in FAMILY and is_pinned(other.specifier):
                name = re.sub(r"\+[\w.]+", "", other.specifier)
                allowed = self._known.declared.allowed(other.name, name, label) or self._allowed(other)
                asked = (
                    {item.specifier for _, item in allowed[0].by_name.get(entry.name, ())} if allowed else set()
                )
                pins = {str(pin) for text in asked if (pin := pinned(text)) is not None}
                yield from pins if len(asked) == 1 else ()

    def _is_measured(self, finding: Finding) -> bool:
        """Whether statements say which releases fail. Of those before the first of them nothing is known."""
        return bool(self._known.matrix.statements_of(finding.rule))

    def _specifiers(
        self, document: Document, entry: Entry, others: Sequence[Entry], *, later: bool
    ) -> Iterator[str]:
        """Pins of other releases for the platforms of the present one, the nearest to it first."""
        now = self._allowed(entry)
        named = {self._known.stack.platforms.index(each) for each in document.platforms or ()}
        platforms = self._platforms(now[0].cells if now else 0)
        platforms = platforms & named or platforms
        of_sdist = now[0].of_sdist if now else True
        releases = [
            release
            for release in self._known.declared.releases(entry.name) or ()
            if release.is_final
            and (of_sdist or not release.of_sdist)
            and platforms <= self._platforms(release.cells)
            and all(self._fits(release, other) for other in others)
        ]
        here = pinned(entry.specifier) or (now[0].version if now else None)
        if here is not None:
            versions = [release.version for release in releases if not later or release.version > here]
            for version in _nearest(versions, here):
                yield respelled(entry.specifier, str(version), "")

    def _fits(self, release: DeclaringRelease, other: Entry) -> bool:
        """Whether a release installs where another entry does, and neither excludes the other by its metadata."""
        allowed = self._allowed(other)
        asks = [item.specifier for _, item in allowed[0].by_name.get(release.name, ())] if allowed else []
        asked = [item.specifier for _, item in release.by_name.get(other.name, ())]
        version = pinned(other.specifier)
        return (
            (not allowed or bool(allowed[0].cells & release.cells))
            and (not asks or any(specifier_set(text).contains(release.version) for text in asks))
            and (not asked or version is None or any(specifier_set(text).contains(version) for text in asked))
        )

    def _allowed(self, entry: Entry) -> list[DeclaringRelease]:
        """The releases of an entry on the public index, newest first."""
        return self._known.declared.allowed(entry.name, re.sub(r"\+[\w.]+", "", entry.specifier))

    def _platforms(self, cells: int) -> set[int]:
        stack = self._known.stack
        return {place for place in range(len(stack.platforms)) if cells & stack.on_platform(place)}


def _nearest(versions: Iterable[Version], here: Version) -> list[Version]:
    """Versions: of the same series first, then of the same major version; newer ones before older ones."""
    order = sorted(versions)
    at = sum(version < here for version in order)

    def rank(index: int) -> tuple[bool, bool, bool, int]:
        major, minor = order[index].release[:1] != here.release[:1], order[index].release[:2] != here.release[:2]
        return major, minor, index < at, abs(index - at)

    return [order[index] for index in sorted(range(len(order)), key=rank) if order[index] != here]
