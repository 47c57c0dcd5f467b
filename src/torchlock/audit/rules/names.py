"""TL531 to TL533: names that cannot be installed, that are another project than people expect, or misspelt."""

from __future__ import annotations

from torchlock.audit.fix.edits import changes_of, line_starts
from torchlock.audit.install_sets import Demand, is_pinned, pinned
from torchlock.finding import Remedy
from torchlock.knowledge.registry import rule
from torchlock.knowledge.stack import STACK
from torchlock.location import Edit, Span
from torchlock.spelling import is_one_letter_off
from torchlock.standards.names import normalise
from torchlock.standards.ordering import admits
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.audit.context import AuditContext
    from torchlock.finding import Finding
    from torchlock.knowledge.rules import Statement
    from torchlock.manifests.document import Document, Entry

_RULES = ("TL531", "TL532")
# Beside these, a name is meant as the project for audio.
_AUDIO = frozenset(STACK)
# A name of this length is hardly met by chance. Shorter ones are: torchx and torchtest are projects of their own.
_LONG = tuple(name for name in STACK if len(name) >= 10)


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


@rule("TL533", on="document")
def misspelt_names(context: AuditContext) -> Iterator[Finding]:
    """The entries for pip whose name differs by one letter from the name of a package of the stack."""
    document = context.document
    for entry in document.entries if not document.locked else ():
        meant = next((name for name in _LONG if is_one_letter_off(entry.name, name)), "")
        if not meant or entry.channel != "pip" or entry.url is not None or not context.offer(entry).public:
            continue
        if context.known.matrix.about(entry.name):
            continue  # the data know the name
        message = f"{entry.name} is one letter away from {meant}"
        finding = context.finding("TL533", "warning", message, [Demand(entry, None)])
        finding.remedy = _remedy(document, meant, entry)
        yield finding


def _is_about(statement: Statement, entry: Entry) -> bool:
    """Whether an installer takes a release that a statement is about; for a range it takes the newest."""
    version = pinned(entry.specifier)
    return version is None or admits(statement.when.specifier, str(version))


def _found(context: AuditContext, statement: Statement, entry: Entry) -> Iterator[Finding]:
    own = Demand(entry, None, exact=is_pinned(entry.specifier))
    if statement.forbids:
        beside = [
            other
            for other in context.document.entries
            if any(other.name == item.name for item in statement.forbids) and other.scope in ("", entry.scope)
        ]
        for other in beside[:1]:
            demands = [own, Demand(other, None, exact=is_pinned(other.specifier))]
            message = f"{entry.name} and {other.name} install the same module, and the second replaces the first"
            finding = context.statement(statement, "warning", message, demands)
            finding.remedy = Remedy(f"Remove {entry.name}.")
            yield finding
        return
    severity = "error" if statement.never else "warning"
    what = "cannot be installed" if statement.never else "is another project"
    meant = f": the name is {statement.instead}" if statement.instead else " by pip"
    finding = context.statement(statement, severity, f"{entry.name} {what}{meant}", [own])
    finding.remedy = _remedy(context.document, statement.instead, entry)
    yield finding


def _remedy(document: Document, instead: str, entry: Entry) -> Remedy:
    """The other name instead of this one, as an edit if the rest of the line stays right."""
    if not instead:
        return Remedy(f"Remove {entry.name}.")
    summary = f"Write {instead} instead of {entry.name}."
    keeps = not entry.specifier or instead == "torch"
    span = _name_of(document, entry)
    if span is None or not keeps or instead in {one.name for one in document.entries}:
        return Remedy(summary)
    edits = (Edit(span, instead),)
    return Remedy(summary, changes_of(document, edits), edits)


def _name_of(document: Document, entry: Entry) -> Span | None:
    """Where the name of an entry is written; None if that is not certain."""
    if entry.path != document.path or not entry.place.column or entry.version is None:
        return None
    start = line_starts(document.text)[entry.place.line - 1] + entry.place.column - 1
    end = start + len(entry.name)
    return Span(start, end) if normalise(document.text[start:end]) == entry.name else None
