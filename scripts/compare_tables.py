#!/usr/bin/env python3
"""Compare the tables that others publish (compat_data/tables) with the matrix, and write docs/tables.md.

    compare_tables.py            write the page
    compare_tables.py --check    write nothing; exit 1 if it is stale, or if a difference is not settled

Each difference is settled in compat_data/tables/settled.toml: who is right, and why.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from comparing.differences import Comparison
from comparing.page import page_of
from comparing.tables import read_settled, read_tables
from torchlock.gathering.storage import write_if_changed

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "compat_data" / "tables"
PAGE = ROOT / "docs" / "tables.md"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    comparison, settled = Comparison(), read_settled(FOLDER / "settled.toml")
    tables = read_tables(FOLDER)
    found = [(table, comparison.differences(table)) for table in tables]
    text, open_ones = page_of(found, settled, comparison.table.proofs)
    for line in open_ones:
        print(line, file=sys.stderr)
    if arguments.check:
        stale = not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text
        if stale:
            print(f"{PAGE.name} is stale: run {Path(__file__).name}", file=sys.stderr)
        return int(stale or bool(open_ones))
    write_if_changed(PAGE, text.encode(), dry=False)
    return int(bool(open_ones))


if __name__ == "__main__":
    sys.exit(main())
