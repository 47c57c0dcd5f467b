"""Refresh compat_data/builds: which wheels the PyTorch wheel index has, with which hash and requirements.

Reads the page of each member of the stack, and of the tritons, in each folder of releases; never those below
test/ and nightly/, which use the names of releases for other bytes. A page that has not changed costs one request.

- A new file gets a row. A file that is not on its page any more is reported, and its row stays.
- A page that states no hash leaves the hash of the table. A hash that the table lacks is taken.
- A page that states another hash than the table: both are kept (conflicts.json), the table uses its own unless
  ``--trust-index`` is given, and the exit code is 1.
- Where nothing else knows the requirements of a wheel, they are read from the metadata file beside it, or from a
  part of the wheel.

With ``--add FILE`` rows that were gathered elsewhere are joined instead, and no index is asked. FILE is JSON:
``{"columns": ["folder", "file", "sha256", "size", "sources"], "rows": [...], "sources": {"1": "owner/repository
uv.lock 63faea87c3a9 2025-11-10"}}``; the grade of a hash depends on how many repositories state it. With
``--render`` the tables are only written anew, as after a change of requirements.toml.

What was read is kept under the cache directory, so an interrupted run goes on where it stopped. Run
``python scripts/compile_rules.py`` after a change.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from refreshing.added_rows import read_added
from refreshing.build_files import read_tables, write_tables
from refreshing.build_pages import BuildIndex
from refreshing.build_rendering import Renderer
from refreshing.build_requirements import requirements_of
from refreshing.build_rows import add_rows
from refreshing.build_run import PACKAGES, BuildRefresh
from refreshing.build_summary import summary
from torchlock.errors import InputError, NetworkError, TorchlockError
from torchlock.index.sources import today
from torchlock.knowledge.build_files import index_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from refreshing.build_rows import Tables


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    root = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description="Refresh compat_data/builds from the PyTorch wheel index.")
    parser.add_argument("--only", metavar="NAME", help="read the pages of this project alone")
    parser.add_argument("--add", type=Path, metavar="FILE", help="join the rows of FILE instead; ask no index")
    parser.add_argument("--render", action="store_true", help="ask no index; only write the tables anew")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a table would change")
    parser.add_argument(
        "--trust-index", action="store_true", help="where a page contradicts a table, take its hash"
    )
    parser.add_argument("--index", default=index_address(), metavar="URL", help="the address with the folders")
    parser.add_argument("--jobs", type=int, default=8, metavar="N", help="requests at a time (default: 8)")
    parser.add_argument("--cache", type=Path, default=root / ".refresh", metavar="DIR")
    parser.add_argument("--output", type=Path, default=root / "compat_data" / "builds", metavar="DIR")
    parser.add_argument("--releases", type=Path, default=root / "compat_data" / "releases", metavar="DIR")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0; 1 if a hash contradicts a table or --check found a difference; 2 on an error."""
    options = parse_arguments(argv)
    try:
        tables = read_tables(options.output)
        contradicted = _join(tables, options)
    except NetworkError as error:
        print(f"error: {error}\nhint: run again to go on", file=sys.stderr)
        return 2
    except TorchlockError as error:
        hint = f"\nhint: {error.hint}" if error.hint else ""
        print(f"error: {error}{hint}", file=sys.stderr)
        return 2
    renderer = Renderer(options.releases)
    changed = write_tables(options.output, tables, renderer, dry=options.check)
    print(f"{len(changed)} {'file' if len(changed) == 1 else 'files'} {'differ' if options.check else 'written'}.")
    return 1 if contradicted or (options.check and changed) else 0


def _join(tables: Tables, options: argparse.Namespace) -> bool:
    """Join what the options name; returns whether a hash contradicts a table in a way that was not known."""
    if options.add:
        return _add(tables, options.add)
    return False if options.render else _refresh(tables, options)


def _add(tables: Tables, path: Path) -> bool:
    """Join the rows of a file; returns whether one of them contradicts a table."""
    rows, sources = read_added(path)
    before = len(tables.wheels)
    contradictions = add_rows(tables, rows, sources)
    print(*contradictions, sep="\n", end="\n" * bool(contradictions))
    print(f"{len(rows)} rows were read; {len(tables.wheels) - before} files are new.")
    return bool(contradictions)


def _refresh(tables: Tables, options: argparse.Namespace) -> bool:
    """Read the index; returns whether a page contradicts a table in a way that was not known."""
    only = canonicalize_name(options.only) if options.only else None
    if only and only not in PACKAGES:
        raise InputError(f"--only: {only} is none of {', '.join(PACKAGES)}")
    index = BuildIndex(options.index, options.cache, lambda text: None)
    run = BuildRefresh(tables, index, date=today(), jobs=max(1, options.jobs), trust=options.trust_index)
    run.read_pages((only,) if only else PACKAGES)
    run.read_requirements(requirements_of)
    if not only and not options.check:
        tables.date = today()
    print(*summary(run.changes, trusted=options.trust_index), sep="\n")
    print(*sorted(index.notes), sep="\n", end="\n" * bool(index.notes), file=sys.stderr)
    return any(each.new for each in run.changes.contradictions)


if __name__ == "__main__":
    raise SystemExit(main())
