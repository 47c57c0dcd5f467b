"""Ask indexes for the files of a project, and for the metadata of a file."""

from __future__ import annotations

from functools import cached_property
from typing import IO, TYPE_CHECKING, NamedTuple, TypeVar

from torchlock.errors import Unasked, UnknownPackage
from torchlock.index import addresses, local
from torchlock.index.asking import Asking
from torchlock.index.cache import Cache, default_folder
from torchlock.index.course import Course
from torchlock.index.declared import DeclaredStore
from torchlock.index.digests import Hasher, local_sha256
from torchlock.index.metadata import MetadataReader
from torchlock.index.project_page import ProjectPage
from torchlock.index.remote import NotCached, PageReader
from torchlock.index.remote_file import BUDGET
from torchlock.standards.names import project_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from torchlock.answers import Unknown
    from torchlock.index.metadata import Sdists
    from torchlock.index.settings import IndexSettings
    from torchlock.index.transport import Transport
    from torchlock.standards.index_file import File

_Found = TypeVar("_Found")


class Listing(NamedTuple):
    """A page with files of one project, and the index or find-links location (without credentials) of it."""

    source: str
    page: ProjectPage


def _page_of(url: str, name: str) -> str:
    """The address of the page of a project."""
    return f"{url.rstrip('/')}/{name}/"


