"""Core metadata (METADATA, PKG-INFO): the declarations of one file, as pip reads it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.patterns import pattern
from torchlock.records import NamedTuple
from torchlock.redaction import shortened
from torchlock.standards.dependency import Dependency
from torchlock.standards.headers import read_headers, unfolded
from torchlock.standards.markers import fault_of
from torchlock.standards.names import normalise
from torchlock.standards.versions import fault_of_versions

if TYPE_CHECKING:
    from packaging.markers import Marker
    from packaging.requirements import Requirement

# Version operators that some variables do not have; variables of lock files only; two strings.
_DOUBTFUL = pattern(r"~=|===|[0-9]{100}|\bextras\b|\bdependency_groups\b|\"\s*(?:[<>=!]+|in|not in)\s*\"")


# A requirement among lines that are not headers: only a blank line ends the headers.
_BEHIND = pattern(r"(?:[^\r\n]+(?:\r\n|\r|\n))*?[ \t]*Requires-Dist[ \t]*:", re.IGNORECASE)


class CoreMetadata(NamedTuple):
    """The declarations of a metadata file.

    ``invalid`` are the Requires-Dist values that are not valid requirements (PEP 508), as written: pip refuses a
    release with one of them. ``metadata_version`` is (0,) if the file states none.
    """

    name: str
    version: str
    metadata_version: tuple[int, ...]
    requires_python: str
    extras: list[str]
    dependencies: list[Dependency]
    invalid: list[str]
    dynamic: frozenset[str]

    @property
    def dependencies_are_static(self) -> bool:
        """Whether every wheel built from this sdist has the same dependencies (PEP 643)."""
        return self.metadata_version >= (2, 2) and not self.dynamic & {"requires-dist", "provides-extra"}


def parse_metadata(text: str) -> CoreMetadata | Unknown:
    """Read the headers; ``Unknown`` if the text names no project, or ends within its headers."""
    headers = read_headers(text)
    missing = [field for field in ("Name", "Version") if not headers.first(field.lower())]
    if missing:
        return Unknown(f"its metadata has no {' and no '.join(missing)}")
    rest = text[headers.end :]
    if rest and "\n" not in rest and "\r" not in rest:
        return Unknown("its metadata ends in the middle of a header")
    if _BEHIND.match(rest):
        line = shortened(unfolded(re.split(r"[\r\n]", rest, maxsplit=1)[0]), 40)
        return Unknown(f"its metadata has a line that is not a header ({line!r}) before Requires-Dist")
    values = headers.fields.get("requires-dist", ())
    declared = {value: dependency_of(value) for value in values}
    return CoreMetadata(
        headers.first("name"),
        headers.first("version"),
        headers.metadata_version,
        headers.first("requires-python"),
        sorted({normalise(unfolded(extra)) for extra in headers.fields.get("provides-extra", ())}),
        [dependency for value in values if (dependency := declared[value])],
        [value for value in values if declared[value] is None],
        headers.dynamic,
    )


def dependency_of(value: str) -> Dependency | None:
    """A Requires-Dist value, parsed; None if pip refuses it, as it refuses a folded one."""
    try:
        requirement = _requirement(value)
    except (ValueError, RecursionError):
        return None
    if not _has_value(requirement.marker):
        return None
    dependency = Dependency.from_requirement(requirement)
    if not requirement.url:
        return dependency
    # Characters that would end a specifier are percent-encoded.
    address = re.sub(r"[,;)]", lambda match: f"%{ord(match[0]):02X}", requirement.url)
    return dependency._replace(specifier=f"==={address}")


def refusal(value: str) -> str:
    """The reason why a release with this metadata is not a candidate; it follows the name and version."""
    try:
        _requirement(value)
    except (ValueError, RecursionError):
        shown = shortened(value)
        return f"it declares {shown!r}, which is not a valid requirement (pip 24.1 and later refuse this release)"
    return f"it declares {shortened(value)!r}, whose marker compares values that cannot be compared"


def _requirement(value: str) -> Requirement:
    from packaging.requirements import Requirement

    requirement = Requirement(value.strip())
    if fault := fault_of_versions(requirement):
        raise ValueError(fault)
    return requirement


def _has_value(marker: Marker | None) -> bool:
    """Whether a marker can be evaluated; some comparisons cannot, on any machine."""
    if marker is None or not _DOUBTFUL.search(str(marker)):
        return True
    return not fault_of(str(marker))
