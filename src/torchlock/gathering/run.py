"""One run: reads pages and wheels until every reachable project is known."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from torchlock.errors import BrokenFile, MetadataError
from torchlock.gathering.closure import ROOTS, Outline, outline_of, outline_of_file, reach
from torchlock.gathering.pages import File, Project, read_page
from torchlock.gathering.rendering import render
from torchlock.gathering.samples import Table, build_sample, metadata_sample, torch_builds
from torchlock.gathering.seeds import load_table, seed_of
from torchlock.gathering.storage import Cache, write_if_changed
from torchlock.gathering.wheels import read_build, read_metadata
from torchlock.knowledge.releases import Catalogue
from torchlock.knowledge.stack import FAMILY

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from pathlib import Path

    from torchlock.gathering.asking import Asker
    from torchlock.gathering.requirements import Row


class Gathering:
    """One run: reads pages and wheels, remembers what is worth telling at the end.

    ``cache`` keeps what was read from wheels. ``seeds`` gives the path of the release file of a project, if there
    is one: a wheel that it describes is not read. ``needs`` are the requirements that are followed besides those
    of the roots. ``joined`` may add files to a page that was read. ``tell`` is called with a line of progress now
    and then.
    """

    def __init__(
        self,
        asker: Asker,
        cache: Cache,
        jobs: int,
        needs: Collection[Row] = (),
        seeds: Callable[[str], Path] | None = None,
        tell: Callable[[str], None] = lambda text: None,
        joined: Callable[[Project], Project] = lambda page: page,
    ) -> None:
        self.asker = asker
        self.cache = cache
        self.jobs = jobs
        self.seeds = seeds
        self.tables: dict[str, Table] = {}
        self.outlines: dict[str, Outline] = {}
        self.unknown: set[str] = set()
        self.unreadable: list[str] = []
        self.tell = tell
        self._needs = needs
        self._joined = joined

    def trust(self, catalogue: Catalogue) -> None:
        """Take the release files of a catalogue as they are: their projects are not read."""
        files = ((name, catalogue.releases(name) or ()) for name in catalogue.names())
        self.outlines.update((name, outline_of_file(releases)) for name, releases in files)

    def load(self, names: Iterable[str]) -> list[Table]:
        """Read these projects, pages afresh and wheels once ever; returns those that the index knows.

        Raises:
            NetworkError: the index fails. What was read stays in the cache.
        """
        wanted = sorted(names)
        pages = self._parallel("pages", self._page, wanted)
        self.unknown.update(name for name, page in zip(wanted, pages, strict=True) if page is None)
        tables = [Table(page) for page in pages if page is not None]
        self._read_wheels(tables)
        self.tables.update((table.name, table) for table in tables)
        self.outlines.update((table.name, outline_of(table)) for table in tables)
        return tables

    def _page(self, name: str) -> Project | None:
        self.asker.count(page=True)
        page = read_page(self.asker.index, name)
        return None if page is None else self._joined(page)

    def _read_wheels(self, tables: Sequence[Table]) -> None:
        """Fill the tables' ``metadata`` and ``builds``: from the seeds, else from the wheels."""
        tasks = []
        for table in tables:
            stated = load_table(self.seeds(table.name)) if self.seeds else None
            seed = seed_of(stated, table.project) if stated else None
            for kind, sample in (("metadata", metadata_sample), ("builds", build_sample)):
                known = seed.of(kind) if seed else {}
                read = {
                    file.sha256: file
                    for each in table.project.releases
                    for file in sample(table.name, each).values()
                }
                facts: dict[str, Any] = getattr(table, kind)
                facts.update((sha256, fact) for sha256 in read if (fact := known.get(sha256)))
                tasks += [(table, kind, wheel) for sha256, wheel in read.items() if sha256 not in known]
        answers = self._parallel("wheels", lambda task: self._read_wheel(*task), tasks)
        for (table, kind, wheel), answer in zip(tasks, answers, strict=True):
            if answer is not None:
                getattr(table, kind)[wheel.sha256] = answer

    def _read_wheel(self, table: Table, kind: str, wheel: File) -> dict[str, Any] | None:
        known = self.cache.load(kind, wheel.sha256)
        if known is not None:
            return known
        self.asker.count()
        try:
            if kind == "metadata":
                known = read_metadata(self.asker.index, wheel)
            else:
                known = read_build(self.asker.index, table.name, wheel)
        except (MetadataError, BrokenFile) as error:
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
                        self.tell(f"  {what}: {len(answers)} of {len(items)}")
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


def gather(run: Gathering, output: Path, only: str | None, *, new: bool = False, dry: bool) -> list[str]:
    """Bring the release files in a folder up to date; returns the names of those that differed.

    ``only``: one project alone; ``new``: the projects without a file alone. ``dry`` writes nothing.

    Raises:
        NetworkError: the index fails. Files that were finished stay.
    """
    changed: list[str] = []
    names = {only, *({"torch"} if only in FAMILY else ())} if only else set(ROOTS)
    if new:
        run.trust(Catalogue(output))
        names = run.missing()
    while names:
        run.tell(f"reading {len(names)} projects")
        tables = run.load(name for name in names if name)
        torch = torch_builds(run.tables.get("torch"))
        for table in tables:
            if only in (None, table.name) and write_if_changed(
                output / f"{table.name}.json", render(table, torch), dry=dry
            ):
                changed.append(table.name)
        names = set() if only else run.missing()
    return changed
