"""One run over the PyTorch wheel index: what its pages state, joined with the tables of wheel files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from refreshing.build_rows import ROOT_FOLDER, Tables, Wheel, add_rows, is_of_releases
from torchlock.errors import BrokenFile, InputError, MetadataError
from torchlock.knowledge.stack import FAMILY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from refreshing.build_pages import BuildIndex
    from refreshing.build_rendering import RequirementsOf
    from torchlock.standards.index_file import File

TRITONS = tuple(f"{before}triton{after}" for before in ("", "pytorch-") for after in ("", "-rocm", "-xpu"))
PACKAGES = (*sorted(FAMILY), *TRITONS)
_KEPT = "it was known first; the page of the index states the other"
_TRUSTED = "the page of the index states it"

Key = tuple[str, str]


class Contradiction(NamedTuple):
    """A page states another hash than the table; ``new``: it was not in ``conflicts.json`` yet."""

    wheel: Wheel
    stated: str
    new: bool


@dataclass
class Changes:
    """What the pages state beyond the tables, or otherwise."""

    pages: int = 0
    missing: list[str] = field(default_factory=list)
    new: list[Wheel] = field(default_factory=list)
    learned: list[Wheel] = field(default_factory=list)
    gone: list[Wheel] = field(default_factory=list)
    unstated: list[Wheel] = field(default_factory=list)
    unknown: list[Wheel] = field(default_factory=list)
    contradictions: list[Contradiction] = field(default_factory=list)
    odd: set[str] = field(default_factory=set)
    read: int = 0
    unreadable: list[str] = field(default_factory=list)


class BuildRefresh:
    """Reads the pages of all folders (``packages``: only these) and joins them with the tables.

    ``date`` is today (YYYY-MM-DD); ``trust`` lets the page decide where it contradicts a table.
    """

    def __init__(
        self, tables: Tables, index: BuildIndex, *, date: str, jobs: int = 8, trust: bool = False
    ) -> None:
        self.changes = Changes()
        self._tables = tables
        self._index = index
        self._jobs = jobs
        self._trust = trust
        self._host = urlsplit(index.address).netloc.rpartition("@")[2]
        self._source = f"{self._host} pages {date}"
        self._files: dict[Key, File] = {}

    def read_pages(self, packages: Sequence[str] = PACKAGES) -> None:
        """Ask for every page that may list files of a folder, and join what they list.

        Raises:
            InputError: the index has no page of any of these packages.
            NetworkError: a page cannot be read. The tables are as before.
        """
        roots = dict(zip(packages, self._pages([(ROOT_FOLDER, each) for each in packages]), strict=True))
        wanted = self._shown(roots) | {key for key in self._tabled() if key[1] in packages}
        folders = sorted(key for key in wanted if key[0] != ROOT_FOLDER)
        pages = {(ROOT_FOLDER, package): files for package, files in roots.items()}
        pages.update(zip(folders, self._pages(folders), strict=True))
        if not any(pages.values()):
            raise InputError(
                f"{self._index.address} has no page of {packages[0] if len(packages) == 1 else 'any member'}",
                hint="name the address below which each build has a folder, like cu128/torch/",
            )
        for (folder, package), files in pages.items():
            self._join(folder, package, files)

    def read_requirements(self, requirements_of: RequirementsOf) -> None:
        """Read Requires-Dist of the listed wheels whose requirements nothing else knows.

        Raises:
            NetworkError: the server fails.
        """
        wanted = [
            key
            for key in self._files
            if (wheel := self._tables.wheels[key]).declared is None
            and requirements_of(wheel.package, wheel.release, wheel.folder, wheel.platform) is None
        ]
        answers = self._parallel(lambda key: self._declared(self._files[key]), wanted)
        for key, answer in zip(wanted, answers, strict=True):
            if isinstance(answer, str):
                self.changes.unreadable.append(f"{key[0]}: {key[1]}: {answer}")
            else:
                self.changes.read += 1
                self._tables.wheels[key] = self._tables.wheels[key]._replace(declared=answer)

    def _declared(self, file: File) -> tuple[str, ...] | str:
        """Its Requires-Dist, or why it cannot be read."""
        try:
            return self._index.declared(file)
        except (BrokenFile, MetadataError) as error:
            return str(error)

    def _pages(self, keys: Iterable[Key]) -> list[list[File] | None]:
        return self._parallel(lambda key: self._index.page(*key), list(keys))

    def _parallel(self, work: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        """``map`` over threads; the first error ends it."""
        with ThreadPoolExecutor(self._jobs) as pool:
            try:
                return list(pool.map(work, items))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _shown(self, roots: dict[str, list[File] | None]) -> set[Key]:
        """The folders of releases with files of a package, as its page at the root shows them."""
        return {
            (folder, package)
            for package, files in roots.items()
            for file in files or ()
            if (folder := self._index.folder_of(file)) and is_of_releases(folder, file.filename)
        }

    def _tabled(self) -> set[Key]:
        return {(wheel.folder, wheel.package) for wheel in self._tables.wheels.values()}

    def _join(self, folder: str, package: str, files: list[File] | None) -> None:
        """Join what one page lists of its own folder; the links of the root page in it are not of its folder."""
        before = {
            key: wheel
            for key, wheel in self._tables.wheels.items()
            if (wheel.folder, wheel.package) == (folder, package)
        }
        if files is None:
            self.changes.missing += [f"{folder}/{package}"] * bool(before)
            return
        self.changes.pages += 1
        own = [file for file in files if self._index.folder_of(file) == folder]
        listed = {(folder, file.filename): file for file in own if is_of_releases(folder, file.filename)}
        self.changes.odd |= {f"{folder}: {file.filename}" for file in own if (folder, file.filename) not in listed}
        self.changes.gone += [wheel for key, wheel in before.items() if key not in listed]
        self._files.update(listed)
        for key, file in listed.items():
            self._join_file(key, file, before.get(key))

    def _join_file(self, key: Key, file: File, known: Wheel | None) -> None:
        stated = file.hashes.get("sha256")
        uploaded = f"{file.uploaded[:19]}Z" if file.uploaded else None
        row = Wheel(*key, stated, file.size, uploaded, (1,))
        if known is not None and stated is None:
            (self.changes.unstated if known.sha256 else self.changes.unknown).append(known)
        if known is None:
            self.changes.new.append(row)
        elif stated and known.sha256 is None:
            self.changes.learned.append(row)
        elif stated and known.sha256 != stated:
            self._contradict(row, known)
            return
        elif (stated is None or self._confirmed(known)) and (uploaded is None or known.uploaded):
            return
        add_rows(self._tables, [row], {1: self._source})

    def _confirmed(self, wheel: Wheel) -> bool:
        """Whether the pages of this index are a source of the wheel already."""
        return any(self._tables.sources[number].startswith(f"{self._host} ") for number in wheel.sources)

    def _contradict(self, row: Wheel, known: Wheel) -> None:
        """Keep both hashes. The table goes on using its own, unless the index is trusted."""
        key = row.folder, row.filename
        before = self._tables.conflicts.get(key)
        stated = str(row.sha256)
        new = before is None or stated not in before.values
        self.changes.contradictions.append(Contradiction(known, stated, new))
        if new:
            add_rows(self._tables, [row], {1: self._source})
        if new or self._trust:
            self._settle(key, stated if self._trust else str(known.sha256), known)

    def _settle(self, key: Key, used: str, known: Wheel) -> None:
        kept = used == known.sha256
        conflict = self._tables.conflicts[key]
        self._tables.conflicts[key] = conflict._replace(used=used, why=_KEPT if kept else _TRUSTED)
        self._tables.wheels[key] = known._replace(
            sha256=used,
            size=known.size if kept else None,
            sources=conflict.values[used],
            declared=known.declared if kept else None,
        )
