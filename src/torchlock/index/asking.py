"""Pages and metadata of one index, asked for in the background before they are needed."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from torchlock.index import addresses
from torchlock.index.pending import Pool
from torchlock.index.remote import NotCached

if TYPE_CHECKING:
    from collections.abc import Callable

    from torchlock.index.course import Course
    from torchlock.index.metadata import MetadataReader
    from torchlock.index.pending import Pending
    from torchlock.index.project_page import ProjectPage
    from torchlock.index.remote import Known, PageReader
    from torchlock.standards.index_file import File


class Asking:
    """Answers with pages and metadata texts; what is expected is asked for ahead, and each thing once."""

    def __init__(
        self,
        pages: PageReader,
        metadata: MetadataReader,
        course: Course,
        report: Callable[[str], None],
        *,
        hurried: bool = False,
    ) -> None:
        """Args:
        pages: finds pages.
        metadata: finds metadata texts.
        course: what this index has in common with the others of a run.
        report: called with a short sentence before each wait.
        hurried: an answer may fail to come; then there is something else to go on with, so no old page is used.
        """
        self._pages = pages
        self._metadata = metadata
        self._course = course
        self._hurried = hurried
        self._pool = Pool(course.deadline, report)
        self._fresh: dict[str, ProjectPage | None] = {}
        self._asked: dict[str, Pending[ProjectPage | None]] = {}
        self._old: dict[str, tuple[Pending[ProjectPage | None], ProjectPage, str]] = {}
        self._texts: dict[str, str] = {}
        self._fetched: dict[str, Pending[str]] = {}

    def expect_page(self, url: str, name: str) -> None:
        """Begin to ask for the page of a project, unless the cache has a fresh one. Errors appear in ``page``."""
        if url not in self._fresh and url not in self._asked and url not in self._old:
            with contextlib.suppress(NotCached):
                known = self._pages.known(url)
                if known.fresh:
                    self._fresh[url] = known.page
                else:
                    self._begin_page(known, name)

    def project_page(self, url: str, name: str) -> ProjectPage | None:
        """The page of a project; None if the index has none. It may be an old one: see ``Course``.

        Raises:
            NotCached: offline, and the page was never seen.
            NetworkError: the index could not be asked.
        """
        if url in self._fresh:
            return self._fresh.pop(url)
        if url not in self._asked and url not in self._old:
            known = self._pages.known(url)
            if known.fresh:
                return known.page
            self._begin_page(known, name)
        if url in self._old:
            return self._old[url][1]
        return self._pool.wait(self._asked.pop(url))

    def linked_page(self, url: str) -> ProjectPage | None:
        """The page of a find-links location. Raises as ``project_page``."""
        known = self._pages.known(url)
        if known.fresh:
            return known.page
        return self._pool.wait(self._page_of_now(known, "its files"))

    def confirm(self) -> set[str]:
        """Wait for the pages that were used while they were asked for again; the projects whose pages changed.

        Raises:
            NetworkError: one of them cannot be had.
        """
        changed = set()
        while self._old:
            url, (pending, before, name) = next(iter(self._old.items()))
            page = self._pool.wait(pending)
            del self._old[url]
            if page is None or page.content != before.content:
                self._asked[url] = pending
                changed.add(name)
        return changed

    def expect_metadata(self, file: File) -> None:
        """Begin to fetch the metadata of a wheel, unless it is here. Errors appear in ``metadata``."""
        if file.url not in self._texts and file.url not in self._fetched and self._metadata.is_remote(file):
            text = self._metadata.kept(file)
            if text is None:
                self._begin_metadata(file)
            else:
                self._texts[file.url] = text

    def metadata(self, file: File) -> str:
        """As ``MetadataReader.read``."""
        self.expect_metadata(file)
        if file.url not in self._texts:
            pending = self._fetched.pop(file.url, None)
            self._texts[file.url] = self._pool.wait(pending) if pending else self._metadata.read(file)
        return self._texts[file.url]

    def _begin_page(self, known: Known, name: str) -> None:
        pending = self._page_of_now(known, name)
        if self._course.provisional and not self._hurried and known.page is not None:
            self._old[known.url] = pending, known.page, name
        else:
            self._asked[known.url] = pending

    def _page_of_now(self, known: Known, what: str) -> Pending[ProjectPage | None]:
        return self._pool.ask(lambda: self._pages.ask(known), f"{addresses.host(known.url)} for {what}")

    def _begin_metadata(self, file: File) -> None:
        what = f"{addresses.host(file.url)} for the metadata of {file.filename}"
        self._fetched[file.url] = self._pool.ask(lambda: self._metadata.fetch(file), what)
