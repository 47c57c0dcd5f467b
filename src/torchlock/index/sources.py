"""Where releases come from: the bundled catalogue first, a live index for what it lacks.

The catalogue is a snapshot of one day. It is asked first, because that costs nothing, but it never decides alone:
the torch family is asked for again once the snapshot is older than a day, and every project before a message says
that something does not exist (``renew``).
"""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property, partial

from torchlock.answers import Unknown
from torchlock.errors import InputError, NetworkError, Unasked, UnknownPackage
from torchlock.index.course import DEADLINE, Course
from torchlock.index.lazy_indexes import LazyIndexes
from torchlock.knowledge.releases import Catalogue, Provenance
from torchlock.knowledge.stack import FAMILY
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from packaging.version import Version

    from torchlock.answers import Unknown
    from torchlock.index import Index
    from torchlock.index.build_source import BuildSource
    from torchlock.knowledge.releases import Release
    from torchlock.standards.index_file import File

PUBLIC = "the public index (bundled catalogue)"


def today() -> str:
    """The day in UTC, as YYYY-MM-DD."""
    from datetime import datetime, timezone

    return datetime.now(timezone.utc).date().isoformat()


class Sources:
    """Returns the releases of a project.

    Extra indexes are asked first, so that nobody can take over a private name in public; then the catalogue; then
    the index. An index of the user (``index_url``) replaces the catalogue, because it may serve another project
    under the same name. ``refresh`` asks the index for packages of the catalogue too. ``pinned`` are versions that
    the user names by project: if a source lacks one, the next source is asked, too. ``routes`` map names, or
    patterns of names, to the one index that is asked for them. With ``build`` the build backends of source
    distributions run, if the requirements are known only after a build. With ``accelerator``, a build like cu128,
    the torch family comes from that folder of the PyTorch index (``builds_url``: of a mirror of it), and nothing
    else does. ``day`` returns today's date (YYYY-MM-DD).
    ``keyring_provider`` (subprocess, disabled) replaces what pip's and uv's settings say.
    ``report`` is called with the current step. ``deadline`` is how many seconds the indexes have in all.
    """

    def __init__(
        self,
        *,
        index_url: str | None = None,
        extra_index_urls: Sequence[str] = (),
        find_links: Sequence[str] = (),
        no_index: bool = False,
        routes: Mapping[str, str] | None = None,
        offline: bool = False,
        refresh: bool = False,
        pinned: Mapping[str, str] | None = None,
        cache_dir: str | None = None,
        day: Callable[[], str] | None = None,
        build: bool = False,
        accelerator: str = "pypi",
        builds_url: str | None = None,
        report: Callable[[str], None] = lambda text: None,
        deadline: float = DEADLINE,
        keyring_provider: str | None = None,
    ) -> None:
        self._catalogue = Catalogue(sdist=self._sdist)
        self._bundled = not (index_url or no_index or refresh)
        self._index_url = index_url
        self._extra_index_urls = list(extra_index_urls)
        self._find_links = find_links
        self._routes = routes or {}
        self._routed: dict[str, str] = {}
        self._offline = offline
        self._refresh = refresh
        self._pinned = pinned or {}
        self._day = day or today
        self._notes: list[str] = []
        self._snapshots: set[str] = set()
        self._tried: set[str] = set()
        self._cached: dict[str, Sequence[Release]] = {}
        self._silent = False
        self._answers: dict[str, Sequence[Release]] = {}
        self._used: dict[str, None] = {}
        self._file_host: str | None = None
        self._served_elsewhere = False
        self._course = Course(deadline)
        self._indexes = LazyIndexes(
            index_url=index_url,
            extra_index_urls=self._extra_index_urls,
            find_links=find_links,
            no_index=no_index,
            offline=offline,
            refresh=refresh,
            cache_dir=cache_dir,
            build=build,
            report=report,
            course=self._course,
            keyring_provider=keyring_provider,
        )
        self._accelerator = accelerator
        self._builds_url = builds_url

    def releases(self, name: str) -> Sequence[Release]:
        """The releases of a project, oldest first.

        Raises:
            UnknownPackage: no source that may be asked has it.
            NetworkError: an index failed.
        """
        if self.builds is not None and self.builds.owns(name):
            return self.builds.releases(name)
        if name not in self._answers:
            route = self._route(name)
            self._answers[name] = (
                self._with_linked(name, self._found(name)) if route is None else self._from_route(name, route)
            )
        found = self._answers[name]
        return found if self.builds is None else self.builds.beside(name, found)

    @cached_property
    def builds(self) -> BuildSource | None:
        """The folder of the PyTorch index that the torch family comes from; None for the public builds."""
        if self._accelerator == "pypi":
            return None
        from torchlock.index.build_source import BuildSource
        from torchlock.knowledge.build_files import index_address

        return BuildSource(
            self._accelerator,
            self._builds_url or index_address(),
            opened=partial(self._indexes.only, hurried=not self._refresh),
            offline=self._offline,
            refresh=self._refresh,
            day=self._day,
        )

    def of_build(self, accelerator: str, builds_url: str, pinned: Mapping[str, str]) -> Sources:
        """The same sources with the torch family from another build; all that they know is known to both.

        ``pinned`` may differ from the pins of these sources in the labels of builds only.
        """

        from copy import copy

        twin = copy(self)
        twin.__dict__.pop("builds", None)
        twin._accelerator = accelerator
        twin._builds_url = builds_url
        twin._pinned = pinned
        return twin

    def _route(self, name: str) -> str | None:
        """The one index that a project is taken from, if the user names one for it."""
        if name in self._routes or not self._routes:
            return self._routes.get(name)
        from fnmatch import fnmatchcase

        return next((url for pattern, url in self._routes.items() if fnmatchcase(name, pattern)), None)

    def _from_route(self, name: str, url: str) -> Sequence[Release]:
        """The releases of a project on the only index that it is taken from."""
        from torchlock.index.addresses import redact

        if self._offline:
            raise NetworkError(
                f"{name} comes from the index {redact(url)}, and --offline forbids asking it",
                hint="run without --offline: the catalogue has only the builds of the public index",
            )
        self._routed[name] = url
        return self._ask(name, self._indexes.only(url))

    def _found(self, name: str) -> Sequence[Release]:
        """The answer of the first source that has the project, with the release that it is pinned to.

        A project that is not in the catalogue may be private: only the first source that has it is asked.
        """
        first = self._extra(name)
        if first and (self._has_pinned(name, first) or not self._catalogue.holds(name)):
            return first
        bundled = self._from_catalogue(name)
        if not first and not bundled:
            return self._ask(name, self._indexes.every)
        if bundled and name in FAMILY and self._is_aged(name):
            bundled = self._today(name) or bundled
        if bundled and self._has_pinned(name, bundled):
            return bundled
        later = () if "+" in self._pinned.get(name, "") else self._today(name)
        if self._has_pinned(name, later):
            return later
        if first:
            self._snapshots.discard(name)
        return first or later or bundled

    def _is_aged(self, name: str) -> bool:
        """Whether the snapshot is so old that the index is asked for newer releases."""
        return not self._offline and self._day() > self._catalogue.date_of(name)

    def renew(self, names: Iterable[str]) -> bool:
        """Ask the index for the projects that are known only from the catalogue; offline, its pages in the cache.

        Returns whether it has anything new. A failure of the index becomes a note, and changes nothing. Old pages
        that were used since ``begin`` are confirmed first, and what the index has instead of them is new.

        Raises:
            NetworkError: the index of such a page could not be asked.
        """
        changed = self._is_confirmed_otherwise()
        if self.builds is None and (self._silent or not self._snapshots):
            return changed
        names = list(names)
        changed |= self.builds is not None and self.builds.renew(names)
        if self._silent or not self._snapshots:
            return changed
        for name in sorted(self._snapshots.intersection(names)):
            before = self._answers.get(name, ())
            found = self._from_cache(name) if self._offline else self._today(name)
            self._snapshots.difference_update([name] if found else [])
            if found and _outline(found) != _outline(before):
                self._answers[name] = self._with_linked(name, found)
                changed = True
        return changed

    def may_renew(self) -> bool:
        """Whether ``renew`` may find something new of a project that is known from the catalogue."""
        return not self._offline or any(self._from_cache(name) for name in sorted(self._snapshots))

    def begin(self) -> None:
        """Use old pages of indexes until ``renew``, while they are asked for again."""
        self._course.provisional = True

    def _is_confirmed_otherwise(self) -> bool:
        """Whether an index has other files than an old page that was used. Pages are asked for first again."""
        self._course.provisional = False
        changed = self._indexes.confirm()
        for name in changed:
            self._answers.pop(name, None)
        return bool(changed)

    def expect(self, names: Iterable[str]) -> None:
        """Begin to ask for these projects, which will be asked for soon: of each the first page that will be."""
        if self._offline:
            return
        with suppress(InputError):  # of the settings that name an index; whoever asks it meets the error
            self._expect(names)

    def _expect(self, names: Iterable[str]) -> None:
        for name in names:
            if name in self._answers or self._route(name) is not None:
                continue
            if self._extra_index_urls:
                self._indexes.extra.expect(name)
            elif self.builds is not None and self.builds.owns(name):
                continue
            elif not self._bundled or not self._catalogue.holds(name):
                self._indexes.every.expect(name)
            elif name in FAMILY and self._is_aged(name) and not self._silent and name not in self._tried:
                self._indexes.main.expect(name)

    def provenance(self, name: str) -> Provenance:
        """Which sources the releases of a project come from."""
        if self.builds is not None and self.builds.owns(name):
            return self.builds.provenance(name)
        if name in self._snapshots:
            return Provenance(as_of=self._catalogue.date_of(name))
        from torchlock.index.live_releases import LiveRelease

        asked = dict.fromkeys(each.index for each in self._answers.get(name, ()) if isinstance(each, LiveRelease))
        if not asked:
            return Provenance()
        from torchlock.knowledge.indexes import is_public

        where = "" if all(map(is_public, asked)) else " and ".join(asked)
        unasked = next((error for index in self._indexes.opened if (error := index.unasked(name))), None)
        return Provenance(where, unasked=unasked.message if unasked else "")

    def _today(self, name: str) -> Sequence[Release]:
        """Today's releases of a project on the index of the catalogue; empty if it cannot be asked.

        It is asked once, with short timeouts, and not again after a failure: the catalogue is enough to go on.
        """
        if self._offline or self._silent or name in self._tried:
            return ()
        self._tried.add(name)
        try:
            found = self._ask(name, self._indexes.main)
        except UnknownPackage as error:
            self._silent = not self._indexes.main_settings.index_urls
            self._note_age(name, f"{error.message}; its releases are")
            return ()
        except (NetworkError, InputError) as error:  # of the index, or of the settings that name it
            self._silent = True
            self._note_age(name, f"the index could not be asked ({error}); releases are")
            return ()
        self._snapshots.discard(name)
        return found

    def _from_cache(self, name: str) -> Sequence[Release]:
        """The releases of the page in the cache, if it has a later one than the catalogue; else none."""
        if name not in self._cached:
            self._cached[name] = self._later_page(name)
        return self._cached[name]

    def _later_page(self, name: str) -> Sequence[Release]:
        bundled = self._answers.get(name, ())
        try:
            found = self._ask(name, self._indexes.main)
        except (NetworkError, UnknownPackage, InputError):  # the page is not in the cache, or there is no index
            return ()
        is_later = bundled and max(map(_version, found)) > max(map(_version, bundled))
        return found if is_later else ()

    def _note_age(self, name: str, text: str) -> None:
        self._notes.append(f"{text} as of {self._catalogue.date_of(name)}")

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

    def is_local(self, name: str) -> bool:
        """Whether the releases of a project are available without asking an index."""
        if self.builds is not None and self.builds.owns(name):
            return self.builds.is_local(name)
        return name in self._answers or (
            self._route(name) is None
            and self._bundled
            and not self._extra_index_urls
            and self._catalogue.holds(name)
        )

    def _sdist(self, name: str, version: str) -> Release | Unknown:
        """A release of the catalogue as the index serves it today: the catalogue has no sdists."""
        unknown = f"the catalogue has no requirements of the source distribution of {name} {version}"
        try:
            found = self._ask(name, self._indexes.every)
        except UnknownPackage as error:
            return Unknown(f"{unknown}, and {error.message}")
        release = next((release for release in found if release.version == version), None)
        return release or Unknown(f"{unknown}, and the index no longer has it")

    def metadata(self, file: File) -> str:
        """The METADATA text of a file that the user names by URL.

        Raises:
            TorchlockError: it cannot be read, or only with a build.
        """
        return self._indexes.every.metadata(file)

    def sha256(self, file: File) -> str | Unknown:
        """The hash of a file, by fetching it where an index has it; unknown where that cannot be done.

        A file of a build is never fetched: it may have gigabytes.

        Raises:
            NetworkError: the file is not the one that the index describes.
        """
        if self.builds is not None and self.builds.holds(file):
            return self.builds.sha256(file)
        return self._indexes.every.sha256(file)

    def address(self, name: str, file: File) -> str:
        """The absolute URL of a project's file; in the catalogue it is relative to the index's file host.

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
        for served in self._indexes.every.files(name):
            if served.filename == file.filename:
                self._served_elsewhere = not served.url.endswith(file.url)
                return served.url
        raise NetworkError(
            f"the URL of {file.filename} is unknown offline",
            hint="run without --offline: pylock.toml contains the URLs of files, and only the index knows them",
        )

    @property
    def notes(self) -> list[str]:
        """Remarks from reading settings and asking indexes."""
        asked = [index.notes for index in self._indexes.opened]
        asked += [self.builds.notes] if self.builds is not None else []
        return list(dict.fromkeys([*self._notes, *(note for notes in asked for note in notes)]))

    @property
    def indexes(self) -> list[str]:
        """The indexes that were asked, without credentials, in the order of first use."""
        return [*self._used, *(self.builds.used if self.builds is not None else ())]

    @property
    def option_lines(self) -> list[str]:
        """The lines that a requirements file needs so that pip asks the same indexes."""
        if not (self._index_url or self._extra_index_urls or self._find_links or self._routed):
            return []
        from torchlock.index.addresses import redact

        lines = [f"--index-url {redact(self._index_url)}"] if self._index_url else []
        lines += [f"--extra-index-url {redact(url)}" for url in self._extra_index_urls]
        lines += [f"--find-links {redact(url)}" for url in self._find_links]
        for url in dict.fromkeys(self._routed.values()):
            names = ", ".join(sorted(name for name, route in self._routed.items() if route == url))
            lines += [f"# only from this index: {names}", f"--extra-index-url {redact(url)}"]
        return lines

    def _extra(self, name: str) -> Sequence[Release]:
        if not self._extra_index_urls:
            return ()
        try:
            return self._ask(name, self._indexes.extra)
        except Unasked:
            raise
        except UnknownPackage:
            return ()

    def _from_catalogue(self, name: str) -> Sequence[Release]:
        found = self._catalogue.releases(name) if self._bundled else None
        if found:
            self._used[self._catalogue.source_of(name) or PUBLIC] = None
            self._snapshots.add(name)
        return found or ()

    def _with_linked(self, name: str, found: Sequence[Release]) -> Sequence[Release]:
        """With the releases that only the find-links locations of the user's own lines have."""
        if not self._find_links:
            return found
        from packaging.version import Version

        known = {release.version for release in found}
        try:
            added = [release for release in self._ask(name, self._indexes.links) if release.version not in known]
        except UnknownPackage:
            return found
        return sorted([*found, *added], key=lambda release: Version(release.version))

    def _ask(self, name: str, index: Index) -> Sequence[Release]:
        from torchlock.index import releases
        from torchlock.index.live_releases import LiveRelease

        found = releases(index, name)
        if not found:
            raise UnknownPackage(name, f"{name}: the index has no file that an installer can use")
        self._used.update(dict.fromkeys(release.index for release in found))
        bundled = {release.version: release for release in self._catalogue.releases(name) or ()}
        as_of = self._catalogue.date_of(name)
        return [LiveRelease(each, bundled.get(each.version.partition("+")[0]), as_of) for each in found]


def _outline(releases: Sequence[Release]) -> dict[str, tuple[bool, list[str]]]:
    """What makes a difference between two answers: versions, whether they are withdrawn, and their wheels."""
    return {each.version: (each.yanked is None, sorted(each.tags)) for each in releases}


def _version(release: Release) -> Version:
    from packaging.version import Version

    return Version(release.version)
