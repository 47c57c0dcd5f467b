"""Where releases come from: the bundled catalogue first, a live index for what it lacks."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.catalogue import OF_WHEELS, Catalogue, are_various
from torchlock.errors import NetworkError, UnknownPackage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from packaging.version import Version

    from torchlock.catalogue import CatalogueRelease
    from torchlock.index import Index, IndexRelease, IndexSettings
    from torchlock.sdist import Reader
    from torchlock.solve.candidates import Release
    from torchlock.words import Dependency, File

PUBLIC = "the public index (bundled catalogue)"


class Sources:
    """Answers names with releases.

    Extra indexes that the user names are asked first, so that nobody can take a private name over in public;
    then the catalogue; then the index. An index named by the user (``index_url``) takes the catalogue's place,
    since it may serve something else under the same name. ``refresh`` asks the index for packages of the
    catalogue too. ``pinned`` are versions that the user names by project: a source that lacks such a one does not
    have the last word on a project of the catalogue. With ``build`` the build backends of source distributions
    run, where only they can tell what is required. ``report`` is told what is being asked.
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
        pinned: Mapping[str, str] | None = None,
        cache_dir: str | None = None,
        build: bool = False,
        report: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._catalogue = Catalogue(sdist=self._sdist)
        self._build = build
        self._bundled = not (index_url or no_index or refresh)
        self._index_url = index_url
        self._extra_index_urls = list(extra_index_urls)
        self._find_links = find_links
        self._no_index = no_index
        self._offline = offline
        self._refresh = refresh
        self._pinned = pinned or {}
        self._cache_dir = cache_dir
        self._report = report
        self._answers: dict[str, Sequence[Release]] = {}
        self._used: dict[str, None] = {}
        self._file_host: str | None = None
        self._served_elsewhere = False

    def releases(self, name: str) -> Sequence[Release]:
        """The releases of a project, oldest first.

        Raises:
            UnknownPackage: no source that may be asked has it.
            NetworkError: an index failed.
        """
        if name not in self._answers:
            self._answers[name] = self._with_linked(name, self._found(name))
        return self._answers[name]

    def _found(self, name: str) -> Sequence[Release]:
        """The answer of the first source that has the project, with the release that it is pinned to.

        What the catalogue does not know may be private: whoever has it first is the only one asked.
        """
        first = self._extra(name)
        if first and (self._has_pinned(name, first) or not self._catalogue.holds(name)):
            return first
        bundled = self._from_catalogue(name)
        if bundled and self._has_pinned(name, bundled):
            return bundled
        if not first and not bundled:
            return self._ask(name, self._index)
        later = self._later(name)
        return later if self._has_pinned(name, later) else first or bundled

    def _later(self, name: str) -> Sequence[Release]:
        """What the index has of a project today; nothing where it cannot be asked, or has no such builds."""
        if self._offline or "+" in self._pinned[name]:
            return ()
        try:
            return self._ask(name, self._index)
        except (UnknownPackage, NetworkError):
            return ()

    def _has_pinned(self, name: str, releases: Sequence[Release]) -> bool:
        """Whether the version that a project is pinned to is among its releases, if it is pinned to one."""
        wanted = self._pinned.get(name)
        if wanted is None:
            return True
        if any(wanted in (release.version, release.version.partition("+")[0]) for release in releases):
            return True
        from packaging.version import Version

        try:
            pin = Version(wanted)
        except ValueError:  # ===, of any text
            return False
        return any(pin in (found, Version(found.public)) for found in map(_version, releases))

    def at_hand(self, name: str) -> bool:
        """Whether the releases of a project can be had without asking an index."""
        return name in self._answers or (
            self._bundled and not self._extra_index_urls and self._catalogue.holds(name)
        )

    def _sdist(self, name: str, version: str) -> Release | Unknown:
        """A release of the catalogue as the index serves it today: the catalogue knows nothing of sdists."""
        unknown = f"the catalogue does not know what the source distribution of {name} {version} requires"
        try:
            found = self._ask(name, self._index)
        except UnknownPackage as error:
            return Unknown(f"{unknown}, and {error.message}")
        release = next((release for release in found if release.version == version), None)
        return release or Unknown(f"{unknown}, and the index no longer has it")

    def metadata(self, file: File) -> str:
        """The METADATA text of a file that the user names by address.

        Raises:
            TorchlockError: it cannot be had, or only by a build.
        """
        return self._index.metadata(file)

    def sha256(self, file: File) -> str | Unknown:
        """The hash of a file, by fetching it where an index has it; unknown where that cannot be done.

        Raises:
            NetworkError: the file is not the one that the index describes.
        """
        return self._index.sha256(file)

    def address(self, name: str, file: File) -> str:
        """The absolute address of a project's file; the catalogue holds it relative to the index's file host.

        Raises:
            UnknownPackage, NetworkError: the index, which alone knows its file host, cannot be asked.
        """
        if "://" in file.url:
            return file.url
        if self._file_host is None:
            self._file_host = self._served(name, file).removesuffix(file.url)
        if self._served_elsewhere:
            return self._served(name, file)
        return self._file_host + file.url

    def _served(self, name: str, file: File) -> str:
        """Where the index serves this file; a mirror may keep it under another path than the public index."""
        for served in self._index.files(name):
            if served.filename == file.filename:
                self._served_elsewhere = not served.url.endswith(file.url)
                return served.url
        raise NetworkError(
            f"nobody tells where {file.filename} lies",
            hint="run without --offline: pylock.toml holds the addresses of files, which only the index knows",
        )

    @property
    def notes(self) -> list[str]:
        """Sentences on what was noticed while reading settings and asking indexes."""
        asked = [vars(self)[name].notes for name in ("_index", "_extra_index", "_links") if name in vars(self)]
        return list(dict.fromkeys(note for notes in asked for note in notes))

    @property
    def indexes(self) -> list[str]:
        """What was asked, without credentials, in the order of first use."""
        return list(self._used)

    @property
    def option_lines(self) -> list[str]:
        """The lines that a requirements file needs so that pip asks the same indexes."""
        if not (self._index_url or self._extra_index_urls or self._find_links):
            return []
        from torchlock.index.addresses import redact

        lines = [f"--index-url {redact(self._index_url)}"] if self._index_url else []
        lines += [f"--extra-index-url {redact(url)}" for url in self._extra_index_urls]
        return lines + [f"--find-links {redact(url)}" for url in self._find_links]

    def _extra(self, name: str) -> Sequence[Release]:
        if not self._extra_index_urls:
            return ()
        try:
            return self._ask(name, self._extra_index)
        except UnknownPackage:
            return ()

    def _from_catalogue(self, name: str) -> Sequence[Release]:
        found = self._catalogue.releases(name) if self._bundled else None
        if found:
            self._used[PUBLIC] = None
        return found or ()

    def _with_linked(self, name: str, found: Sequence[Release]) -> Sequence[Release]:
        """With the releases that only the find-links locations of the user's own lines have."""
        if not self._find_links:
            return found
        from packaging.version import Version

        known = {release.version for release in found}
        try:
            added = [release for release in self._ask(name, self._links) if release.version not in known]
        except UnknownPackage:
            return found
        return sorted([*found, *added], key=lambda release: Version(release.version))

    def _ask(self, name: str, index: Index) -> Sequence[Release]:
        from torchlock.index import releases

        found = releases(index, name)
        if not found:
            raise UnknownPackage(name, f"{name}: the index has no file that an installer could use")
        self._used.update(dict.fromkeys(release.index for release in found))
        bundled = {release.version: release for release in self._catalogue.releases(name) or ()}
        return [LiveRelease(release, bundled.get(release.version)) for release in found]

    @cached_property
    def _index(self) -> Index:
        return self._open(self._settings())

    @cached_property
    def _extra_index(self) -> Index:
        """The extra indexes alone, in their order."""
        from dataclasses import replace

        *first, last = self._settings().extra_index_urls
        return self._open(replace(self._settings(), extra_index_urls=first, index_url=last, find_links=()))

    @cached_property
    def _links(self) -> Index:
        """The find-links locations alone."""
        from dataclasses import replace

        return self._open(replace(self._settings(), no_index=True))

    def _settings(self) -> IndexSettings:
        from torchlock.index import read_settings

        return read_settings(
            index_url=self._index_url,
            extra_index_urls=self._extra_index_urls,
            find_links=self._find_links,
            no_index=self._no_index,
        )

    def _open(self, settings: IndexSettings) -> Index:
        from pathlib import Path

        from torchlock.index import Index

        folder = Path(self._cache_dir) if self._cache_dir else None
        return Index(
            settings,
            offline=self._offline,
            cache_dir=folder,
            refresh=self._refresh,
            report=self._report,
            sdists=self._sdists(settings),
        )

    def _sdists(self, settings: IndexSettings) -> Reader:
        from torchlock.sdist import Reader

        if not self._build:
            return Reader()
        from torchlock.sdist.building import Builder

        return Reader(Builder(settings))


