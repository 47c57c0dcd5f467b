#!/usr/bin/env python3
"""Prove from the wheels which releases of the stack load beside which torch, and write the tables.

    prove_matrix.py                  read the wheels that compat_data/proofs/ lacks, and write all tables
    prove_matrix.py --from-nothing   read every wheel again
    prove_matrix.py --render         read no wheel; decide the cells again from compat_data/proofs/
    prove_matrix.py --check          write nothing; exit 1 if compat_data/compiled/proofs.json is stale
    prove_matrix.py --every-torch    also those of torch for each Python, not one of each release and platform

The wheels are those of the catalogue (``compat_data/releases/``), one of each release, platform and Python. They
are read by byte ranges. What each showed is kept in a folder (``--work``), so that a run that was interrupted goes
on. Wheels of one release and platform that show the same have one row, which names the Pythons of the others.

A new release of a companion costs its own wheels; if it uses a symbol of torch that none before it used, the
wheels of torch are asked for that symbol. A new torch costs its own wheels.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from proving.gathering import add, gather
from torchlock.errors import TorchlockError
from torchlock.gathering.storage import write_if_changed
from torchlock.gathering.wheel_evidence import used_on
from torchlock.knowledge.releases import Catalogue
from torchlock.proving.choosing import COMPANIONS, PLATFORMS, Chosen, chosen
from torchlock.proving.grouping import merged, tags_in
from torchlock.proving.rendering import cells_text
from torchlock.proving.tables import Store, read_store, write_store

DATA = Path(__file__).parents[1] / "compat_data"
PROOFS = DATA / "proofs"
COMPILED = DATA / "compiled" / "proofs.json"
# Wheels that show the same are merged after each so many: the evidence of all of them takes much memory.
_SETTLED = 50


def wanted(catalogue: Catalogue, store: Store, packages: list[str], options: argparse.Namespace) -> list[Chosen]:
    """The wheels that are not in the store; of torch one of each release and platform, or all (``every_torch``).

    Those of torch that it has by name are read again for symbols that it does not know, on each platform.
    """
    known = read_already(store)
    stale = {place for place in PLATFORMS if store.lacks(place)}
    places = options.platform or PLATFORMS
    found = []
    for some in (some for package in packages for some in chosen(catalogue, package)):
        package, version, place = some[0][:3]
        rows = known.get((package, version, place), {})
        new = some if place in places else ()
        if package == "torch" and not options.every_torch:
            new = () if rows else new[:1]
        again = some if package == "torch" and place in stale else ()
        found += [each for each in new if tags_in(each.file) not in rows]
        found += [each for each in again if rows.get(tags_in(each.file))]
    return found


def read_already(store: Store) -> dict[tuple[str, str, str], dict[str, bool]]:
    """The tags of the wheels that were read, by release and platform, and whether the store has them by name."""
    found: dict[tuple[str, str, str], dict[str, bool]] = {}
    for each in (each for rows in store.tables() for each in rows):
        tags = found.setdefault((each.wheel.package, each.wheel.version, each.wheel.platform), {})
        tags.update(dict.fromkeys(each.alike, False))
        tags[tags_in(each.wheel.file)] = True
    return found


def read_into(
    store: Store, catalogue: Catalogue, packages: list[str], folder: Path, options: argparse.Namespace
) -> list[str]:
    """Read what is wanted into the store; return a sentence for each wheel that could not be read."""
    day = datetime.now(timezone.utc).date().isoformat()
    errors, start = [], time.monotonic()
    todo, order = wanted(catalogue, store, packages, options), Order(catalogue)
    used = {place: used_on(store, place) for place in PLATFORMS}
    for number, (each, found) in enumerate(gather(todo, used, folder, day, options.jobs), 1):
        if isinstance(found, str):
            errors.append(f"{each.file}: {found}")
        else:
            add(store, found)
        if number % _SETTLED == 0:
            order.settle(store)
        print(f"\r{number} of {len(todo)} wheels", end="", file=sys.stderr)
    if todo:
        print(f", {time.monotonic() - start:.0f} seconds", file=sys.stderr)
    order.settle(store)
    return errors


class Order:
    """The order of the wheels of each release, and which of them may show the same."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._places = {
            each.sha256: (group, place)
            for package in ("torch", *COMPANIONS)
            for group, some in enumerate(chosen(catalogue, package))
            for place, each in enumerate(some)
        }

    def settle(self, store: Store) -> None:
        """Merge wheels that show the same; leave out those that are not read any more: others replace them."""
        for rows in store.tables():
            groups: dict[int, list[Any]] = {}
            current = (each for each in rows if each.wheel.sha256 in self._places)
            for each in sorted(current, key=lambda each: self._places[each.wheel.sha256]):
                groups.setdefault(self._places[each.wheel.sha256][0], []).append(each)
            rows[:] = [each for some in groups.values() for each in merged(some)]


def prove(arguments: argparse.Namespace) -> int:
    """Read and write all tables; the exit code."""
    catalogue = Catalogue()
    store = Store({}, {}, {}) if arguments.from_nothing else read_store(PROOFS)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(arguments.work or temporary)
        # The companions first: they tell which exports of torch are asked for.
        errors = read_into(store, catalogue, list(COMPANIONS), folder, arguments)
        errors += read_into(store, catalogue, ["torch"], folder, arguments)
    for path, text in write_store(PROOFS, store).items():
        write_if_changed(path, text.encode(), dry=False)
    write_if_changed(COMPILED, cells_text(read_store(PROOFS), catalogue).encode(), dry=False)
    for error in errors:
        print(f"error: {error}", file=sys.stderr)
    return 1 if errors else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from-nothing", action="store_true", help="read every wheel again")
    parser.add_argument("--render", action="store_true", help="read no wheel")
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--work", metavar="FOLDER", help="keep what each wheel showed in this folder")
    parser.add_argument(
        "--platform", action="append", choices=PLATFORMS, help="read only wheels for this platform (repeatable)"
    )
    parser.add_argument(
        "--every-torch",
        action="store_true",
        help="read the wheels of torch for every Python, not one of each release",
    )
    parser.add_argument("--jobs", type=int, default=3, help="wheels that are read at once (default: 3)")
    arguments = parser.parse_args()
    try:
        if not arguments.render and not arguments.check:
            return prove(arguments)
        text = cells_text(read_store(PROOFS), Catalogue())
    except TorchlockError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return 1
    if not arguments.check:
        write_if_changed(COMPILED, text.encode(), dry=False)
    elif not COMPILED.exists() or COMPILED.read_text(encoding="utf-8") != text:
        print("compat_data/compiled/proofs.json is stale: run prove_matrix.py --render", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
