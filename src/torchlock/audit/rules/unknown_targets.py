"""TL902: a file for a Python that the data do not cover."""

from __future__ import annotations

from torchlock.knowledge.registry import rule
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.audit.context import AuditContext
    from torchlock.finding import Finding


@rule("TL902", on="document")
def unknown(context: AuditContext) -> Iterator[Finding]:
    """A note on a document for an unknown Python; the document is not judged."""
    document, stack = context.document, context.stack
    if context.target_grid or not any(entry.name in stack.packages for entry in document.entries):
        return
    what = f"Python {document.python}" if document.python else "the Python of this file"
    first, last = stack.pythons[0], stack.pythons[-1]
    message = f"{what} is not one of the known versions (3.{first} to 3.{last}): not judged"
    finding = context.finding("TL902", "note", message, ())
    finding.place = document.python_place
    yield finding
