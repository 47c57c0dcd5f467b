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
    """The lines to print: the most important first."""
    for wheel, stated, _ in changes.contradictions:
        used = f"The index states the hash {stated}, and the table states {wheel.sha256}."
        kept = "The table now has the hash of the index." if trusted else "The table keeps its own hash."
        yield f"{wheel.folder}: {wheel.filename}: {used} {kept}"
    yield f"{_count(changes.pages, 'page was', 'pages were')} read."
    yield from _listed("The index has no page of", changes.missing)
    yield from _wheels("is new", "are new", changes.new)
    yield from _wheels("of the table has a hash now", "of the tables have a hash now", changes.learned)
    yield from _wheels(
        "of the table is not on its page; it stays", "of the tables are not on their page; they stay", changes.gone
    )
    yield from _wheels(
        "has no hash on its page; the hash of the table stays",
        "have no hash on their page; the hashes of the tables stay",
        changes.unstated,
    )
    yield from _wheels(
        "has no hash, neither on its page nor in the table",
        "have no hash, neither on their page nor in the tables",
        changes.unknown,
    )
    yield from _listed("These are no names of release wheels, and stay out:", sorted(changes.odd))
    if changes.read:
        yield f"The requirements of {_count(changes.read, 'wheel', 'wheels')} were read."
    yield from _listed("These wheels have no readable metadata:", sorted(changes.unreadable))


def _wheels(one: str, several: str, wheels: Sequence[Wheel]) -> Iterator[str]:
    """How many files of which folder and package."""
    if not wheels:
        return
    yield f"{_count(len(wheels), f'file {one}', f'files {several}')}:"
    counted = Counter(f"{wheel.folder}: {wheel.package} {wheel.version}" for wheel in wheels)
    yield from (f"  {name} ({number})" for name, number in counted.items())


def _listed(title: str, items: Sequence[str]) -> Iterator[str]:
    if not items:
        return
    yield title
    yield from (f"  {item}" for item in items[:_SHOWN])
    if len(items) > _SHOWN:
        yield f"  and {len(items) - _SHOWN} more"


def _count(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"
