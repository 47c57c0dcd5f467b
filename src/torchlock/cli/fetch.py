"""``torchlock fetch``: bring every file of a lock into a folder that pip and uv install from without a network."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from torchlock import __version__
from torchlock.cli.exit_codes import FOUND, OK, UNUSABLE
from torchlock.errors import InputError
from torchlock.fetching.bringing import Progress, Result, bring, megabytes
from torchlock.fetching.locating import Locator, Missing
from torchlock.fetching.locks import read_lock_file
from torchlock.fetching.offline import offline_lock, offline_name
from torchlock.redaction import masked, one_line, redact

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

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


class Plan(NamedTuple):
    """The files of the locks. ``packages`` are, for each lock, the files of its packages by their number."""

    locks: Sequence[LockFile]
    packages: Sequence[dict[int, list[Found]]]
    missing: Sequence[Missing]
    settings: IndexSettings

    @property
    def founds(self) -> list[Found]:
        """The files, each once."""
        every = (found for packages in self.packages for founds in packages.values() for found in founds)
        return list({(found.wanted.filename, found.wanted.hashes): found for found in every}.values())


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command and return its exit code.

    Raises:
        TorchlockError: wrong use, a lock that cannot be read, an index or a disk that fails.
    """
    order = Order(
        arguments.locks or _default(),
        arguments.output,
        _targets(arguments),
        arguments.index_url,
        arguments.extra_index_urls,
        arguments.offline,
        arguments.cache_dir,
        arguments.json,
        arguments.dry_run,
    )
    return fetch(order, console)


def check_wheelhouse(arguments: argparse.Namespace) -> None:
    """Refuse options of lock that contradict --wheelhouse.

    Raises:
        InputError: they do.
    """
    if not arguments.output:
        raise InputError("--wheelhouse fetches the files of a lock in a file", hint="name the lock with -o FILE")
    for name in ("check", "dry_run", "no_hashes"):
        if getattr(arguments, name):
            raise InputError(f"--wheelhouse and --{name.replace('_', '-')} exclude each other")


def fill_wheelhouse(paths: Sequence[str], arguments: argparse.Namespace, console: Console) -> int:
    """Bring the files of new locks into --wheelhouse; the exit code.

    Raises:
        TorchlockError: as ``run``.
    """
    order = Order(
        paths,
        arguments.wheelhouse,
        index_url=arguments.index_url,
        extra_index_urls=arguments.extra_index_urls,
        offline=arguments.offline,
        cache_dir=arguments.cache_dir,
    )
    return fetch(order, console)


def fetch(order: Order, console: Console) -> int:
    """Bring the files of some locks; the exit code of the command.

    Raises:
        TorchlockError: as ``run``.
    """
    locks = [read_lock_file(path) for path in order.paths]
    _refuse_names(locks, order)
    plan = _plan(locks, order, console)
    console.clear()
    for note in dict.fromkeys(note for lock in locks for note in lock.notes):
        console.say("note", note)
    if order.dry_run:
        sys.stdout.write(_json(order, plan, []) if order.as_json else "".join(_listed(plan)))
        known = sum(found.wanted.size or 0 for found in plan.founds)
        console.say("note", f"{_counted(plan.founds)}, at least {megabytes(known)}; nothing was fetched")
        return _tell_of_missing(plan, [], console)
    folder = Path(order.folder)
    results = _brought(plan, folder, order, console)
    code = _tell_of_missing(plan, results, console)
    names = _finish(plan, results, folder, whole=code == OK)
    if order.as_json:
        sys.stdout.write(_json(order, plan, results))
    _conclude(results, folder, names, console)
    return code


def _default() -> list[str]:
    found = [name for name in ("pylock.toml", "requirements.txt") if Path(name).is_file()][:1]
    if not found:
        raise InputError(
            "nothing to fetch: no lock was given, and there is no pylock.toml or requirements.txt here",
            hint="name a lock: torchlock fetch requirements.txt",
        )
    return found


def _targets(arguments: argparse.Namespace) -> list[Target]:
    """The targets of --python and --platform: each Python on each platform; none if neither is given."""
    if not arguments.python and not arguments.platform:
        return []
    from torchlock.cli.target import platform_of, python_of
    from torchlock.target import Target

    platforms = [platform_of(name, "none", ())[0] for name in arguments.platform or ["host"]]
    return [
        Target(python_of(python, platform), platform)
        for platform in platforms
        for python in arguments.python or [None]
    ]


def _refuse_names(locks: Sequence[LockFile], order: Order) -> None:
    """Refuse two locks of one name: each gets a copy in the folder."""
    seen: dict[str, str] = {}
    for lock in locks:
        other = seen.setdefault(offline_name(lock), lock.path)
        if other != lock.path:
            raise InputError(
                f"{other} and {lock.path} have the same name, and the folder gets a copy of each",
                hint="fetch each of them into a folder of its own",
            )
    folder = Path(order.folder)
    if folder.exists() and not folder.is_dir():
        raise InputError("is not a folder", path=order.folder, hint="name a folder with -o")


def _plan(locks: Sequence[LockFile], order: Order, console: Console) -> Plan:
    """Find the files of all locks.

    Raises:
        NetworkError: an index could not be asked.
    """
    from torchlock.index.settings import combine

    missing: list[Missing] = []
    packages, every = [], []
    for lock in locks:
        settings, sources = _sources(lock, order, console)
        locator = Locator(sources, order.targets)
        packages.append({package.number: locator.files(lock, package) for package in lock.packages})
        missing += locator.missing
        # The credentials of each index are needed for its files.
        every.append(replace(settings, extra_index_urls=settings.index_urls, index_url=None))
    return Plan(locks, packages, missing, combine(every))


