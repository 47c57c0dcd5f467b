"""A new requirement behind another one: a line in a requirements file, a word in a command."""

from __future__ import annotations

from torchlock.location import Edit, Span
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from torchlock.manifests.document import Document, Entry


def insertion_of(document: Document, entry: Entry, requirement: str) -> tuple[Edit, ...]:
    """The edit that requires something besides an entry; empty if it is not certain where to write it."""
    if entry.version is None or entry.path != document.path or entry.hashes or entry.url is not None:
        return ()
    text, end = document.text, entry.version.end
    if entry.shell:
        certain = text[end : end + 1] in ("", " ", "\n", "\r", "\t") and "'" not in requirement
        return (Edit(Span(end, end), f" {requirement}"),) if certain else ()
    if document.kind not in ("requirements", "constraints"):
        return ()
    stop = min((at for at in (text.find("\r", end), text.find("\n", end)) if at >= 0), default=len(text))
    if text[end:stop].rstrip().endswith("\\"):
        return ()
    line_end = "\r\n" if text[stop : stop + 2] == "\r\n" or "\r\n" in text else "\n"
    marker = f" ; {entry.marker}" if entry.marker else ""
    return (Edit(Span(stop, stop), f"{line_end}{requirement}{marker}"),)
