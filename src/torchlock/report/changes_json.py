"""The changes between two locks as JSON: the stable form for other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchlock.report.changes_text import why_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torchlock.lock.changes import PinChange
    from torchlock.manifests.pin_sets import PinnedPackage


def rows(changes: Sequence[PinChange], allowed: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """One object for each change: name, kind, the pins that are in one lock only, hashes, and the reasons."""
    return [_row(change, allowed or {}) for change in changes]


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
