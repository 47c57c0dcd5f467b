"""Comments that ignore findings: ``# torchlock: ignore[TL101] reason``."""

from __future__ import annotations

from functools import lru_cache

from torchlock.finding import Finding
from torchlock.knowledge import registry
from torchlock.location import Place
from torchlock.patterns import pattern
from torchlock.records import NamedTuple
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# The limit on the lines that backslashes join.
_LONGEST = 300
_IGNORE = pattern(r"#\s*torchlock:\s*ignore(?:\[([^\[\]\n]*)\]|\b(?!\[))([^\n\r]*)")


class Ignore(NamedTuple):
    """One comment: the rules that it names, its line, and the reason."""

    rules: frozenset[str]
    place: Place
    reason: str
    first: int
    """The first line of the logical line. The comment is at its end, after lines that backslashes join."""


@lru_cache(maxsize=2)
def ignores_in(text: str) -> list[Ignore]:
    """All such comments of a file."""
    if "torchlock:" not in text:
        return []
    found: list[Ignore] = []
    first = 1
    for number, line in enumerate(text.split("\n"), 1):
        for match in _IGNORE.finditer(line):
            rules = frozenset(rule.strip().upper() for rule in (match[1] or "").split(",") if rule.strip())
            begin = max(first, number - _LONGEST)
            found.append(Ignore(rules, Place(number, match.start() + 1), match[2].strip(" -:"), begin))
        if not line.rstrip("\r").endswith("\\"):
            first = number + 1
    return found


@registry.rule("TL904", on="comment")
def without_ignored(findings: Iterable[Finding], text: str, rules: Iterable[str] = ()) -> list[Finding]:
    """The findings that no comment ignores, and a note for each comment without effect or reason.

    ``rules`` are ignored everywhere. A comment applies to every line that a finding is about.
    """
    everywhere, comments = frozenset(rules), ignores_in(text)
    by_line: dict[tuple[str, int], list[Ignore]] = {}
    for comment in comments:
        for line in range(comment.first, comment.place.line + 1):
            for rule in comment.rules:
                by_line.setdefault((rule, line), []).append(comment)
    used: set[Ignore] = set()
    kept = []
    for finding in findings:
        lines = {finding.place.line, *(place.line for place in finding.related)}
        hit = [each for line in lines for each in by_line.get((finding.rule, line), ())]
        used.update(hit)
        if not hit and finding.rule not in everywhere:
            kept.append(finding)
    for comment in comments:
        if comment not in used:
            kept.append(_note(comment, _without_effect(comment)))
        elif not comment.reason:
            kept.append(_note(comment, "this comment gives no reason"))
    return [finding for finding in kept if finding.rule not in everywhere]


def _without_effect(comment: Ignore) -> str:
    """Why a comment ignores nothing."""
    if not comment.rules:
        return "this comment names no rule, so it ignores nothing: write, for example, ignore[TL101]"
    unknown = [rule for rule in sorted(comment.rules) if not registry.is_known(rule)]
    if unknown:
        return f"this comment ignores nothing: unknown rule {', '.join(unknown)}"
    return f"this comment ignores nothing: {', '.join(sorted(comment.rules))} was not found on this line"


def _note(comment: Ignore, message: str) -> Finding:
    return Finding("TL904", "note", message, comment.place)
