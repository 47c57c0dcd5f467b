"""The last check of every reader: an entry that no installer can evaluate becomes an issue of its document."""

from __future__ import annotations

from torchlock.location import NOWHERE
from torchlock.manifests.document import ParseIssue
from torchlock.redaction import shortened
from torchlock.standards.markers import fault_of
from torchlock.standards.versions import fault_of_specifier
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from torchlock.manifests.document import Document, Entry

# Variables that only lock files may compare (PEP 751): the requested scopes.
_OF_LOCKS = (" in extras", " in dependency_groups")


def drop_invalid(document: Document) -> None:
    """Remove the entries whose versions or marker are invalid; each becomes an issue (TL501)."""
    faults = [(entry, _fault(entry)) for entry in document.entries]
    if not any(fault for _, fault in faults):
        return
    document.entries = [entry for entry, fault in faults if not fault]
    for entry, fault in faults:
        if fault:
            issue = _issue(entry, fault, document)
            if issue not in document.issues:
                document.issues.append(issue)


def _fault(entry: Entry) -> str:
    """What is wrong, as half a sentence; "" if nothing is."""
    if fault := fault_of_specifier(entry.specifier):
        return fault
    if entry.style == "lock" and any(words in entry.marker for words in _OF_LOCKS):
        return ""
    fault = fault_of(entry.marker)
    return f"its marker is invalid: {fault}" if fault else ""


def _issue(entry: Entry, fault: str, document: Document) -> ParseIssue:
    elsewhere = entry.path != document.path
    where = f"{entry.path}:{entry.place.line}: " if elsewhere else ""
    place = NOWHERE if elsewhere else entry.place
    marker = f" ; {entry.marker}" if "marker" in fault and entry.marker not in entry.text else ""
    return ParseIssue("TL501", "error", f"{where}{shortened(entry.text + marker)!r}: {fault}", place)