def _sources(lock: LockFile, order: Order, console: Console) -> tuple[IndexSettings, list[Callable[[], Index]]]:
    """The indexes and find-links locations of a lock, the first to ask first."""
    from functools import partial

    from torchlock.index import read_settings
    from torchlock.index.lazy_indexes import LazyIndexes

    by_kind: dict[str, list[str]] = {}
    for line in lock.indexes:
        by_kind.setdefault(line.kind, []).append(line.address)
    own = by_kind.get("index", [None])[-1]
    extra = [*order.extra_index_urls, *by_kind.get("extra", [])]
    links, no_index = by_kind.get("find-links", []), "no-index" in by_kind and order.index_url is None
    index_url = order.index_url or own
    settings = read_settings(index_url=index_url, extra_index_urls=extra, find_links=links, no_index=no_index)
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
    )
    sources: list[Callable[[], Index]] = [partial(indexes.only, url) for url in settings.index_urls]
    if settings.find_links:
        sources.append(lambda: indexes.links)
    return settings, sources


def _brought(plan: Plan, folder: Path, order: Order, console: Console) -> list[Result]:
    """Bring the files; on an interruption, say how to continue."""
    from torchlock.report.ledger import current

    founds = plan.founds
    there: list[Result] = []

    def done(result: Result) -> None:
        there.append(result)
        if result.status == "fetched":
            current().note(str(folder / result.found.wanted.filename))
            console.progress(f"fetched {result.found.wanted.filename}")

    def show(progress: Progress) -> None:
        console.bar(str(progress))

    folder.mkdir(parents=True, exist_ok=True)
    try:
        return bring(founds, folder, plan.settings, show=show, done=done, offline=order.offline)
    except KeyboardInterrupt:
        console.clear()
        ready = sum(result.is_there for result in there)
        console.say("note", f"{ready} of {len(founds)} files are complete; the same command fetches the rest")
        raise
    finally:
        console.clear()


def _tell_of_missing(plan: Plan, results: Sequence[Result], console: Console) -> int:
    """Report what is not there; the exit code."""
    for missing in plan.missing:
        console.say("error", str(missing))
    for result in results:
        if not result.is_there:
            console.say("error", f"{result.found.wanted.filename}: {result.reason}")
            if result.hint:
                console.say("hint", result.hint)
    if any(result.status == "failed" for result in results):
        return UNUSABLE
    return OK if not plan.missing and all(result.is_there for result in results) else FOUND


def _finish(plan: Plan, results: Sequence[Result], folder: Path, *, whole: bool) -> list[str]:
    """Write the pages of the folder and, if nothing is missing, the locks; the paths of the locks.

    Raises:
        InputError: they cannot be written.
    """
    from torchlock.fetching.mirror import write_pages, write_whole

    try:
        write_pages(folder, results)
        names = []
        for lock, packages in zip(plan.locks, plan.packages, strict=True) if whole else ():
            brought = {
                number: {each for found in founds for each in found.wanted.hashes}
                for number, founds in packages.items()
            }
            left_out = {number for number, founds in packages.items() if not founds}
            names.append(offline_name(lock))
            write_whole(folder / names[-1], offline_lock(lock, brought, left_out))
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror or error})", path=str(folder)) from error
    return names


def _conclude(results: Sequence[Result], folder: Path, names: Sequence[str], console: Console) -> None:
    """Say what is there, and how to install it."""
    there = [result for result in results if result.is_there]
    size = sum((folder / result.found.wanted.filename).stat().st_size for result in there)
    new = sum(result.status == "fetched" for result in there)
    count = f"{len(there)} of {len(results)}" if len(there) < len(results) else str(len(there))
    plural = "file is" if count == "1" else "files are"
    console.say("note", f"{count} {plural} in {folder} ({megabytes(size)}), {new} of them new")
    for name in names:
        command = "uv pip install" if name.endswith(".toml") else "pip install"
        console.say("hint", f"install without a network: {command} -r {folder / name}")


def _counted(founds: Sequence[Found]) -> str:
    return f"{len(founds)} file{'' if len(founds) == 1 else 's'}"


def _listed(plan: Plan) -> Iterator[str]:
    """A line for each file: size, name, address."""
    for found in plan.founds:
        size = megabytes(found.wanted.size) if found.wanted.size is not None else "?"
        yield f"{size:>10}  {one_line(found.wanted.filename)}  {redact(found.wanted.url)}\n"


def _json(order: Order, plan: Plan, results: Sequence[Result]) -> str:
    """The files as JSON."""
    from torchlock.report.safe_json import dump_json

    ended = {result.found.wanted.filename: result for result in results}
    whole = bool(results) and not plan.missing and all(result.is_there for result in results)
    table: dict[str, Any] = {
        "torchlock": __version__,
        "folder": order.folder,
        "locks": [
            {"path": lock.path, "offline": str(Path(order.folder) / offline_name(lock)) if whole else None}
            for lock in plan.locks
        ],
        "files": [_row(found, ended.get(found.wanted.filename)) for found in plan.founds],
        "missing": [
            {"path": each.path, "line": each.line or None, "package": each.package, "reason": each.reason}
            for each in plan.missing
        ],
    }
    return dump_json(table)


def _row(found: Found, result: Result | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "filename": found.wanted.filename,
        "name": found.package,
        "version": found.version,
        "url": redact(found.wanted.url),
        "size": found.wanted.size,
        "hashes": sorted(found.wanted.hashes),
        "status": None if result is None else result.status,
    }
    return {**row, "reason": masked(result.reason)} if result is not None and result.reason else row
