#!/usr/bin/env python3
"""Refresh all tables that are read from indexes, compile them, check them, and say in sentences what changed.

    refresh.py                  everything; a person reviews the diff and commits it
    refresh.py --dry-run        say what would change; write nothing
    refresh.py --only NAME      the releases of one project, and what is compiled from them

In this order: releases, dependents, names (from the public index), builds (from the PyTorch wheel index, where it
can be reached), compiled tables, pages, lints. A run may be repeated at any time: a page is read once, a wheel
only if no table describes it, and what was read before an interruption is kept in the cache. Nothing is written
before the index has answered everything. What changed is printed on stdout (``--changes FILE``: and written
there), progress on stderr.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from pypi_simple import PYPI_SIMPLE_ENDPOINT

import refresh_dependents
import refresh_names
import refresh_releases
from refreshing.changelog import changes
from refreshing.telling import tell
from torchlock.errors import TorchlockError
from torchlock.gathering.asking import Asker
from torchlock.gathering.storage import write_if_changed
from torchlock.index import IndexSettings
from torchlock.knowledge.releases import DATE

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "scripts"
# What is read from the public index.
_GATHERED = ("releases", "dependents", "names")
# The tests that are lints of the tables.
_LINTS = ("test_compat_data.py", "test_compat_data_compile.py", "test_compatibility.py", "test_dependents.py")


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Refresh compat_data from the indexes, and compile it.")
    parser.add_argument("--only", metavar="NAME", help="refresh the releases of this project alone")
    parser.add_argument("--dry-run", action="store_true", help="say what would change; write nothing")
    parser.add_argument("--afresh", action="store_true", help="read also the wheels that the tables describe")
    parser.add_argument("--no-lints", action="store_true", help="do not run the tests of the tables")
    parser.add_argument("--changes", type=Path, metavar="FILE", help="write what changed into FILE, too")
    parser.add_argument("--jobs", type=int, default=8, metavar="N", help="requests at a time (default: 8)")
    parser.add_argument("--cache", type=Path, default=ROOT / ".refresh", metavar="DIR")
    parser.add_argument("--data", type=Path, default=ROOT / "compat_data", metavar="DIR")
    parser.add_argument("--index", default=PYPI_SIMPLE_ENDPOINT, metavar="URL", help="simple API to ask")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0; 1 if a lint of the tables fails; 2 if an index or a table could not be read."""
    options = parse_arguments(argv)
    with tempfile.TemporaryDirectory() as folder:
        staged = Path(folder)
        for name in _GATHERED:
            shutil.copytree(options.data / name, staged / name)
        try:
            code = _gather(options, staged)
            said = [] if code else [*_names(options, staged), *_changes(options.data, staged)]
        except TorchlockError as error:
            tell(f"error: {error}\nhint: run again to go on; what was read is kept")
            return 2
        if code:
            return code
        if not options.dry_run:
            _put(staged, options.data)
    failed = False
    if not options.dry_run and options.data == ROOT / "compat_data":
        said += _builds()
        failed = _compile(lints=not options.no_lints)
    text = "\n".join(said or ["Nothing changed."]) + "\n"
    print(text, end="")
    if options.changes:
        options.changes.write_text(text, encoding="utf-8")
    return 1 if failed else 0


def _gather(options: argparse.Namespace, staged: Path) -> int:
    """Read the releases and the dependents into a folder; returns the exit code of what failed, or 0."""
    common = ["--index", options.index, "--cache", str(options.cache), "--jobs", str(options.jobs)]
    common += ["--afresh"] * options.afresh
    releases = ["--output", str(staged / "releases"), "--builds", str(options.data / "builds")]
    only = ["--only", canonicalize_name(options.only)] if options.only else []
    code = refresh_releases.main([*common, *releases, *only])
    if code or only:
        return code
    return refresh_dependents.main([*common, "--output", str(staged / "dependents")])


def _names(options: argparse.Namespace, staged: Path) -> list[str]:
    asker = Asker(IndexSettings(options.index), options.cache / "index")
    return refresh_names.add_new(staged, asker)


def _changes(before: Path, after: Path) -> list[str]:
    return [sentence for name in ("releases", "dependents") for sentence in changes(before / name, after / name)]


def _put(staged: Path, data: Path) -> None:
    """Put what was gathered in place. The dates come last: they say that the rest is there."""
    paths = [path for name in _GATHERED for path in (staged / name).rglob("*") if path.is_file()]
    for path in sorted(paths, key=lambda path: (path.name == DATE, str(path))):
        write_if_changed(data / path.relative_to(staged), path.read_bytes(), dry=False)


def _builds() -> list[str]:
    """Refresh the tables of the PyTorch wheel index, where it can be reached; returns sentences about it."""
    done = _run("refresh_builds.py")
    if done.returncode == 2:
        why = done.stderr.partition("\n")[0].removeprefix("error: ")
        _run("refresh_builds.py", "--render")
        return [f"The tables of the PyTorch wheel index are as they were: {why}."]
    return [f"PyTorch wheel index: {line}" for line in done.stdout.splitlines() if line]


def _compile(*, lints: bool) -> bool:
    """Compile the tables, write the pages, run the lints; returns whether one of these failed."""
    steps = ["compile_rules.py", "compile_compatibility.py", "rule_pages.py"]
    for step in steps:
        tell(f"running {step}")
        done = _run(step)
        if done.returncode:
            tell(done.stdout + done.stderr)
            return True
    if not lints:
        return False
    tell("running the lints of the tables")
    tests = [str(ROOT / "tests" / name) for name in _LINTS]
    command = [sys.executable, "-m", "pytest", "-q", "--numprocesses", "0", *tests]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        tell(done.stdout[-8000:])
    return done.returncode != 0


def _run(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPTS / script), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


if __name__ == "__main__":
    raise SystemExit(main())
