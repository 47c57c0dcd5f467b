"""Fingerprints of findings: by them, a service knows a problem again in a later report."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from torchlock.redaction import masked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torchlock.finding import Finding


def fingerprint(finding: Finding, path: str) -> str:
    """What stays the same while a problem stays: not the line, and not our wording if packages are named."""
    about = "\0".join(f"{name} {version}" for name, version in finding.packages) or finding.message
    return digest(f"{finding.rule}\0{path}\0{masked(about)}")


def digest(text: str) -> str:
    """The SHA-256 of a text, in hexadecimal digits."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def numbered(fingerprints: Iterable[str]) -> Iterator[str]:
    """The fingerprints of one report, each different: the second of equal ones is counted in."""
    seen: dict[str, int] = {}
    for each in fingerprints:
        seen[each] = seen.get(each, 0) + 1
        yield each if seen[each] == 1 else digest(f"{each}\0{seen[each]}")
