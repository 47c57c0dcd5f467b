"""Search for the smallest change of lines that fixes a document; every trial is judged in full.

Changes of fewer lines come first. Of equally many lines, the least deliberate ones change first: a name without a
version before a range, a range before an exact pin, a companion before torch. A line with versions changes only if
no change of names without a version is enough, however many these are. Versions stay within their major version if
possible.
"""

from __future__ import annotations

import re
from itertools import combinations, groupby, islice, product

from torchlock.answers import Unknown
from torchlock.audit.fix.soundness import Soundness
from torchlock.audit.fix.specifiers import capped, nearest, respelled, written
from torchlock.audit.fix.weight import weighed
from torchlock.audit.index_builds import offer_of
from torchlock.audit.install_sets import cells_where, demand_of, without_duplicates
from torchlock.knowledge.stack import FAMILY
from torchlock.records import NamedTuple, replace
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from torchlock.audit.context import AuditContext, Knowledge
    from torchlock.audit.install_sets import Demand
    from torchlock.finding import Finding
    from torchlock.knowledge.compatibility import CompatibilityTable, Package
    from torchlock.location import Place
    from torchlock.manifests.document import Document, Entry

    Still = Callable[[Document, frozenset[str], Callable[[Finding], bool]], bool]

# Limits: lines to change, trials for one set of lines, trials for one fix.
_LINES, _TRIALS_EACH, _TRIALS = 6, 16, 160
# The budget of all fixes of a document, and the costs of a trial, a check and a set of lines. The costs are for a
# document of usual size; they grow with the size.
_BUDGET, _TRIAL, _CHECK, _SET = 3000, 8, 4, 1
_USUAL_SIZE = 200
# The platforms of a file with a page of builds that declares none. Old wheels without a label are linked on every
# page, mostly for other platforms.
_USUAL = ("linux-x86_64", "windows-amd64")


class Known(NamedTuple):
    """The findings that a fix starts from: how much they weigh, and which are as severe as those to remove.

    ``faults`` are the rules and places of those to remove, where nothing milder was found beside them; ``rules``
    are the rules of all that are to be removed.
    """

    weight: tuple[int, int]
    severities: frozenset[str]
    found: frozenset[tuple[str, Place]]
    faults: frozenset[tuple[str, Place]]
    rules: frozenset[str]

    @classmethod
    def of(cls, findings: Sequence[Finding], faults: Sequence[Finding]) -> Known:
        """The findings of a document, of which the faults are to be removed."""
        severities = {"error"} if all(fault.severity == "error" for fault in faults) else {"error", "warning"}
        other = {(each.rule, each.place) for each in findings if not any(each is fault for fault in faults)}
        return cls(
            weighed(findings),
            frozenset(severities),
            frozenset((each.rule, each.place) for each in findings),
            frozenset((fault.rule, fault.place) for fault in faults) - other,
            frozenset(fault.rule for fault in faults),
        )

    def keeps_a_fault(self, findings: Sequence[Finding]) -> bool:
        """Whether a finding to remove is only milder than before: it fails on fewer targets."""
        return any(each.severity != "note" and (each.rule, each.place) in self.faults for each in findings)

    def has_new(self, findings: Sequence[Finding]) -> bool:
        """Whether there is a finding as severe as those to remove that was not there before."""
        return any(
            each.severity in self.severities and (each.rule, each.place) not in self.found for each in findings
        )


