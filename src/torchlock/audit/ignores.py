"""``# torchlock: ignore[TL101] reason``: what the author of a line has decided to live with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock.document import Place
from torchlock.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable

_IGNORE = re.compile(r"#\s*torchlock:\s*ignore\[([^\[\]\n]*)\]([^\n\r]*)")


class Ignore(NamedTuple):
    """One comment: the rules it names, on which line, and why."""

    rules: frozenset[str]
    place: Place
    reason: str
    first: int
    """The first line of the logical one: a comment stands at the end of what backslashes continue."""


def ignores_in(text: str) -> list[Ignore]:
    """Every such comment of a file."""
    if "torchlock:" not in text:
        return []
    found: list[Ignore] = []
    lines = text.split("\n")
    for match in _IGNORE.finditer(text):
        rules = frozenset(rule.strip().upper() for rule in match[1].split(",") if rule.strip())
        start = text.rfind("\n", 0, match.start()) + 1
        place = Place(text.count("\n", 0, match.start()) + 1, match.start() - start + 1)
        first = place.line
        while first > 1 and lines[first - 2].rstrip("\r").endswith("\\"):
            first -= 1
        found.append(Ignore(rules, place, match[2].strip(" -:"), first))
    return found


def without_ignored(findings: Iterable[Finding], text: str, rules: Iterable[str] = ()) -> list[Finding]:
    """The findings that nobody has decided to live with; a comment without effect or reason is a note.

    ``rules`` are ignored everywhere. A comment counts for every line that a finding is about.
    """
    everywhere, comments = frozenset(rules), ignores_in(text)
    used: set[Ignore] = set()
    kept = []
    for finding in findings:
        lines = {finding.place.line, *(place.line for place in finding.related)}
        hit = [
            each
            for each in comments
            if finding.rule in each.rules and lines & set(range(each.first, each.place.line + 1))
        ]
        used.update(hit)
        if not hit and finding.rule not in everywhere:
            kept.append(finding)
    for comment in comments:
        if comment not in used:
            kept.append(
                _note(
                    comment,
                    f"nothing here is ignored by this comment ({', '.join(comment.rules) or 'no rule named'})",
                )
            )
        elif not comment.reason:
            kept.append(_note(comment, "this comment does not say why"))
    return [finding for finding in kept if finding.rule not in everywhere]


def _note(comment: Ignore, message: str) -> Finding:
    return Finding("TL904", "note", message, comment.place)
