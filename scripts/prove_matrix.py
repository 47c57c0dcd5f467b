#!/usr/bin/env python3
"""Prove from the wheels which releases of the stack load beside which torch, and write the tables.

    prove_matrix.py                  read the wheels that compat_data/proofs/ lacks, and write all tables
    prove_matrix.py --from-nothing   read every wheel again
    prove_matrix.py --render         read no wheel; decide the cells again from compat_data/proofs/
    prove_matrix.py --check          write nothing; exit 1 if compat_data/compiled/proofs.json is stale

The wheels are those of the catalogue (``compat_data/releases/``), one of each release and platform. They are read
by byte ranges. What each showed is kept in a folder (``--work``), so that a run that was interrupted goes on.

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

from proving.gathering import gather, kept, tasks
from torchlock.errors import TorchlockError
from torchlock.knowledge.releases import Catalogue
from torchlock.proving.choosing import COMPANIONS, PLATFORMS, Chosen, chosen
from torchlock.proving.evidence import CompanionWheel, TorchWheel
from torchlock.proving.rendering import cells_text
from torchlock.proving.tables import Store, read_store, write_store

DATA = Path(__file__).parents[1] / "compat_data"
PROOFS = DATA / "proofs"
COMPILED = DATA / "compiled" / "proofs.json"


def wanted(catalogue: Catalogue, store: Store, packages: list[str]) -> list[Chosen]:
    """The wheels that are not in the store, and for symbols that it does not know, those of torch again."""
    known = {each.sha256 for each in store.wheels()}
    stale = {place for place in PLATFORMS if store.lacks(place)}
    return [
        each
        for package in packages
        for each in chosen(catalogue, package)
        if each.sha256 not in known or (package == "torch" and each.platform in stale)
    ]


def read_into(store: Store, catalogue: Catalogue, packages: list[str], folder: Path, jobs: int) -> list[str]:
    """Read what is wanted into the store; return a sentence for each wheel that could not be read."""
    day = datetime.now(timezone.utc).date().isoformat()
    errors, fetched, start = [], 0, time.monotonic()
    todo = list(tasks(wanted(catalogue, store, packages), folder, day))
    for number, done in enumerate(gather(todo, jobs), 1):
        fetched += done.fetched
        if done.error:
            errors.append(done.error)
        else:
            _add(store, kept(done.task.kept))
        print(f"\r{number} of {len(todo)} wheels, {fetched >> 20} MB", end="", file=sys.stderr)
    if todo:
        print(f", {time.monotonic() - start:.0f} seconds", file=sys.stderr)
    return errors


def prune(store: Store, catalogue: Catalogue) -> None:
    """Leave out wheels that are not read any more, because others replace them."""
    current = {each.sha256 for package in ("torch", *COMPANIONS) for each in chosen(catalogue, package)}
    for rows in store.torches.values():
        rows[:] = [each for each in rows if each.wheel.sha256 in current]
    for others in store.companions.values():
        others[:] = [each for each in others if each.wheel.sha256 in current]


def _add(store: Store, found: TorchWheel | CompanionWheel) -> None:
    wheel = found.wheel
    if isinstance(found, TorchWheel):
        rows = store.torches.setdefault(wheel.platform, [])
        rows[:] = [*(each for each in rows if each.wheel.file != wheel.file), found]
    else:
        others = store.companions.setdefault((wheel.package, wheel.platform), [])
        others[:] = [*(each for each in others if each.wheel.file != wheel.file), found]


def prove(arguments: argparse.Namespace) -> int:
    """Read and write all tables; the exit code."""
    catalogue = Catalogue()
    store = Store({}, {}, {}) if arguments.from_nothing else read_store(PROOFS)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(arguments.work or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        # The companions first: they tell which exports of torch are asked for.
        errors = read_into(store, catalogue, list(COMPANIONS), folder, arguments.jobs)
        errors += read_into(store, catalogue, ["torch"], folder, arguments.jobs)
    prune(store, catalogue)
    for path, text in write_store(PROOFS, store).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    COMPILED.write_text(cells_text(read_store(PROOFS), catalogue), encoding="utf-8")
    for error in errors:
        print(f"error: {error}", file=sys.stderr)
    return 1 if errors else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from-nothing", action="store_true", help="read every wheel again")
    parser.add_argument("--render", action="store_true", help="read no wheel")
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--work", metavar="FOLDER", help="keep what each wheel showed in this folder")
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
        COMPILED.write_text(text, encoding="utf-8")
    elif not COMPILED.exists() or COMPILED.read_text(encoding="utf-8") != text:
        print("compat_data/compiled/proofs.json is stale: run prove_matrix.py --render", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
