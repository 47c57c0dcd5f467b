"""The pins of a lock of any tool, with their markers: the values that two locks are compared by."""

from __future__ import annotations

from functools import cached_property

from torchlock.answers import Unknown
from torchlock.errors import InputError
from torchlock.manifests.decoding import decode
from torchlock.manifests.detection import format_of
from torchlock.manifests.pins import exact_version, is_on, read_lock
from torchlock.manifests.reader import read_as_written
from torchlock.records import NamedTuple
from torchlock.standards.markers import parsed
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlock.manifests.document import Document, Entry
    from torchlock.target import Target


class PinnedPackage(NamedTuple):
    """One package of a lock, where ``marker`` holds ("": everywhere).

    ``version`` is the pinned version, or the specifier set of an entry that pins none (``>=2``); "" if the entry
    has only an address. ``scope`` is the extra or group that it belongs to, as in ``Entry``. ``url`` is the
    address that replaces an index. ``hashes`` are written ``algorithm:digest``.
    """

    name: str
    version: str
    marker: str = ""
    scope: str = ""
    url: str = ""
    hashes: frozenset[str] = frozenset()


class PinSet:
    """What one lock pins: a package may have several pins, each with its own marker.

    ``kind`` is the format of the lock, and ``document`` what was read. A pin set of no file has no document.
    """

    def __init__(self, pins: Iterable[PinnedPackage], document: Document | None = None) -> None:
        self.pins = tuple(dict.fromkeys(pins))
        self.document = document

    @cached_property
    def by_name(self) -> dict[str, tuple[PinnedPackage, ...]]:
        """The pins of each package, sorted by name."""
        found: dict[str, list[PinnedPackage]] = {}
        for pin in sorted(self.pins, key=lambda pin: pin[:5]):
            found.setdefault(pin.name, []).append(pin)
        return {name: tuple(pins) for name, pins in found.items()}

    def versions_on(self, target: Target) -> dict[str, str]:
        """The pinned version of each package on a target. Of several that apply, the first in the file counts."""
        found: dict[str, str] = {}
        for pin in self.pins:
            if pin.version[:1].isdigit() and is_on(target, pin.marker, pin.scope):
                found.setdefault(pin.name, pin.version)
        return found


def read_pin_set(path: str, kind: str) -> PinSet:
    """Read the pins of a lock in a format.

    Raises:
        InputError: it cannot be read.
    """
    return pin_set_of(read_lock(path, kind))


def pin_set_of_content(path: str, raw: bytes) -> PinSet:
    """The pins of the content of a file; its name or the content says the format.

    Raises:
        InputError: it cannot be read, or there is no reader for this kind of file.
    """
    return pin_set_of(read_as_written(path, raw, format_of(path, decode(raw, path).text).kind, {}))


def pin_set_of_text(text: str, path: str, kind: str) -> PinSet:
    """The pins of a lock that is not written yet; ``path`` is its name in messages."""
    return pin_set_of(read_as_written(path, text.encode(), kind, {}))


def pin_set_of(document: Document) -> PinSet:
    """The pins of a document. Constraints count only if the file has nothing else.

    Raises:
        InputError: a line cannot be read.
    """
    for issue in document.issues:
        if issue.severity == "error":
            where, line, message = issue.origin or (document.path, issue.place.line, issue.message)
            raise InputError(message, path=where, line=line or None, hint=issue.because or None)
    listed = [entry for entry in document.entries if not entry.constraint] or document.entries
    return PinSet(map(_pin, listed), document)


def _pin(entry: Entry) -> PinnedPackage:
    hashes = frozenset((*entry.hashes, *(digest for _, digest in entry.file_hashes if digest)))
    name = entry.name or entry.text.strip()
    version = exact_version(entry.specifier) or ("" if entry.url and not entry.specifier else entry.specifier)
    return PinnedPackage(name, version, _canonical(entry.marker), entry.scope, entry.url or "", hashes)


def _canonical(marker: str) -> str:
    """A marker in the spelling of the packaging library."""
    if not marker:
        return ""
    found = parsed(marker)
    return marker if isinstance(found, Unknown) else str(found)
