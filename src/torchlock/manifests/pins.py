"""The pins of an existing lock, of any format."""

from __future__ import annotations

from torchlock.errors import InputError
from torchlock.manifests.reader import read_as_written, read_content
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from torchlock.manifests.document import Document
    from torchlock.target import Target


def read_pins(path: str, kind: str, target: Target | None = None) -> dict[str, str]:
    """The versions that a lock pins, by normalised name, without packages that have no version.

    With a target, only pins whose markers hold there. Of several versions of one package, the first one counts.

    Raises:
        InputError: the file cannot be read as a lock of this kind.
    """
    return pins_of(read_lock(path, kind), target)


def read_lock(path: str, kind: str) -> Document:
    """Read an existing lock.

    Raises:
        InputError: the file cannot be read as a lock of this kind.
    """
    document = read_as_written(path, read_content(path), kind, {})
    for issue in document.issues:
        if issue.severity == "error":
            where, line, message = issue.origin or (path, issue.place.line, issue.message)
            raise InputError(message, path=where, line=line or None, hint=issue.because or None)
    return document


def pins_of(document: Document, target: Target | None = None) -> dict[str, str]:
    """The versions that the entries of a document pin, on a target or anywhere, by normalised name."""
    found: dict[str, str] = {}
    for entry in document.entries:
        version = exact_version(entry.specifier)
        if not version or not entry.name or entry.constraint or entry.channel != "pip":
            continue
        if target is None or is_on(target, entry.marker, entry.scope):
            found.setdefault(entry.name, version)
    return found


def is_on(target: Target, marker: str, scope: str) -> bool:
    """Whether a pin with this marker, of this extra or group, may be installed on a target."""
    if scope.startswith("alone:"):
        return False
    try:
        return target.holds(marker)
    except InputError:  # a marker without a value, as of lock files only (extras, dependency_groups)
        return True


def exact_version(specifier: str) -> str:
    """The one version that a specifier set pins; "" if it pins none."""
    version = specifier[2:]
    is_pin = specifier.startswith("==") and not version.startswith("=") and not {*version} & {*",*"}
    return version if is_pin else ""
