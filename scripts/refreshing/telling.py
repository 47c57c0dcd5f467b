"""What a run of ``scripts/refresh_releases.py`` tells on stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torchlock.gathering.run import Gathering


def report(run: Gathering, changed: Sequence[str], output: Path) -> None:
    """Tell what happened, and what a person should look at."""
    asker = run.asker
    tell(f"{asker.pages} pages and {asker.wheels} wheels read, {len(changed)} files differ")
    stale = {path.stem for path in output.glob("*.json")} - run.reached()
    refused = [name for table in run.tables.values() for name in table.project.refused]
    invalid = [f"{t.name}: {text}" for t in run.tables.values() for text in sorted(t.invalid_texts())]
    for title, items in (
        ("changed", changed),
        ("not on the index", run.unknown),
        ("no longer reached", stale if len(run.outlines) > 2 else ()),
        ("unreadable wheels", run.unreadable),
        ("file names that follow no standard", refused),
        ("requirements that no installer can read", invalid),
    ):
        if items:
            tell(f"{title} ({len(items)}):")
            for item in sorted(items):
                tell(f"  {item}")


def tell(text: str) -> None:
    """Print a line on stderr."""
    print(text, file=sys.stderr, flush=True)
