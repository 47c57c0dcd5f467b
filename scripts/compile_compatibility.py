#!/usr/bin/env python3
"""Compile catalogue and rules into the table that the audit reads: which releases fit which torch, and where.

compile_compatibility.py            write compat_data/compiled/compatibility.json
compile_compatibility.py --check    write nothing; exit 1 if it is stale
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from torchlock.gathering.compatibility import text_of
from torchlock.gathering.storage import write_if_changed
from torchlock.knowledge.releases import Catalogue
from torchlock.knowledge.rules import Matrix
from torchlock.knowledge.stack import STACK

DATA = Path(__file__).parents[1] / "compat_data"
PATH = DATA / "compiled" / "compatibility.json"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    # The bundled tables: never those of an update on this machine.
    catalogue = Catalogue(DATA / "releases")
    missing = [name for name in STACK if not catalogue.releases(name)]
    if missing:
        print(f"no releases of {', '.join(missing)}: run refresh_releases.py", file=sys.stderr)
        return 2
    text = text_of(catalogue, Matrix(DATA / "compiled" / "rules.json"))
    if arguments.check:
        if not PATH.exists() or PATH.read_text(encoding="utf-8") != text:
            print(f"{PATH.name} is stale: run {Path(__file__).name}", file=sys.stderr)
            return 1
        return 0
    write_if_changed(PATH, text.encode(), dry=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
