"""The fixes: a remedy for each finding, and a text of the file without findings."""

from __future__ import annotations

from itertools import combinations

from torchlock.audit.fix import declared, pages
from torchlock.audit.fix.advice import advice_of
from torchlock.audit.fix.agreement import linked_lines, share_remedies
from torchlock.audit.fix.edits import apply, changes_of
from torchlock.audit.fix.remedies import fixed, relevant, remedy_of
from torchlock.audit.fix.search import FixSearch
from torchlock.audit.install_sets import effective
from torchlock.finding import Remedy
from torchlock.knowledge.registry import changed_by
from torchlock.knowledge.stories import story
from torchlock.records import replace
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torchlock.audit.context import AuditContext, Knowledge
    from torchlock.audit.fix.search import Still
    from torchlock.finding import Finding
    from torchlock.location import Place
    from torchlock.manifests.document import Document


# Of these rules only the package that uses torch changes, never torch.
_ALONE = changed_by("dependent")
_ENDED = "The search for a fix found none in {} trials."
_FIRST = " Make the changes of the findings before this one, then audit again."


class Fixer:
    """Finds remedies. The judge that reported the findings also checks each remedy."""

    def __init__(
        self,
        known: Knowledge,
        judge: Callable[[Document], list[Finding]],
        still: Still,
        size: Callable[[Document], int],
        context: Callable[[Document], AuditContext],
    ) -> None:
        self._context = context
        self._known = known
        self._judge = judge
        self._size = size
        self._search = FixSearch(known, judge, still)
        self._reported: frozenset[tuple[str, Place]] = frozenset()
        """The rule and place of each error and warning of the whole document: no other one is fixed."""
        self._special: dict[str, pages.PageSearch | declared.DeclaredSearch] = {
            **dict.fromkeys(pages.RULES, pages.PageSearch(known, judge)),
            **dict.fromkeys(declared.RULES, declared.DeclaredSearch(known, judge)),
        }
        """The searches for the rules that need another change than other releases of the stack."""

    def add_remedies(self, document: Document, findings: list[Finding]) -> None:
        """Give each finding without a remedy its part of the file's fix, else a fix for this finding alone.

        An error or a warning that no change is known to fix gets what its rule says to its reader.
        """
        self._search_remedies(document, findings)
        _share_corrections(document, findings)
        share_remedies(document, findings, self._judge)
        unread = {(issue.rule, issue.place) for issue in document.issues}  # Their messages say what is wrong.
        for finding in findings:
            if finding.remedy or finding.severity == "note" or (finding.rule, finding.place) in unread:
                continue
            finding.remedy = Remedy(story(finding.rule).fix)

    def _search_remedies(self, document: Document, findings: list[Finding]) -> None:
        if not any(_is_fixable(finding) and finding.severity != "note" for finding in findings):
            return
        _share_sources(findings)
        bare = self._begin(document, findings)
        context, found = self._context(document), self._judge(bare)
        together: dict[int, str] | None = {}
        for severity, with_worse in (("error", {"error"}), ("warning", {"error", "warning"})):
            mine = [finding for finding in findings if finding.severity == severity and _is_fixable(finding)]
            if not mine:
                continue
            for finding in mine:
                if finding.rule in self._special:
                    finding.remedy = self._special[finding.rule].remedy(bare, found, finding)
            _share_remedies(mine, found)
            mine = [finding for finding in mine if _is_fixable(finding) and finding.rule not in _ALONE]
            if not mine:
                continue
            # If no fix exists for this finding alone, none exists for it with others.
            together = None if together is None else self._fix(bare, found, frozenset(with_worse))
            for finding in mine:
                changes = together
                if changes is None:
                    changes = self._fix_one(bare, found, finding)
                part = self._part(finding, bare, found, changes) if changes else None
                finding.remedy = remedy_of(bare, part) if part else advice_of(context, finding)
            self._say_where_it_ended(findings, mine)

    def _say_where_it_ended(self, findings: list[Finding], without: list[Finding]) -> None:
        """Say that a search stopped; what to do first only if an earlier finding has a remedy."""
        if not self._search.spent:
            return
        for finding in without:
            if finding.remedy is None:
                before = findings[: next(at for at, each in enumerate(findings) if each is finding)]
                can_fix = any(each.remedy is not None and each.remedy.edits for each in before)
                finding.remedy = Remedy(_ENDED.format(self._search.trials) + (_FIRST if can_fix else ""))

    def _part(
        self, finding: Finding, document: Document, found: list[Finding], changes: dict[int, str]
    ) -> dict[int, str] | None:
        """The smallest part of a fix that fixes one finding, else the whole fix; None if that does not help."""
        if self._search.spent:
            return None
        mine = relevant(finding, document, changes)
        for part in _parts(document, mine):
            if self._search.fixes(document, found, part, finding):
                return part
            if self._search.spent:
                return None
        return changes if self._search.fixes(document, found, changes, finding) else None

    def fixed_text(self, document: Document, severities: frozenset[str]) -> str:
        """One round. Fix invalid lines first, because an installer that can read them may show more errors."""
        edits = [edit for issue in document.issues if issue.severity in severities for edit in issue.edits]
        if edits:
            return apply(document.text, edits)
        bare = self._begin(document, self._judge(replace(document, issues=[])))
        found = self._judge(bare)
        mine = [finding for finding in found if finding.severity in severities and self._is_reported(finding)]
        if any(finding.rule in self._special for finding in mine):
            self.add_remedies(bare, found)
        for finding in mine:
            if finding.remedy is not None and finding.remedy.edits:
                return apply(document.text, finding.remedy.edits)
        changes = self._fix(bare, found, severities)
        if changes is None and "error" in severities:
            changes = self._fix(bare, found, frozenset({"error"}))
        return fixed(bare, changes or {})

    def _begin(self, document: Document, findings: list[Finding]) -> Document:
        """Start on a document, with new budgets: the document without what does not matter for these findings."""
        bare = self._bare(document, {name for finding in findings for name, _ in finding.packages})
        worse = (finding for finding in findings if finding.severity != "note")
        self._reported = frozenset((finding.rule, finding.place) for finding in worse)
        self._search.begin(self._size(bare), self._context(bare))
        for search in self._special.values():
            search.begin()
        return bare

    def _is_reported(self, finding: Finding) -> bool:
        """Whether a finding of the reduced document is more than a note in the whole one, too."""
        return (finding.rule, finding.place) in self._reported

    def _bare(self, document: Document, found: set[str]) -> Document:
        """The document without entries that no rule is about and that were not found, and without parse issues."""
        about, names = self._known.matrix.about, self._known.stack.packages.keys() | found
        names |= self._known.declared.dependents
        entries = [entry for entry in effective(document.entries) if entry.name in names or about(entry.name)]
        return replace(document, entries=entries, issues=[])

    def _fix(self, document: Document, found: list[Finding], severities: frozenset[str]) -> dict[int, str] | None:
        """The smallest changes that remove all findings of these severities that other versions can fix.

        Fix findings that share no line independently. None if none of them can be fixed.
        """

        solved = {(finding.rule, finding.place) for finding in found if finding.remedy}

        def wanted(finding: Finding) -> bool:
            other = (finding.rule, finding.place) not in solved and self._is_reported(finding)
            is_mine = other and _is_fixable(finding) and finding.rule not in _ALONE
            return finding.severity in severities and is_mine

        changes: dict[int, str] = {}
        groups = linked_lines([finding for finding in found if wanted(finding)])
        for places in groups:
            if self._search.spent:
                break

            def about(finding: Finding, places: frozenset[Place] = places) -> bool:
                return wanted(finding) and not places.isdisjoint((finding.place, *finding.related))

            changes |= self._search.fix(document, found, about) or {}
        return changes if changes or not groups else None

    def _fix_one(self, document: Document, found: list[Finding], finding: Finding) -> dict[int, str] | None:
        """The smallest changes that remove this one finding."""

        def same(other: Finding) -> bool:
            return (other.rule, other.place) == (finding.rule, finding.place)

        return self._search.fix(document, found, same)


