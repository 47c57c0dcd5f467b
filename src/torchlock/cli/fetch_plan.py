"""Which files ``torchlock fetch`` brings, and where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torchlock.fetching.locating import Locator, Missing
from torchlock.records import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torchlock.cli.streams import Console
    from torchlock.fetching.locating import Found
    from torchlock.fetching.locks import LockFile
    from torchlock.index import Index, IndexSettings
    from torchlock.target import Target


class Order(NamedTuple):
    """What to bring: locks, the folder, the targets (empty: all files), and the indexes of the command line."""

    paths: Sequence[str]
    folder: str
    targets: Sequence[Target] = ()
    index_url: str | None = None
    extra_index_urls: Sequence[str] = ()
    offline: bool = False
    cache_dir: str | None = None
    as_json: bool = False
    dry_run: bool = False
    keyring_provider: str | None = None


class Plan(NamedTuple):
    """The files of the locks. ``packages`` are, for each lock, the files of its packages by their number.

    ``warnings`` say which targets a lock was not made for, although installers take it there.
    """

    locks: Sequence[LockFile]
    packages: Sequence[dict[int, list[Found]]]
    missing: Sequence[Missing]
    settings: IndexSettings
    warnings: Sequence[str] = ()

    @property
    def founds(self) -> list[Found]:
        """The files, each once."""
        every = (found for packages in self.packages for founds in packages.values() for found in founds)
        return list({(found.wanted.filename, found.wanted.hashes): found for found in every}.values())


def plan_of(locks: Sequence[LockFile], order: Order, console: Console) -> Plan:
    """Find the files of all locks.

    Raises:
        NetworkError: an index could not be asked.
    """
    from torchlock.index.settings import combine

    missing: list[Missing] = []
    warnings: list[str] = []
    packages, every = [], []
    for lock in locks:
        settings, sources = _sources(lock, order, console)
        excluded = [(target, why) for target in order.targets if (why := lock.why_not(target))]
        if lock.kind == "requirements":  # an installer does not check that
            warnings += [f"{lock.path}: {why}; what another target needs may be missing" for _, why in excluded]
            excluded = []
        missing += [Missing(lock.path, 0, "", why) for _, why in excluded]
        targets = [each for each in order.targets if all(each != target for target, _ in excluded)]
        locator = Locator(sources, targets)
        is_wanted = bool(targets) or not order.targets  # a locator without targets finds all files
        packages.append(
            {package.number: locator.files(lock, package) if is_wanted else [] for package in lock.packages}
        )
        missing += locator.missing
        # The credentials of each index are needed for its files.
        every.append(replace(settings, extra_index_urls=settings.index_urls, index_url=None))
    return Plan(locks, packages, missing, combine(every), warnings)


def _sources(lock: LockFile, order: Order, console: Console) -> tuple[IndexSettings, list[Callable[[], Index]]]:
    """The indexes and find-links locations of a lock, the first to ask first."""
    from functools import partial

    from torchlock.index import read_settings
    from torchlock.index.course import Course
    from torchlock.index.lazy_indexes import LazyIndexes

    by_kind: dict[str, list[str]] = {}
    for line in lock.indexes:
        by_kind.setdefault(line.kind, []).append(line.address)
    own = by_kind.get("index", [None])[-1]
    extra = [*order.extra_index_urls, *by_kind.get("extra", [])]
    links, no_index = by_kind.get("find-links", []), "no-index" in by_kind and order.index_url is None
    index_url = order.index_url or own
    settings = read_settings(
        index_url=index_url,
        extra_index_urls=extra,
        find_links=links,
        no_index=no_index,
        keyring_provider=order.keyring_provider,
    )
    indexes = LazyIndexes(
        index_url=index_url,
        extra_index_urls=extra,
        find_links=links,
        no_index=no_index,
        offline=order.offline,
        refresh=False,
        cache_dir=order.cache_dir,
        build=False,
        report=console.progress,
        course=Course(),
        keyring_provider=order.keyring_provider,
    )
    sources: list[Callable[[], Index]] = [partial(indexes.only, url) for url in settings.index_urls]
    if settings.find_links:
        sources.append(lambda: indexes.links)
    return settings, sources