class FixSearch:
    """Searches for fixes.

    ``judge`` judges a document as the audit does; ``still`` says sooner that some rules find what is wanted.
    """

    def __init__(self, known: Knowledge, judge: Callable[[Document], list[Finding]], still: Still) -> None:
        self._known = known
        self._judge = judge
        self._still = still
        self.begin()
        self._pages: dict[tuple[str, str, tuple[str, ...]], int] = {}
        """Package, page and platforms → the releases on that page."""

    def begin(self, size: int = 0, context: AuditContext | None = None) -> None:
        """Start on a document, with a new budget: ``size`` is the work of one trial."""
        self._grid = context.target_grid if context is not None else -1
        self._soundness = Soundness(context) if context is not None else None
        self._failed: set[frozenset[tuple[str, Place]]] = set()
        self._left = float(_BUDGET)
        self._cost = max(1.0, size / _USUAL_SIZE)
        self.trials = 0

    @property
    def spent(self) -> bool:
        """Whether the budget is used up. Then a fix may exist that was not found."""
        return self._left <= 0

    def _take(self, share: int) -> None:
        self._left -= share * self._cost

    def _tried(self, document: Document, changes: dict[int, str], share: int) -> list[Finding]:
        """The findings after some changes; ``share`` is the cost."""
        self._take(share)
        self.trials += 1
        return self._judge(changed(document, changes))

    def fix(
        self, document: Document, findings: Sequence[Finding], wanted: Callable[[Finding], bool]
    ) -> dict[int, str] | None:
        """The smallest changes that remove all wanted findings and cause nothing worse.

        ``findings`` are those of the document. Returns entries (by index in the document) with their new
        specifiers; an empty mapping if there is nothing to fix; None if no fix was found.
        """
        faults = [finding for finding in findings if wanted(finding)] if not self.spent else []
        if not faults:
            return None if self.spent else {}
        asked = frozenset((fault.rule, fault.place) for fault in faults)
        if asked in self._failed:
            return None
        self._failed.add(asked)  # Unless it ends with a fix.
        known, trials, seen = Known.of(findings, faults), 0, set[tuple[tuple[int, str], ...]]()
        for chosen, pin in self._tries(document, faults):
            subset = tuple(line[0] for line in chosen)
            self._take(_SET)
            for specifiers in islice(self._assignments(document, subset, pin), _TRIALS_EACH):
                changes = {index: new for line, new in zip(chosen, specifiers, strict=True) for index in line}
                key = tuple(changes.items())
                if key in seen:
                    continue
                seen.add(key)
                if not self._is_sound(changes, faults):
                    self._take(_SET)
                    continue
                trials += 1
                if trials > _TRIALS or self.spent:
                    return None
                if self._solves(document, changes, wanted, known):
                    self._failed.remove(asked)
                    changes = {i: new for i, new in changes.items() if new != document.entries[i].specifier}
                    return self._smallest(document, changes, wanted, known)
        return None

    def _is_sound(self, changes: dict[int, str], faults: Sequence[Finding]) -> bool:
        return self._soundness is None or self._soundness.holds(changes, faults)

    def _solves(
        self,
        document: Document,
        changes: dict[int, str],
        wanted: Callable[[Finding], bool],
        known: Known,
    ) -> bool:
        """Whether these changes remove all wanted findings and cause nothing worse."""
        self._take(_TRIAL)
        self.trials += 1
        after = changed(document, changes)
        if self._still(after, known.rules, lambda each: wanted(each) or known.keeps_a_fault([each])):
            return False
        left = self._judge(after)
        gone = not any(map(wanted, left)) and not known.keeps_a_fault(left)
        return gone and weighed(left) < known.weight and not known.has_new(left)

    def _smallest(
        self,
        document: Document,
        changes: dict[int, str],
        wanted: Callable[[Finding], bool],
        known: Known,
    ) -> dict[int, str]:
        """These changes without those that are not necessary; first those of names without a version."""
        order = sorted(changes, key=lambda index: bool(document.entries[index].specifier))
        for index in order if len(changes) > 1 else ():
            fewer = {i: new for i, new in changes.items() if i != index}
            if fewer and not self.spent and self._solves(document, fewer, wanted, known):
                changes = fewer
        return changes

    def fixes(
        self, document: Document, findings: Sequence[Finding], changes: dict[int, str], finding: Finding
    ) -> bool:
        """Whether these changes remove one finding and cause no other. False if the budget is used up."""
        if self.spent or not self._is_sound(changes, [finding]):
            return False
        left = self._tried(document, changes, _CHECK)
        gone = all((each.rule, each.place) != (finding.rule, finding.place) for each in left)
        known = Known.of(findings, [finding])
        return gone and weighed(left) < known.weight and not known.has_new(left)

    def _tries(
        self, document: Document, faults: Sequence[Finding]
    ) -> Iterator[tuple[tuple[tuple[int, ...], ...], bool]]:
        """Sets of lines, the fewest first. For each size, first bound ranges, then allow pins everywhere.

        The set of all names without a version comes before every set with a more deliberate line.
        """
        sets = [list(same_size) for _, same_size in groupby(self._subsets(document, faults), key=len)]
        places = {place for finding in faults for place in (finding.place, *finding.related)}
        bare = tuple(
            line
            for (line,) in (sets[0] if sets else ())
            if not (entry := document.entries[line[0]]).specifier and entry.place in places
        )
        if len(bare) > 1:
            sets = [[(line,) for line in bare], [bare], *sets]
        for subsets in sets:
            yield from ((chosen, False) for chosen in subsets)
            yield from ((chosen, True) for chosen in subsets)

    def _subsets(self, document: Document, faults: Sequence[Finding]) -> Iterator[tuple[tuple[int, ...], ...]]:
        """Sets of lines to change, the smallest and least deliberate first. A line is the tuple of its entries."""
        named = {name for finding in faults for name, _ in finding.packages}
        places = {place for finding in faults for place in (finding.place, *finding.related)}
        lines: dict[tuple[object, ...], list[int]] = {}
        for index, entry in enumerate(document.entries):
            if (
                entry.name in self._known.stack.packages
                and (entry.name in FAMILY or entry.name in named)
                and entry.path == document.path
                and entry.url is None
                and not entry.constraint
                and not entry.is_of_image
            ):
                lines.setdefault((entry.place, entry.version), []).append(index)
        # The lines of the findings come first.
        candidates = sorted(
            map(tuple, lines.values()), key=lambda line: document.entries[line[0]].place not in places
        )[:_LINES]
        weight = {line: _weight(document.entries[line[0]], named) for line in candidates}
        for size in range(1, len(candidates) + 1):
            yield from sorted(combinations(candidates, size), key=lambda some: sum(weight[line] for line in some))

    def _assignments(self, document: Document, subset: tuple[int, ...], pin: bool) -> Iterator[tuple[str, ...]]:
        """New specifiers for these entries, the best first."""
        stack = self._known.stack
        entries = [document.entries[index] for index in subset]
        lines = {(entry.place, entry.version) for entry in entries}
        stays = [
            entry
            for entry in document.entries
            if entry.name in stack.packages and (entry.place, entry.version) not in lines
        ]
        fixed = [demand_of(entry, stack) for entry in without_duplicates(stays)]
        for torch in self._torches(entries, fixed, document):
            options = [list(self._options(entry, torch, fixed, document, pin)) for entry in entries]
            if len(entries) > 1 and not any(entry.specifier for entry in entries):
                options = [found or [""] for found in options]  # A name that needs no bound stays as it is.
            yield from islice(product(*options), 12)

    def _torches(self, entries: Sequence[Entry], fixed: Sequence[Demand], document: Document) -> Iterator[int]:
        """Releases of torch for a fix, as indices: close to the present one, working with the unchanged lines."""
        stack = self._known.stack
        package = stack.packages["torch"]
        mask = package.everything & ~package.yanked & ~package.prereleases
        own = [demand_of(entry, stack) for entry in entries if entry.name == "torch"]
        for demand in fixed:
            if demand.releases is None or demand.name not in FAMILY or not _together(demand.entry, entries, stack):
                continue
            fitting = demand.releases if demand.name == "torch" else stack.fits(demand.name, demand.releases)
            mask = mask & fitting or mask
        for entry in entries:
            # A page of builds may end at an old torch; only what it has keeps the build.
            if entry.name == "torch" and not (own_demand := demand_of(entry, stack)).exact:
                page = next(self._served(entry, package, document)) & (own_demand.releases or 0)
                mask = mask & page or mask
        present = next((written(demand, package) for demand in own), None)
        yield from nearest(mask, present, package.versions)

    def _options(
        self, entry: Entry, torch: int, fixed: Sequence[Demand], document: Document, pin: bool
    ) -> Iterator[str]:
        """New specifiers for one entry with this torch: a lower upper bound, or pins."""
        stack = self._known.stack
        demand, package = demand_of(entry, stack), stack.packages[entry.name]
        if entry.name == "torch":
            fitting = 1 << torch
        elif entry.name in stack.partners:
            fitting = stack.fits_torch(entry.name, 1 << torch)
            fitting = fitting & stack.loads_beside(entry.name, torch) or fitting
        else:
            fitting = package.everything
        fitting = fitting & ~package.prereleases & ~package.yanked or fitting
        fitting &= package.comparable
        for good in dict.fromkeys(fitting & served for served in self._served(entry, package, document)):
            if not pin and not demand.exact:
                yield from capped(entry, package, demand.releases or 0, good)
                continue
            for index in islice(nearest(good, written(demand, package), package.versions), 3):
                for label in self._labels(entry, package.versions[index], fixed, document):
                    yield respelled(entry.specifier, package.versions[index], label)

    def _served(self, entry: Entry, package: Package, document: Document) -> Iterator[int]:
        """The releases that the indexes of an entry have: those on the pages of builds first, then all others."""
        offer = offer_of(entry, document)
        if entry.name in FAMILY and entry.channel != "conda" and offer.labels:
            found = 0
            for page in offer.ordered:
                found |= self._on_page(entry.name, page, package, document.platforms or _USUAL)
            yield found
            if offer.only_label:
                return
        yield package.everything

    def _on_page(self, name: str, page: str, package: Package, platforms: tuple[str, ...]) -> int:
        """The releases that a page is known to have for one of these platforms."""
        key = name, page, platforms
        if key not in self._pages:
            serves = self._known.builds.serves
            self._pages[key] = sum(
                1 << index
                for index, text in enumerate(package.versions)
                if any(serves(name, text, page, platform) is True for platform in platforms)
            )
        return self._pages[key]

    def _labels(self, entry: Entry, version: str, fixed: Sequence[Demand], document: Document) -> list[str]:
        """Labels to pin, best first: of the unchanged lines, of the index, of the entry; "" means no label."""
        if entry.name not in FAMILY:
            return [""]
        beside = [
            demand
            for demand in fixed
            if demand.name in FAMILY and _together(demand.entry, [entry], self._known.stack)
        ]
        found = [demand.label for demand in beside]
        offer = offer_of(entry, document)
        found += sorted(offer.labels) if any(found) or "+" in entry.specifier else [""]
        found += [entry.specifier.partition("+")[2].partition(",")[0].strip(), ""]
        found += offer.ordered if len(offer.ordered) > 1 else ()
        published = self._known.builds.labels(entry.name, version)
        known = frozenset(found) if isinstance(published, Unknown) else published
        labels = [label for label in dict.fromkeys(found) if not label or label in known]
        if isinstance(published, Unknown):
            return labels
        return [label for label in labels if self._is_built(entry, version, label, beside)]

    def _is_built(self, entry: Entry, version: str, label: str, beside: Sequence[Demand]) -> bool:
        """Whether a build is known for a judged platform of each package with a label that stands beside it.

        Without such a package, whether it is known for any judged platform of the entry. A release without a
        label comes from the public index.
        """
        own = cells_where(entry, self._known.stack) & self._grid
        labelled = [demand for demand in beside if demand.label and label in ("", demand.label)]
        places = [self._places_of(demand, own) for demand in labelled]
        places = [each for each in places if each] or ([self._platforms(own)] if label else [])
        return all(any(self._has(entry.name, version, label, one) for one in some) for some in places)

    def _places_of(self, demand: Demand, cells: int) -> set[str]:
        """The platforms on which a build that is written beside is known, of these cells."""
        version = demand.entry.specifier.lstrip("= ").partition("+")[0]
        places = self._platforms(cells_where(demand.entry, self._known.stack) & cells)
        published = self._known.builds.published
        return {each for each in places if published(demand.name, version, demand.label, each) is True}

    def _has(self, name: str, version: str, label: str, platform: str) -> bool:
        stack = self._known.stack
        if label:
            return self._known.builds.published(name, version, label, platform) is True
        package = stack.packages[name]
        cells = stack.on_platform(stack.platforms.index(platform))
        return bool(package.mask(f"=={version}") & package.on(cells))

    def _platforms(self, cells: int) -> set[str]:
        stack = self._known.stack
        return {name for place, name in enumerate(stack.platforms) if cells & stack.on_platform(place)}


def _weight(entry: Entry, named: set[str]) -> int:
    """The cost of changing a line: higher for a more deliberate line. A torch without an upper bound is cheap."""
    if re.match(r"===?[^*,]+$", entry.specifier):
        cost = 8
    elif re.search(r"<|==|~=", entry.specifier):
        cost = 6
    elif entry.name == "torch":
        cost = 1
    else:
        cost = 4 if entry.specifier else 2
    if entry.name == "torch" and cost > 1:
        cost += 3
    return cost if entry.name in named else cost + 16


def _together(entry: Entry, entries: Iterable[Entry], stack: CompatibilityTable) -> bool:
    """Whether an entry is installed together with one of these: same extra or group, and overlapping markers."""
    return any(
        (not entry.scope or not other.scope or entry.scope == other.scope)
        and cells_where(entry, stack) & cells_where(other, stack)
        for other in entries
    )


def changed(document: Document, changes: dict[int, str]) -> Document:
    """The document with new specifiers for some entries (by index)."""
    entries = [
        replace(entry, specifier=changes[index]) if index in changes else entry
        for index, entry in enumerate(document.entries)
    ]
    return replace(document, entries=entries)
