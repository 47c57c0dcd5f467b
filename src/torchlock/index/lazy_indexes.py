"""The indexes that the user's settings lead to, opened when they are asked for the first time."""

from __future__ import annotations

from functools import cached_property

from torchlock.records import replace
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torchlock.index import Index, IndexSettings
    from torchlock.index.course import Course
    from torchlock.index.sdist import Reader


class LazyIndexes:
    """Opens indexes with the addresses of the user's lines, and the settings of pip and uv.

    ``hurried`` indexes are asked once, with short timeouts. With ``build`` the build backends of source
    distributions run. ``report`` is called with the current step. ``course`` is common to all of them.
    """

    def __init__(
        self,
        *,
        index_url: str | None,
        extra_index_urls: Sequence[str],
        find_links: Sequence[str],
        no_index: bool,
        offline: bool,
        refresh: bool,
        cache_dir: str | None,
        build: bool,
        report: Callable[[str], None],
        course: Course,
        keyring_provider: str | None = None,
    ) -> None:
        self._index_url = index_url
        self._extra_index_urls = extra_index_urls
        self._find_links = find_links
        self._no_index = no_index
        self._offline = offline
        self._refresh = refresh
        self._cache_dir = cache_dir
        self._build = build
        self._report = report
        self._course = course
        self._keyring_provider = keyring_provider
        self._all: list[Index] = []

    @cached_property
    def every(self) -> Index:
        """All indexes and find-links locations as one."""
        return self._open(self._settings())

    @cached_property
    def main(self) -> Index:
        """The index of the settings alone, without what the user's lines add to it, in a hurry."""
        return self._open(self.main_settings, hurried=True)

    @cached_property
    def main_settings(self) -> IndexSettings:
        """The settings of ``main``."""
        return replace(self._settings(), extra_index_urls=(), find_links=())

    @cached_property
    def extra(self) -> Index:
        """The extra indexes alone, in their order."""
        *first, last = self._settings().extra_index_urls
        return self._open(replace(self._settings(), extra_index_urls=first, index_url=last, find_links=()))

    @cached_property
    def links(self) -> Index:
        """The find-links locations alone."""
        return self._open(replace(self._settings(), no_index=True))

    def only(self, url: str, *, hurried: bool = False) -> Index:
        """One index alone."""
        settings = replace(self._settings(), index_url=url, extra_index_urls=(), find_links=(), no_index=None)
        return self._open(settings, hurried=hurried)

    @property
    def opened(self) -> list[Index]:
        """The indexes that were needed so far, but for those of ``only``."""
        return [vars(self)[name] for name in ("main", "every", "extra", "links") if name in vars(self)]

    def confirm(self) -> set[str]:
        """``Index.confirm`` of every index."""
        return {name for index in self._all for name in index.confirm()}

    def _settings(self) -> IndexSettings:
        from torchlock.index import read_settings

        return read_settings(
            index_url=self._index_url,
            extra_index_urls=self._extra_index_urls,
            find_links=self._find_links,
            no_index=self._no_index,
            keyring_provider=self._keyring_provider,
        )

    def _open(self, settings: IndexSettings, *, hurried: bool = False) -> Index:
        from pathlib import Path

        from torchlock.index import Index

        folder = Path(self._cache_dir) if self._cache_dir else None
        index = Index(
            settings,
            offline=self._offline,
            cache_dir=folder,
            refresh=self._refresh,
            hurried=hurried,
            report=self._report,
            sdists=self._sdists(settings),
            course=self._course,
        )
        self._all.append(index)
        return index

    def _sdists(self, settings: IndexSettings) -> Reader:
        from torchlock.index.sdist import Reader

        if not self._build:
            return Reader()
        from torchlock.index.sdist.building import Builder

        return Reader(Builder(settings))
