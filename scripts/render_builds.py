#!/usr/bin/env python3
"""Write compat_data/builds/files again, after a change of what their wheels declare.

    render_builds.py            write the tables
    render_builds.py --check    write nothing; exit 1 if a table is stale

The files, hashes and sources stay as they are. Requirements come from ``builds/requirements.toml`` and from
``releases/``, Requires-Python and extras from ``releases/``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from compiling.values import TableError
from refreshing.build_files import read_tables, write_tables
from refreshing.build_rendering import Renderer

DATA = Path(__file__).parents[1] / "compat_data"


def main(arguments: list[str] | None = None) -> int:
    """Run; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a table is stale")
    options = parser.parse_args(arguments)
    root = DATA / "builds"
    try:
        changed = write_tables(root, read_tables(root), Renderer(DATA / "releases"), dry=options.check)
    except TableError as error:
        print(f"render_builds: {error}", file=sys.stderr)
        return 2
    for path in changed:
        print(
            f"render_builds: {path.relative_to(root)} {'stale' if options.check else 'written'}", file=sys.stderr
        )
    return 1 if changed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