def _version(release: Release) -> Version:
    from packaging.version import Version

    return Version(release.version)


class LiveRelease:
    """A release as a live index serves it (the seam ``solve.Release``).

    What its wheels were built for is known from their local version (``+cu121``), or from the catalogue where
    that holds the very same file.
    """

    def __init__(self, release: IndexRelease, bundled: CatalogueRelease | None) -> None:
        self._release = release
        self._bundled = bundled
        self.live = True
        self.unversioned = False
        self.name = release.name
        self.version = release.version
        self.tags: Sequence[str] = ["-".join(file.filename[:-4].split("-")[-3:]) for file in release.wheels]

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
        return ()  # known only once the metadata is: see ``dependencies``

    def ranks(self, rank: Callable[[str], int | None]) -> list[int | None]:
        return [rank(tags) for tags in self.tags]

    def requires_python(self, wheel: int) -> str:
        """As the page says; where it does not, as the file declares, once that was asked for."""
        return self._release.requires_python(self._file(wheel))

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

    def dependencies(self, wheel: int) -> list[Dependency] | Unknown:
        """Requires-Dist, asked for; of an sdist what its wheels for other targets declare, if all say the same.

        Raises:
            NeedsBuild: only building the sdist would tell.
            MetadataError: what the file declares is unknown, or refused by installers.
            NetworkError: the metadata cannot be had.
        """
        if wheel < 0 and self._alike:
            return self._release.dependencies(self._release.wheels[0])
        return self._release.dependencies(self._file(wheel))

    def origin(self, wheel: int) -> str:
        return OF_WHEELS if wheel < 0 and self._alike else self._release.origin(self._file(wheel))

    @property
    def _alike(self) -> bool:
        """Whether the wheels have one and the same metadata file, and were not all built on one machine."""
        files = self._release.wheels
        digests = {(file.metadata_hashes or {}).get("sha256") for file in files}
        return len(digests) == 1 and None not in digests and are_various(self.tags)

    def files(self) -> list[File]:
        sdist = self._release.sdist
        return [*self._release.wheels, *([sdist] if sdist else [])]

    def _file(self, wheel: int) -> File:
        return self.files()[wheel]
