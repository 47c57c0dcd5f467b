"""One run: reads pages and wheels until every reachable project is known, and reports what changed."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refreshing.closure import ROOTS, Outline, outline_of, outline_of_file, reach
from refreshing.pages import File, read_page
from refreshing.rendering import render
from refreshing.samples import Table, build_sample, metadata_sample, torch_builds
from refreshing.storage import Cache, write_if_changed
from refreshing.web import Unreadable, Web
from refreshing.wheels import read_build, read_metadata
from torchlock.knowledge.releases import Catalogue
from torchlock.knowledge.stack import FAMILY

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from refreshing.requirements import Row


class Refresh:
    """One run: reads pages and wheels, remembers what is worth telling at the end.

    ``needs`` are the requirements that are followed besides those of the roots.
    """

    def __init__(self, web: Web, index: str, cache: Cache, jobs: int, needs: Collection[Row] = ()) -> None:
        self.web = web
        self.index = index
        self.cache = cache
        self.jobs = jobs
        self.tables: dict[str, Table] = {}
        self.outlines: dict[str, Outline] = {}
        self.unknown: set[str] = set()
        self.unreadable: list[str] = []
        self.asked = 0
        self._needs = needs

    def trust(self, releases: Path) -> None:
        """Take the release files of this folder as they are: their projects are not read."""
        bundled = Catalogue(releases)
        self.outlines.update((name, outline_of_file(bundled.releases(name) or ())) for name in bundled.names())

    def load(self, names: Iterable[str]) -> list[Table]:
        """Read these projects, pages afresh and wheels once ever; returns those that the index knows."""
        wanted = sorted(names)
        pages = self._parallel("pages", lambda name: read_page(self.web, self.index, name), wanted)
        self.unknown.update(name for name, page in zip(wanted, pages, strict=True) if page is None)
        tables = [Table(page) for page in pages if page is not None]
        self._read_wheels(tables)
        self.tables.update((table.name, table) for table in tables)
        self.outlines.update((table.name, outline_of(table)) for table in tables)
        return tables

    def _read_wheels(self, tables: Sequence[Table]) -> None:
        """Fill the tables' ``metadata`` and ``builds``."""
        tasks = [
            (table, kind, wheel)
            for table in tables
            for kind, sample in (("metadata", metadata_sample), ("builds", build_sample))
            for release in table.project.releases
            for wheel in {file.sha256: file for file in sample(table.name, release).values()}.values()
        ]
        answers = self._parallel("wheels", lambda task: self._read_wheel(*task), tasks)
        for (table, kind, wheel), answer in zip(tasks, answers, strict=True):
            if answer is not None:
                getattr(table, kind)[wheel.sha256] = answer

    def _read_wheel(self, table: Table, kind: str, wheel: File) -> dict[str, Any] | None:
        known = self.cache.load(kind, wheel.sha256)
        if known is not None:
            return known
        self.asked += 1
        try:
            if kind == "metadata":
                known = read_metadata(self.web, wheel)
            else:
                known = read_build(self.web, table.name, wheel)
        except Unreadable as error:
            self.unreadable.append(f"{wheel.filename}: {error}")
            return None
        self.cache.store(kind, wheel.sha256, known)
        return known

    def _parallel(self, what: str, work: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        """``map`` over threads, with a line of progress now and then; the first error ends it."""
        told = time.monotonic()
        answers = []
        with ThreadPoolExecutor(self.jobs) as pool:
            try:
                for answer in pool.map(work, items):
                    answers.append(answer)
                    if time.monotonic() - told > 5:
                        told = time.monotonic()
                        tell(f"  {what}: {len(answers)} of {len(items)}")
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return answers

    def reached(self) -> set[str]:
        """Names that the projects known so far can reach."""
        return reach(self.outlines, self._needs)

    def missing(self) -> set[str]:
        """Those of them that were not asked for yet."""
        return self.reached() - self.outlines.keys() - self.unknown


def refresh(run: Refresh, output: Path, only: str | None, *, new: bool = False, dry: bool) -> list[str]:
    """Bring the files up to date; returns the names of those that differed.

    ``only``: one project alone; ``new``: the projects without a file alone. ``dry`` writes nothing.
    """
    changed: list[str] = []
    names = {only, *({"torch"} if only in FAMILY else ())} if only else set(ROOTS)
    if new:
        run.trust(output)
        names = run.missing()
    while names:
        tell(f"reading {len(names)} projects")
        tables = run.load(name for name in names if name)
        torch = torch_builds(run.tables.get("torch"))
        for table in tables:
            if only in (None, table.name) and write_if_changed(
                output / f"{table.name}.json", render(table, torch), dry=dry
            ):
                changed.append(table.name)
        names = set() if only else run.missing()
    if not (only or new or dry):
        (output / "DATE").write_text(datetime.now(timezone.utc).strftime("%Y-%m-%d\n"), encoding="ascii")
    return changed


def report(run: Refresh, changed: Sequence[str], output: Path) -> None:
    """Tell on stderr what happened, and what a person should look at."""
    tell(f"{len(run.tables)} projects, {run.asked} wheels asked for, {len(changed)} files differ")
    stale = {path.stem for path in output.glob("*.json")} - run.reached()
    refused = [name for table in run.tables.values() for name in table.project.refused]
    invalid = [f"{t.name}: {text}" for t in run.tables.values() for text in sorted(t.invalid_texts())]
    for title, items in (
        ("changed", changed),
        ("not on the index", run.unknown),
        ("no longer reached", stale if len(run.outlines) > 2 else ()),
        ("unreadable wheels", run.unreadable),
        ("file names that follow no standard", refused),
        ("requirements that no installer can read", invalid),
    ):
        if items:
            tell(f"{title} ({len(items)}):")
            for item in sorted(items):
                tell(f"  {item}")


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
