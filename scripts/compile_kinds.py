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
# The digests are of these projects and of what their newest releases need: the wheel has a limit. Other tables are
# parsed.
ROOTS = ("torch", "torchaudio", "torchcodec", "soundfile")


def compiled(releases: Path) -> str:
    """The digest of every table in a folder."""
    tables = {path.stem: path.read_bytes() for path in sorted(releases.glob("*.json"))}
    return rendered({name: (len(tables[name]), digest_of(json.loads(tables[name]))) for name in needed(tables)})


def needed(tables: dict[str, bytes]) -> list[str]:
    """The projects that have a digest."""
    found, waiting = set[str](), [name for name in ROOTS if name in tables]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        table = json.loads(tables[name])
        last = list(table["releases"].values())[-1].get("requires")
        for number in {each for each in (last if isinstance(last, list) else [last]) if each is not None}:
            rows = [table["requirements"][each] for each in table["requires"][number]]
            own = [row for row in rows if name == "cuda-toolkit" or "extra ==" not in "".join(row[2:3])]
            waiting += [row[0] for row in own if row[0] in tables]
    return sorted(found)


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
