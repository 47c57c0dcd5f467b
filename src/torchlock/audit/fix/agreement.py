"""Remedies of one file that agree: findings about the same lines get one remedy, if it fixes all of them."""

from __future__ import annotations

from itertools import islice

from torchlock.audit.fix.edits import apply, encoded
from torchlock.audit.fix.weight import weighed
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from torchlock.finding import Finding, Remedy
    from torchlock.location import Place
    from torchlock.manifests.document import Document

# The limit on remedies that are tried for one file.
_TRIALS = 6


def share_remedies(
    document: Document, findings: Sequence[Finding], judge: Callable[[Document], list[Finding]]
) -> None:
    """Give findings that share lines one remedy, where their remedies differ and one of these fixes them all.

    Only remedies that change the fewest lines are tried. Two different remedies for the same lines would
    contradict each other.
    """
    fixed = [each for each in findings if each.severity != "note" and each.packages and _has_edits(each)]
    left = _TRIALS
    for places in linked_lines(fixed):
        mine = [finding for finding in fixed if finding.place in places]
        remedies = {each.remedy.edits: each.remedy for each in mine if each.remedy is not None}
        if len(remedies) < 2:
            continue
        fewest = min(len(remedy.changes) for remedy in remedies.values())
        smallest = [remedy for remedy in remedies.values() if len(remedy.changes) == fewest]
        for remedy in islice(smallest, left):
            left -= 1
            if _fixes_all(document, findings, mine, remedy, judge):
                for finding in mine:
                    finding.remedy = remedy
                break


def _has_edits(finding: Finding) -> bool:
    return finding.remedy is not None and bool(finding.remedy.edits)


def _fixes_all(
    document: Document,
    findings: Sequence[Finding],
    mine: Sequence[Finding],
    remedy: Remedy,
    judge: Callable[[Document], list[Finding]],
) -> bool:
    """Whether none of some findings is left after the edits of a remedy, and none is new."""
    from torchlock.manifests import read_document

    text = apply(document.text, remedy.edits)
    after = judge(read_document(document.path, raw=encoded(document, text), kind=document.kind))
    there = {(each.rule, each.place.line) for each in after if each.severity != "note"}
    later = {each.place.line: _moved(document, remedy, each.place.line) for each in mine}
    return weighed(after) < weighed(findings) and not any(
        (each.rule, later[each.place.line]) in there for each in mine
    )


def _moved(document: Document, remedy: Remedy, line: int) -> int:
    """The number that a line has after the edits of a remedy, which may add lines before it."""
    moved = line
    for edit in remedy.edits:
        if document.text.count("\n", 0, edit.span.start) + 1 < line:
            moved += edit.new.count("\n") - document.text.count("\n", edit.span.start, edit.span.end)
    return moved


def linked_lines(findings: Iterable[Finding]) -> list[frozenset[Place]]:
    """The lines of findings, in groups: findings that share a line, directly or through others, are together."""
    linked: dict[Place, set[Place]] = {}
    for finding in findings:
        for place in (places := {finding.place, *finding.related}):
            linked.setdefault(place, set()).update((place, min(places)))
            linked.setdefault(min(places), set()).add(place)
    groups: list[frozenset[Place]] = []
    done: set[Place] = set()
    for place in linked:
        group: set[Place] = set()
        waiting = [place] if place not in done else []
        while waiting:
            if (one := waiting.pop()) not in group:
                group.add(one)
                waiting += linked[one]
        done |= group
        groups += [frozenset(group)] if group else []
    return groups
