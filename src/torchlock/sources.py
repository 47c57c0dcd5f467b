"""Where releases come from: the bundled catalogue first, a live index for what it lacks."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from torchlock.catalogue import Catalogue
from torchlock.errors import UnknownPackage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torchlock.catalogue import CatalogueRelease
    from torchlock.index import Index
    from torchlock.index.source import IndexRelease
    from torchlock.words import Dependency, File

PUBLIC = "the public index (bundled catalogue)"


class Sources:
    """Answers names with releases.

    An index named by the user (``index_url``) takes the catalogue's place, since it may serve something else
    under the same name; ``extra_index_urls`` are asked last, and only for names that nothing before them has.
    ``refresh`` asks the index for packages of the catalogue too. ``report`` is told what is being asked.
    """

    def __init__(
        self,
        *,
        index_url: str | None = None,
        extra_index_urls: Sequence[str] = (),
        find_links: Sequence[str] = (),
        no_index: bool = False,
        offline: bool = False,
        refresh: bool = False,
        cache_dir: str | None = None,
        report: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.notes: list[str] = []
        self._catalogue = Catalogue()
        self._bundled_first = not (index_url or no_index or refresh)
        self._index_url = index_url
        self._extra_index_urls = extra_index_urls
        self._find_links = find_links
        self._no_index = no_index
        self._offline = offline
        self._refresh = refresh
        self._cache_dir = cache_dir
        self._report = report
        self._asked: dict[str, list[LiveRelease]] = {}
        self._used: dict[str, None] = {}

    def releases(self, name: str) -> Sequence[CatalogueRelease | LiveRelease]:
        """The releases of a project, oldest first.

        Raises:
            UnknownPackage: no source that may be asked has it.
            NetworkError: an index failed.
        """
        if self._bundled_first:
            bundled = self._catalogue.releases(name)
            if bundled is not None:
                self._used[PUBLIC] = None
                return bundled
        if name not in self._asked:
            self._asked[name] = self._ask(name)
        return self._asked[name]

    @property
    def indexes(self) -> list[str]:
        """What was asked, without credentials, in the order of first use."""
        return list(self._used)

    @property
    def option_lines(self) -> list[str]:
        """The lines that a requirements file needs so that pip asks the same indexes."""
        from torchlock.index.addresses import redact

        lines = [f"--index-url {redact(self._index_url)}"] if self._index_url else []
        return lines + [f"--extra-index-url {redact(url)}" for url in self._extra_index_urls]

    @cached_property
    def _index(self) -> Index:
        from pathlib import Path

        from torchlock.index import Index, read_settings

        settings = read_settings(
            index_url=self._index_url,
            extra_index_urls=self._extra_index_urls,
            find_links=self._find_links,
            no_index=self._no_index,
        )
        self.notes += settings.notes
        return Index(
            settings,
            offline=self._offline,
            cache_dir=Path(self._cache_dir) if self._cache_dir else None,
            refresh=self._refresh,
            report=self._report,
        )

    def _ask(self, name: str) -> list[LiveRelease]:
        from torchlock.index.source import releases

        if self._offline and not self._bundled_first:
            raise UnknownPackage(name, f"{name}: --offline, and the index that was named cannot be asked")
        found = releases(self._index, name)
        if not found:
            raise UnknownPackage(name, f"{name}: the index has no file that an installer could use")
        self._used.update(dict.fromkeys(release.index for release in found))
        bundled = {release.version: release for release in self._catalogue.releases(name) or ()}
        return [LiveRelease(release, bundled.get(release.version)) for release in found]


class LiveRelease:
    """A release as a live index serves it (the seam ``solve.Release``).

    What its wheels were built for is known from their local version (``+cu121``), or from the catalogue where
    that holds the very same file.
    """

    def __init__(self, release: IndexRelease, bundled: CatalogueRelease | None) -> None:
        self._release = release
        self._bundled = bundled
        self.live = True
        self.name = release.name
        self.version = release.version
        self.tags = ["-".join(file.filename[:-4].split("-")[-3:]) for file in release.wheels]

    @property
    def yanked(self) -> str | None:
        return self._release.yanked

    @property
    def date(self) -> str:
        return self._release.date[:10]

    @property
    def has_sdist(self) -> bool:
        return self._release.sdist is not None

    @property
    def invalid(self) -> Sequence[str]:
        return ()

    def requires_python(self, wheel: int) -> str:
        return self._file(wheel).requires_python or ""

    def build(self, wheel: int) -> str | None:
        label = self.version.partition("+")[2].partition(".")[0]
        if label == "cpu" or label[:2] == "cu":
            return label
        if self._bundled is None:
            return None
        mine = self._file(wheel).hashes.get("sha256")
        for index, file in enumerate(self._bundled.files()):
            if mine and file.hashes.get("sha256") == mine:
                return self._bundled.build(index)
        return None

    def dependencies(self, wheel: int) -> list[Dependency] | None:
        return self._release.dependencies(self._file(wheel))

    def files(self) -> list[File]:
        sdist = self._release.sdist
        return [*self._release.wheels, *([sdist] if sdist else [])]

    def _file(self, wheel: int) -> File:
        return self.files()[wheel]
