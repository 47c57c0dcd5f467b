"""What a run over the PyTorch wheel index found, in sentences."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from refreshing.build_rows import Wheel
    from refreshing.build_run import Changes

_SHOWN = 20


def summary(changes: Changes, *, trusted: bool) -> Iterator[str]:
    """The lines to print: contradictions first."""
    for wheel, stated, _ in changes.contradictions:
        yield f"{wheel.folder}: {wheel.filename}: the index states the hash {stated}"
        yield f"  and the table has {wheel.sha256}"
        yield f"  {'The table now has the hash of the index.' if trusted else 'The table keeps its own hash.'}"
    yield f"Pages read: {changes.pages}."
    yield from _listed("Pages that the index does not have, although the table has files", changes.missing)
    yield from _wheels("New files", changes.new)
    yield from _wheels("Files that had no hash and have one now", changes.learned)
    yield from _wheels("Files that are not on their page any more; their rows stay", changes.gone)
    yield from _wheels("Files without a hash on their page; the hash of the table stays", changes.unstated)
    yield from _wheels("Files without a hash on their page and in the table", changes.unknown)
    yield from _listed("Names that no wheel of a release has; they stay out", sorted(changes.odd))
    if changes.read:
        yield f"Wheels whose requirements were read: {changes.read}."
    yield from _listed("Wheels without readable metadata", sorted(changes.unreadable))


def _wheels(title: str, wheels: Sequence[Wheel]) -> Iterator[str]:
    """How many files of which folder and release."""
    counted = Counter(f"{wheel.folder}: {wheel.package} {wheel.version}" for wheel in wheels)
    yield from _listed(title, [f"{name}: {number}" for name, number in counted.items()], len(wheels))


def _listed(title: str, items: Sequence[str], number: int = 0) -> Iterator[str]:
    if not items:
        return
    yield f"{title}: {number or len(items)}."
    yield from (f"  {item}" for item in items[:_SHOWN])
    if len(items) > _SHOWN:
        yield f"  and {len(items) - _SHOWN} more lines"
