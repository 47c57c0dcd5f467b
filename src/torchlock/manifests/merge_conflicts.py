"""The markers that git leaves in a file with an unresolved merge conflict."""

from __future__ import annotations

import re

from torchlock.location import Place
from torchlock.manifests.document import ParseIssue
from torchlock.patterns import pattern
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from torchlock.manifests.document import Document

LEFT = "a merge conflict was left in the file"
_AT_MARK = r"^(<{7}|={7}|>{7}|\|{7})(?=\s|$)"
_MARK = pattern(_AT_MARK, re.MULTILINE)
_MARKED_LINE = pattern(rf"{_AT_MARK}[^\r\n]*", re.MULTILINE)
# The markers of a whole conflict, in their order. Prose or a script may contain the second one alone.
_WHOLE = (
    pattern(r"^<{7}(?=[ \r\n])", re.MULTILINE),
    pattern(r"^={7}\r?$", re.MULTILINE),
    pattern(r"^>{7}(?=[ \r\n]|\Z)", re.MULTILINE),
)


def merge_conflict(text: str) -> int | None:
    """The offset of the first marker of a merge conflict."""
    found = _MARK.search(text)
    return found.start() if found else None


def blank_conflict_marks(text: str) -> str:
    """The text with spaces instead of all marker lines."""
    return _MARKED_LINE.sub(lambda line: " " * len(line[0]), text)


def conflicts(text: str) -> list[ParseIssue]:
    """The first marker of a merge conflict as an issue, if there is one."""
    merge = merge_conflict(text)
    return [] if merge is None else [ParseIssue("TL501", "error", LEFT, Place(_line(text, merge)))]


def report_markers(document: Document) -> None:
    """Report a merge conflict that the reader of the format did not report, or reported as another issue."""
    at = _whole(document.text)
    if at is None:
        return
    line = _line(document.text, at)
    there = [issue for issue in document.issues if issue.rule == "TL501" and issue.place.line == line]
    if not any(LEFT in issue.message for issue in there):
        others = [issue for issue in document.issues if issue not in there]
        document.issues = [ParseIssue("TL501", "error", LEFT, Place(line, 1)), *others]


def _whole(text: str) -> int | None:
    if "<<<<<<<" not in text:
        return None
    first, at = None, 0
    for sign in _WHOLE:
        found = sign.search(text, at)
        if found is None:
            return None
        first = found.start() if first is None else first
        at = found.end()
    return first


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