def _share_remedies(findings: list[Finding], found: list[Finding]) -> None:
    """Give findings of the reduced document the remedies of the same findings of the whole one."""
    remedies = {(finding.rule, finding.place): finding.remedy for finding in findings if finding.remedy}
    for finding in found:
        finding.remedy = finding.remedy or remedies.get((finding.rule, finding.place))


def _share_corrections(document: Document, findings: list[Finding]) -> None:
    """Give findings about a package whose versions a shell takes for itself the correction of that line."""
    lost = {entry.place for entry in document.entries if entry.shell and entry.version is None}
    corrections = {issue.place: issue for issue in document.issues if issue.edits and issue.place in lost}
    for finding in findings:
        issue = corrections.get(finding.place)
        if issue and finding.severity != "note" and not (finding.remedy and finding.remedy.edits):
            finding.remedy = Remedy(issue.remedy, changes_of(document, issue.edits), issue.edits)


def _share_sources(findings: list[Finding]) -> None:
    """Give builds that disagree the remedy of the source that is missing on the same line (TL517)."""
    sources = {finding.place: finding.remedy for finding in findings if finding.rule == "TL517"}
    for finding in findings:
        if finding.rule in ("TL201", "TL203") and finding.remedy is None:
            finding.remedy = sources.get(finding.place)


def _parts(document: Document, changes: dict[int, str]) -> Iterator[dict[int, str]]:
    """The parts of some changes, the smallest first. All entries of one line change together."""
    lines: dict[tuple[object, ...], dict[int, str]] = {}
    for index, new in changes.items():
        entry = document.entries[index]
        lines.setdefault((entry.path, entry.place, entry.version), {})[index] = new
    for size in range(1, len(lines) + 1):
        for some in combinations(lines.values(), size):
            yield {index: new for line in some for index, new in line.items()}


def _is_fixable(finding: Finding) -> bool:
    """Whether other versions may fix it. A finding that already has a remedy needs something else."""
    return finding.remedy is None and bool(finding.packages)
