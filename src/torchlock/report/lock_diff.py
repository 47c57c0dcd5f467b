"""The comparison of two locks as plain values, for the reports of ``torchlock diff`` and ``torchlock upgrade``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torchlock.finding import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlock.finding import DataUpdate, FileReport, Finding
    from torchlock.lock.changes import PinChange
    from torchlock.lock.consequences import Consequence


class LockDiff(NamedTuple):
    """Two locks compared: ``begun`` are findings of the new one that the old one did not have, ``fixed`` are gone.

    ``date`` is the date of the data, and ``update`` the update of the data on this machine.
    """

    old: str
    new: str
    changes: tuple[PinChange, ...]
    consequences: tuple[Consequence, ...]
    begun: tuple[Finding, ...]
    fixed: tuple[Finding, ...]
    date: str
    update: DataUpdate | None = None


def findings_between(old: FileReport, new: FileReport) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """The errors and warnings that are only in the new report, and those that are only in the old one.

    A finding is the same if its rule is about the same packages, whatever their versions. What is worse than
    before is new. What the new report has as a note only is not fixed.
    """
    before, after = _worst(old.findings), _worst(new.findings)
    begun = [item for key, item in after.items() if key not in before or _is_worse(item, before[key])]
    still = {_subject(finding) for finding in new.findings}
    return tuple(begun), tuple(item for key, item in before.items() if key not in still)


def _is_worse(one: Finding, other: Finding) -> bool:
    return SEVERITIES.index(one.severity) < SEVERITIES.index(other.severity)


def _worst(findings: Iterable[Finding]) -> dict[tuple[str, frozenset[str]], Finding]:
    found: dict[tuple[str, frozenset[str]], Finding] = {}
    for finding in findings:
        key = _subject(finding)
        if finding.severity != "note" and (key not in found or _is_worse(finding, found[key])):
            found[key] = finding
    return found


def _subject(finding: Finding) -> tuple[str, frozenset[str]]:
    """What a finding is about, whatever the versions: its rule and its packages."""
    return finding.rule, frozenset(name for name, _ in finding.packages)
