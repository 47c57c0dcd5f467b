"""TL531, TL532: names of packages that cannot be installed, or that are another project than people expect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.audit.fix.edits import changes_of, line_starts
from torchlock.audit.install_sets import Demand, pinned
from torchlock.finding import Remedy
from torchlock.knowledge.registry import rule
from torchlock.knowledge.rules import specifier_set
from torchlock.knowledge.stack import STACK
from torchlock.location import Edit, Span
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.audit.context import AuditContext
    from torchlock.finding import Finding
    from torchlock.knowledge.rules import Statement
    from torchlock.manifests.document import Document, Entry

_RULES = ("TL531", "TL532")
# Beside these, a name is meant as the project for audio.
_AUDIO = frozenset(STACK)


@rule(*_RULES, on="document")
def names(context: AuditContext) -> Iterator[Finding]:
    """Entries for pip with the name of another project, or with a name that cannot be installed."""
    document = context.document
    about_audio = not context.sides.names.isdisjoint(_AUDIO | context.known.declared.dependents)
    for entry in document.entries if about_audio and not document.locked else ():
        if entry.channel != "pip" or entry.url is not None or entry.constraint or not context.offer(entry).public:
            continue
        for statement in context.known.matrix.about(entry.name):
            if statement.rule in _RULES and _is_about(statement, entry):
                yield from _found(context, statement, entry)


def _is_about(statement: Statement, entry: Entry) -> bool:
    """Whether an installer takes a release that a statement is about; for a range it takes the newest."""
    version = pinned(entry.specifier)
    return version is None or specifier_set(statement.when.specifier).contains(version)


def _found(context: AuditContext, statement: Statement, entry: Entry) -> Iterator[Finding]:
    own = Demand(entry, None, exact=pinned(entry.specifier) is not None)
    if statement.forbids:
        beside = [
            other
            for other in context.document.entries
            if any(other.name == item.name for item in statement.forbids) and other.scope in ("", entry.scope)
        ]
        for other in beside[:1]:
            demands = [own, Demand(other, None, exact=pinned(other.specifier) is not None)]
            message = f"{entry.name} and {other.name} install the same module, and the second replaces the first"
            finding = context.statement(statement, "warning", message, demands)
            finding.remedy = Remedy(f"Remove {entry.name}.")
            yield finding
        return
    severity = "error" if statement.never else "warning"
    what = "cannot be installed" if statement.never else "is another project"
    meant = f": the name is {statement.instead}" if statement.instead else " by pip"
    finding = context.statement(statement, severity, f"{entry.name} {what}{meant}", [own])
    finding.remedy = _remedy(context.document, statement, entry)
    yield finding


def _remedy(document: Document, statement: Statement, entry: Entry) -> Remedy:
    """The other name in place of this one, as an edit if the rest of the line stays right."""
    if not statement.instead:
        return Remedy(f"Remove {entry.name}.")
    summary = f"Write {statement.instead} in place of {entry.name}."
    keeps = not entry.specifier or statement.instead == "torch"
    span = _name_of(document, entry)
    if span is None or not keeps or statement.instead in {one.name for one in document.entries}:
        return Remedy(summary)
    edits = (Edit(span, statement.instead),)
    return Remedy(summary, changes_of(document, edits), edits)


def _name_of(document: Document, entry: Entry) -> Span | None:
    """Where the name of an entry is written; None if that is not certain."""
    if entry.path != document.path or not entry.place.column or entry.version is None:
        return None
    start = line_starts(document.text)[entry.place.line - 1] + entry.place.column - 1
    end = start + len(entry.name)
    return Span(start, end) if normalise(document.text[start:end]) == entry.name else None
