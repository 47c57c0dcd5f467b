#!/usr/bin/env python3
"""Refresh all tables that are read from indexes, compile them, check them, and say in sentences what changed.

    refresh.py                  everything; a person reviews the diff and commits it
    refresh.py --dry-run        say what would change; write nothing
    refresh.py --only NAME      the releases of one project, and what is compiled from them

In this order: releases, dependents, names (from the public index), builds (from the PyTorch wheel index, where it
can be reached), rules, proofs (from the wheels of new releases), compatibility, pages, lints. A run may be
repeated at any time: a page is read once, a wheel only if no table describes it, and what was read before an
interruption is kept in the cache. Nothing is written before the index has answered everything. What changed, and
the statements that the wheels of new releases show, are printed on stdout (``--changes FILE``: and written there),
progress on stderr.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import Version
from pypi_simple import PYPI_SIMPLE_ENDPOINT

import refresh_dependents
import refresh_names
import refresh_releases
from draft_statements import drafts
from refreshing import other_names
from refreshing.changelog import changes
from refreshing.telling import tell
from torchlock.errors import TorchlockError
from torchlock.gathering.asking import Asker
from torchlock.gathering.storage import write_if_changed
from torchlock.index import IndexSettings
from torchlock.knowledge.releases import DATE, Catalogue
from torchlock.knowledge.stack import FAMILY
from torchlock.proving.tables import read_store

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "scripts"
# What is read from the public index.
_GATHERED = ("releases", "dependents", "names")
# The tests that are lints of the tables.
_LINTS = (
    "test_compat_data.py",
    "test_compat_data_compile.py",
    "test_compatibility.py",
    "test_dependents.py",
    "test_proofs.py",
)


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
    failed = False
    try:
        said = _gathered(options)
        if said is None:
            return 2
        if not options.dry_run and options.data == ROOT / "compat_data":
            new = unproven(options.data)
            said += _builds()
            failed = not _compiled(proofs=bool(new), lints=not options.no_lints)
            said += drafts(new)
    except TorchlockError as error:
        tell(f"error: {error}\nhint: run again to go on; what was read is kept")
        return 2
    text = "\n".join(said or ["Nothing changed."]) + "\n"
    print(text, end="")
    if options.changes:
        options.changes.write_text(text, encoding="utf-8")
    return 1 if failed else 0


def _gathered(options: argparse.Namespace) -> list[str] | None:
    """Read releases, dependents and names, and put them in place; returns sentences, or None after a failure.

    Raises:
        TorchlockError: the index fails, or a table is damaged. Nothing was written.
    """
    with tempfile.TemporaryDirectory() as folder:
        staged = Path(folder)
        for name in _GATHERED:
            shutil.copytree(options.data / name, staged / name)
        if _gather(options, staged):
            return None
        said = [*_names(options, staged), *_changes(options.data, staged)]
        if not options.dry_run:
            _put(staged, options.data)
    return said


def unproven(data: Path) -> list[tuple[str, str]]:
    """The releases of the torch family that are newer than every one in the evidence.

    Raises:
        DataError: a table is damaged.
    """
    read: dict[str, Version] = {}
    for wheel in read_store(data / "proofs").wheels():
        read[wheel.package] = max(read.get(wheel.package, Version("0")), Version(wheel.version))
    catalogue = Catalogue(data / "releases")
    return [
        (name, release.version)
        for name in sorted(FAMILY)
        for release in catalogue.releases(name) or ()
        if release.tags and name in read and Version(release.version) > read[name]
    ]


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
    # The pages that releases and dependents have read are fresh.
    asker = Asker(IndexSettings(options.index), options.cache / "index", refresh=False)
    return [*refresh_names.add_new(staged, asker), *other_names.add_new(staged, asker, options.cache / "others")]


def _changes(before: Path, after: Path) -> list[str]:
    return [sentence for name in ("releases", "dependents") for sentence in changes(before / name, after / name)]


def _put(staged: Path, data: Path) -> None:
    """Put what was gathered in place. The dates come last: they say that the rest is there."""
    paths = [path for name in _GATHERED for path in (staged / name).rglob("*") if path.is_file()]
    for path in sorted(paths, key=lambda path: (path.name == DATE, str(path))):
        write_if_changed(data / path.relative_to(staged), path.read_bytes(), dry=False)
    sources = data / "sources.toml"
    if sources.exists():
        write_if_changed(sources, _dated(sources.read_text(encoding="utf-8"), data).encode(), dry=False)


def _dated(sources: str, data: Path) -> str:
    """The sources, with the dates of the catalogue and of what dependents declare."""
    for source, folder in (("catalogue", "releases"), ("dependents-metadata", "dependents")):
        day = (data / folder / DATE).read_text(encoding="ascii").strip()
        sources = re.sub(rf"(?m)(^\[{source}\]\n(?:[^\[\n].*\n)*?date = )[\d-]+$", rf"\g<1>{day}", sources)
    return sources


def _builds() -> list[str]:
    """Refresh the tables of the PyTorch wheel index, where it can be reached; returns sentences about it."""
    done = _run("refresh_builds.py")
    if done.returncode == 2:
        why = done.stderr.partition("\n")[0].removeprefix("error: ")
        _run("refresh_builds.py", "--render")
        return [f"The tables of the PyTorch wheel index are as they were: {why}."]
    return [f"PyTorch wheel index: {line}" for line in done.stdout.splitlines() if line]


def _compiled(*, proofs: bool, lints: bool) -> bool:
    """Compile the tables, read the wheels of new releases, write the pages; whether all succeeded, and the lints.

    Rules come before proofs, which ask them, and proofs before drafts of rules.
    """
    proving = ["prove_matrix.py"] if proofs else ["prove_matrix.py", "--render"]
    for step in (
        ["compile_rules.py"],
        ["compile_kinds.py"],
        proving,
        ["compile_compatibility.py"],
        ["rule_pages.py"],
    ):
        tell(f"running {' '.join(step)}")
        done = _run(*step)
        if done.returncode:
            tell(done.stdout + done.stderr)
            return False
    if not lints:
        return True
    tell("running the lints of the tables")
    tests = [str(ROOT / "tests" / name) for name in _LINTS]
    command = [sys.executable, "-m", "pytest", "-q", "--numprocesses", "0", *tests]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        tell(done.stdout[-8000:])
    return done.returncode == 0


def _run(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPTS / script), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


if __name__ == "__main__":
    raise SystemExit(main())
