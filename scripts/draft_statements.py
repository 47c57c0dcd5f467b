#!/usr/bin/env python3
"""Print the statements that the wheels of a release show, as rows for compat_data/rules/.

    draft_statements.py NAME VERSION [NAME VERSION ...]

The evidence must have the wheels: run prove_matrix.py first. A person reviews the rows, and puts them into the
file of their rule. Where the evidence does not decide, it is said why.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchlock.index.sources import today
from torchlock.knowledge.releases import Catalogue
from torchlock.knowledge.rules import Matrix
from torchlock.proving.drafting import Drafter
from torchlock.proving.rendering import Facts
from torchlock.proving.tables import read_store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DATA = Path(__file__).parents[1] / "compat_data"
SOURCE = "proofs-from-wheels"


def drafts(releases: Iterable[tuple[str, str]], data: Path = DATA) -> Iterator[str]:
    """A line for each row that the evidence shows about these releases, and for each platform that it leaves open.

    Raises:
        DataError: a table is damaged.
    """
    store = read_store(data / "proofs")
    catalogue, matrix = Catalogue(data / "releases"), Matrix(data / "compiled" / "rules.json")
    fresh = {each.sha256 for each in store.wheels()}
    drafter = Drafter(store, Facts(catalogue, store, matrix), matrix, SOURCE, today(), fresh)
    for name, version in releases:
        draft = drafter.of_torch(version) if name == "torch" else drafter.of_companion(name, version)
        for _, row in draft.rows:
            yield f"Draft for {row['rule']}: {toml_of(row)}"
        for place, why in draft.lacks.items():
            yield f"No draft for {name} {version} on {place}: {why}."
        if not draft.rows and not draft.lacks:
            yield f"The wheels of {name} {version} show nothing beyond their metadata and the rules."


def toml_of(row: dict[str, Any]) -> str:
    """A row of ``compiled/rules.json`` as a statement of a rule."""
    name, specifier, *marker = row["when"]
    parts = [f'when = "{name}{specifier}{"; " + _quoted(marker[0]) if marker else ""}"']
    parts += [f'build = "{row["build"]}"'] if "build" in row else []
    for key in ("needs", "forbids"):
        if key in row:
            parts.append(f"{key} = [{', '.join(chr(34) + ''.join(item[:2]) + chr(34) for item in row[key])}]")
    parts += [f'because = "{row["because"]}"', f'kind = "{row["kind"]}"']
    parts += [f'sources = ["{SOURCE}"]', f"checked = {row['checked']}"]
    return "{ " + ", ".join(parts) + " },"


def _quoted(marker: str) -> str:
    return marker.replace('"', "'")


def main(arguments: list[str]) -> int:
    """Exit code: 0, or 2 for wrong use."""
    if not arguments or len(arguments) % 2:
        print(__doc__, file=sys.stderr)
        return 2
    print(*drafts(zip(arguments[::2], arguments[1::2], strict=True)), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