class Index:
    """All configured indexes as one; each package comes from the first index that has it.

    Nothing is opened before the first question. ``notes`` collects remarks for the user while the work continues.
    """

    def __init__(
        self,
        settings: IndexSettings,
        *,
        offline: bool = False,
        cache_dir: Path | None = None,
        refresh: bool = False,
        hurried: bool = False,
        report: Callable[[str], None] = lambda sentence: None,
        sdists: Sdists | None = None,
        course: Course | None = None,
    ) -> None:
        """Args:
        settings: where to ask and how.
        offline: never open a socket; pages and metadata come from the cache, however old, and from folders.
        cache_dir: instead of the usual folder of this system.
        refresh: ask whether a page has changed even if it is fresh.
        hurried: ask for a page once and wait for seconds only.
        report: called with a short sentence before each wait.
        sdists: reads source distributions; without it none of them is known.
        course: what this index has in common with the others of a run.
        """
        self.notes: list[str] = list(settings.notes)
        self._settings = settings
        transport = None if offline else lambda: self._transport
        store = Cache(cache_dir or default_folder(), self._note)
        self._course = course or Course()
        pages = PageReader(transport, store, refresh=refresh, note=self._note, hurried=hurried)
        self._metadata = MetadataReader(transport, store, report, sdists)
        self.declarations = DeclaredStore(store)
        self._asking = Asking(pages, self._metadata, self._course, report, hurried=hurried)
        self._hasher = Hasher(transport, store, report)
        self._listings: dict[str, list[Listing]] = {}
        self._links: dict[str, ProjectPage] = {}
        self._unasked: dict[str, UnknownPackage] = {}
        self._addresses: dict[str, str] = {}

    def files(self, name: str) -> list[File]:
        """Every wheel and sdist of a project: from the first index that has it, then from find-links.

        Raises:
            UnknownPackage: no source that may be asked has it.
            NetworkError: an index that comes before the first that has it could not be asked.
        """
        return [file for listing in self.listings(name) for file in listing.page.files()]

    def listings(self, name: str) -> list[Listing]:
        """The same by source; a file of find-links that an earlier source has as well is left to that one."""
        normal = project_name(name)
        if normal is None:
            raise UnknownPackage(name, f"{name!r} is not a valid project name")
        if normal not in self._listings:
            self._listings[normal] = self._ask(normal)
        return self._listings[normal]

    def unasked(self, name: str) -> UnknownPackage | None:
        """A note on a project if one of its sources could not be asked although others answered."""
        return self._unasked.get(name)

    def metadata(self, file: File) -> str:
        """The METADATA text of a file, by the cheapest way that works; for an sdist, the METADATA of its wheel.

        Raises:
            NeedsBuild: it is an sdist whose requirements are known only after a build.
            MetadataError: the file is damaged.
            BrokenFile: it is missing, or not what the index describes.
            NetworkError: it cannot be fetched; the message says why.
        """
        return self._asking.metadata(file)

    def expect(self, name: str) -> None:
        """Begin to ask for the page of a project, which will be asked for soon. Errors appear then."""
        normal = project_name(name)
        served = next((url for url in self._urls if not addresses.is_local(url)), None)
        if normal is not None and normal not in self._listings and served is not None:
            self._asking.expect_page(_page_of(served, normal), normal)

    def expect_metadata(self, file: File) -> None:
        """Begin to fetch the metadata of a wheel, which will be asked for soon. Errors appear then."""
        self._asking.expect_metadata(file)

    def confirm(self) -> set[str]:
        """Wait for the pages that were used while they were asked for again; the projects whose pages changed.

        Raises:
            NetworkError: one of them cannot be had.
        """
        changed = self._asking.confirm()
        for name in changed:
            self._listings.pop(name, None)
            self._unasked.pop(name, None)
        return changed

    def origin(self, file: File) -> str:
        """The file of an sdist that states its requirements; empty for any other file."""
        return "" if file.filename.endswith(".whl") else self._metadata.origin(self.metadata(file))

    def sha256(self, file: File) -> str | Unknown:
        """The hash of a file, by reading all of it; unknown if it is too large, or offline.

        Raises:
            NetworkError: the file is not the one that the index describes.
        """
        return local_sha256(file) if addresses.is_local(file.url) else self._hasher.sha256(file)

    def members(self, file: File, names: Sequence[str]) -> dict[str, str]:
        """The texts of these members, if the wheel has them, by byte ranges.

        Raises:
            NetworkError: the wheel cannot be read; the message says why.
        """
        return self._metadata.members(file, names)

    def within(self, file: File, read: Callable[[IO[bytes]], _Found], budget: int = BUDGET) -> _Found:
        """What ``read`` returns of a wheel, of which only what it reads is fetched: ``budget`` bytes at most.

        Raises:
            NetworkError: the wheel cannot be read; the message says why.
        """
        return self._metadata.within(file, read, budget)

    def open(self, file: File, budget: int) -> IO[bytes]:
        """A wheel to read in: its pieces come from the server by byte ranges, at most ``budget`` bytes in all.

        Raises:
            NetworkError: it cannot be asked for; the message says why.
        """
        return self._metadata.contents(file, budget)

    @cached_property
    def _transport(self) -> Transport:
        from torchlock.index.transport import Transport

        return Transport(self._settings, self._course.deadline)

    @cached_property
    def _urls(self) -> list[str]:
        return [url for url in self._settings.index_urls if self._exists(url, "index")]

    def _ask(self, name: str) -> list[Listing]:
        unseen: list[str] = []
        served = [url for url in self._urls if not addresses.is_local(url)]
        found = self._first(served, name, unseen)
        self._add(name, found, unseen)
        if not found:
            raise self._unknown(name, unseen)
        if unseen:
            self._unasked[name] = self._unknown(name, unseen)
        return found

    def _first(self, urls: list[str], name: str, unseen: list[str]) -> list[Listing]:
        """The page of the first index that has the project; pages missing offline are added to ``unseen``."""
        for url in urls:
            try:
                page = self._asking.project_page(_page_of(url, name), name)
            except NotCached:
                unseen.append(addresses.redact(url))
                return []  # its files would come first
            if page is not None:
                return [Listing(self._shown(url), page)]
        return []

    def _shown(self, url: str) -> str:
        """An address as it may be written; for each project, so it is kept."""
        if url not in self._addresses:
            self._addresses[url] = addresses.redact(url)
        return self._addresses[url]

    def _add(self, name: str, found: list[Listing], unseen: list[str]) -> None:
        """The files that the user's own folders and find-links add, whichever index serves the project."""
        known: set[str] | None = None
        for location, files in self._added(name, unseen):
            if not files:
                continue
            if known is None:
                known = {file.filename for listing in found for file in listing.page.files()}
            new = [file for file in files if file.filename not in known]
            known.update(file.filename for file in new)
            if new:
                found.append(Listing(self._shown(location), ProjectPage.of(new)))

    def _added(self, name: str, unseen: list[str]) -> Iterator[tuple[str, list[File]]]:
        """The files of the project in each folder and find-links location of the user."""
        for url in self._urls:
            if addresses.is_local(url):
                yield url, local.project_files(addresses.local_path(url), name) or []
        for location in self._settings.find_links:
            yield location, self._linked(location, name, unseen)

    def _linked(self, location: str, name: str, unseen: list[str]) -> list[File]:
        """The files of the project in a find-links location."""
        if location not in self._links:
            try:
                self._links[location] = self._location(location)
            except NotCached:
                unseen.append(addresses.redact(location))
                self._links[location] = ProjectPage.of([])
        page = self._links[location]
        return [file for held in (*page.releases(name), *page.variants(name)) for file in held.files()]

    def _location(self, location: str) -> ProjectPage:
        """Everything a find-links location lists: a folder, a page on this machine, a page elsewhere."""
        if not addresses.is_local(location):
            return self._asking.linked_page(location) or ProjectPage.of([])
        if not self._exists(location, "find-links location"):
            return ProjectPage.of([])
        path = addresses.local_path(location)
        return ProjectPage.of(local.folder_files(path) if path.is_dir() else local.page_files(path))

    def _exists(self, url: str, what: str) -> bool:
        if not addresses.is_local(url) or addresses.local_path(url).exists():
            return True
        self._note(f"the {what} {addresses.redact(url)} does not exist; continuing without it")
        return False

    def _unknown(self, name: str, unseen: list[str]) -> UnknownPackage:
        if unseen:
            return Unasked(
                name,
                f"{name} is not in the cache, and --offline forbids asking {' and '.join(unseen)}",
                hint="run the command once without --offline",
            )
        asked = [addresses.redact(url) for url in (*self._urls, *self._settings.find_links)]
        if not asked:
            return UnknownPackage(
                name,
                f"--no-index forbids asking an index for {name}",
                hint="remove --no-index from the input, or from the settings of pip or uv",
            )
        return UnknownPackage(
            name,
            f"{' and '.join(asked)} {'has' if len(asked) == 1 else 'have'} no project {name}",
            hint="check the spelling, or name the index that has it with --extra-index-url",
        )

    def _note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)
