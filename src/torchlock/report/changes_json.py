"""The changes between two locks as JSON: the stable form for other programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from torchlock import __version__
from torchlock.redaction import masked_values
from torchlock.report.changes_text import why_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torchlock.finding import Finding
    from torchlock.lock.changes import PinChange
    from torchlock.lock.consequences import Consequence
    from torchlock.manifests.pin_sets import PinnedPackage
    from torchlock.report.lock_diff import LockDiff


def rows(changes: Sequence[PinChange], allowed: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """One object for each change: name, kind, the pins that are in one lock only, hashes, and the reasons."""
    return [_row(change, allowed or {}) for change in changes]


def diff_json(found: LockDiff) -> str:
    """One object: torchlock, data, old, new, changes, consequences, new_findings, fixed_findings."""
    update = {} if found.update is None else {"data_update": found.update.row()}
    document = {
        "torchlock": __version__,
        "data": found.date,
        **update,
        "old": found.old,
        "new": found.new,
        "changes": rows(found.changes),
        "consequences": consequence_rows(found.consequences),
        "new_findings": [finding_row(finding) for finding in found.begun],
        "fixed_findings": [finding_row(finding) for finding in found.fixed],
    }
    return json.dumps(masked_values(document), indent=2) + "\n"


def consequence_rows(consequences: Iterable[Consequence]) -> list[dict[str, Any]]:
    """One object for each consequence of other releases of the torch family."""
    return [
        {
            "kind": each.kind,
            "package": each.package,
            "platforms": list(each.platforms),
            "lost": list(each.lost),
            "gained": list(each.gained),
            "text": each.text,
        }
        for each in consequences
    ]


def finding_row(finding: Finding) -> dict[str, Any]:
    """One finding of a comparison."""
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "message": finding.message,
        "line": finding.place.line or None,
        "packages": [{"name": name, "version": version} for name, version in finding.packages],
        "because": finding.because or None,
        "remedy": finding.remedy.summary if finding.remedy is not None else None,
    }


def _row(change: PinChange, allowed: Mapping[str, str]) -> dict[str, Any]:
    added, removed = change.hashes
    return {
        "name": change.name,
        "kind": change.kind,
        "old": _pins(change.old),
        "new": _pins(change.new),
        "hashes": {"added": added, "removed": removed},
        "because": why_of(change, allowed) or None,
        "reasons": [
            {"kind": move.kind, "rule": move.rule or None, "package": move.package or None, "text": move.text}
            for move in change.why
        ],
    }


def _pins(pins: Iterable[PinnedPackage]) -> list[dict[str, Any]]:
    return [
        {
            "version": pin.version or None,
            "marker": pin.marker or None,
            "scope": pin.scope or None,
            "url": pin.url or None,
        }
        for pin in pins
    ]
