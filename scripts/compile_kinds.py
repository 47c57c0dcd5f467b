#!/usr/bin/env python3
"""Compile the release tables into their digest, with which a lock sorts releases without parsing the tables.

compile_kinds.py            write compat_data/compiled/kinds.json
compile_kinds.py --check    write nothing; exit 1 if it is stale
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from torchlock.gathering.storage import write_if_changed
from torchlock.knowledge.kinds import TABLE, digest_of, rendered

DATA = Path(__file__).parents[1] / "compat_data"
PATH = DATA / "compiled" / TABLE


def compiled(releases: Path) -> str:
    """The digest of every table in a folder."""
    tables = {path.stem: path.read_bytes() for path in sorted(releases.glob("*.json"))}
    return rendered({name: (len(content), digest_of(json.loads(content))) for name, content in tables.items()})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    text = compiled(DATA / "releases")
    if arguments.check:
        if not PATH.exists() or PATH.read_text(encoding="utf-8") != text:
            print(f"{PATH.name} is stale: run {Path(__file__).name}", file=sys.stderr)
            return 1
        return 0
    write_if_changed(PATH, text.encode(), dry=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
