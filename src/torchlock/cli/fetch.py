"""``torchlock fetch``: bring every file of a lock into a folder that pip and uv install from without a network."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from torchlock.cli.exit_codes import OK
from torchlock.cli.fetch_plan import Order, plan_of
from torchlock.cli.fetch_report import as_json, conclude, listed, tell_of_amount, tell_of_missing
from torchlock.errors import InputError
from torchlock.fetching.bringing import Progress, Result, bring, megabytes
from torchlock.fetching.locks import LockFile, read_lock_file
from torchlock.fetching.offline import offline_lock, offline_name
from torchlock.report.summary import counted, summary_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from torchlock.cli.fetch_plan import Plan
    from torchlock.cli.streams import Console
    from torchlock.target import Target


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
        arguments.keyring_provider,
    )
    return fetch(order, console)


def check_wheelhouse(arguments: argparse.Namespace) -> None:
    """Refuse options of lock that contradict --wheelhouse.

    Raises:
        InputError: they do.
    """
    if not arguments.output:
        raise InputError("--wheelhouse fetches the files of a lock in a file", hint="name the lock with -o FILE")
    for name in ("check", "diff", "dry_run", "no_hashes", "emit"):
        if getattr(arguments, name):
            raise InputError(
                f"--wheelhouse and --{name.replace('_', '-')} exclude each other", hint="use only one of them"
            )
    folder = Path(arguments.wheelhouse)
    _refuse_folder(folder, "name another folder with --wheelhouse")
    kind = "pylock" if arguments.output.endswith(".toml") else "requirements"
    _refuse_foreign([LockFile(arguments.output, kind, "", ())], folder, "name another folder with --wheelhouse")


def _refuse_folder(folder: Path, hint: str) -> None:
    """Refuse a folder that cannot be made or written.

    Raises:
        InputError: it, or one that it is in, is a file; or this user may not write there.
    """
    there = next(each for each in (folder, *folder.absolute().parents) if os.path.lexists(each))
    if not there.is_dir():
        raise InputError("is not a folder", path=str(there), hint=hint)
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError("cannot be written (Permission denied)", path=str(there), hint=hint)


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
        keyring_provider=arguments.keyring_provider,
    )
    return fetch(order, console)


def fetch(order: Order, console: Console) -> int:
    """Bring the files of some locks; the exit code of the command.

    Raises:
        TorchlockError: as ``run``.
    """
    locks = [read_lock_file(path) for path in order.paths]
    _refuse_names(locks, order)
    plan = plan_of(locks, order, console)
    console.clear()
    for note in dict.fromkeys(note for lock in locks for note in lock.notes):
        console.say("note", note)
    for warning in plan.warnings:
        console.say("warning", warning)
    if order.dry_run:
        sys.stdout.write(as_json(order, plan, []) if order.as_json else "".join(listed(plan)))
        known = sum(found.wanted.size or 0 for found in plan.founds)
        size = f"{counted(len(plan.founds), 'file')}, at least {megabytes(known)}"
        console.say("note", summary_line(str(order.folder), size, "nothing was fetched"))
        return tell_of_missing(plan, [], console)
    tell_of_amount(plan, order, console)
    folder = Path(order.folder)
    _refuse_foreign(locks, folder, "name another folder with -o")
    results = _brought(plan, folder, order, console)
    code = tell_of_missing(plan, results, console)
    names = _finish(plan, results, folder, whole=code == OK)
    if order.as_json:
        sys.stdout.write(as_json(order, plan, results))
    conclude(results, folder, names, console)
    return code


_LOCKS = ("pylock.toml", "requirements.txt", "uv.lock", "poetry.lock", "pdm.lock")


def _default() -> list[str]:
    found = [name for name in _LOCKS if Path(name).is_file()][:1]
    if not found:
        raise InputError(
            f"nothing to fetch: no lock was given, and none of {', '.join(_LOCKS)} is here",
            hint="name a lock: torchlock fetch requirements.txt",
        )
    return found


def _targets(arguments: argparse.Namespace) -> list[Target]:
    """The targets of --python and --platform: each Python on each platform; none if neither is given."""
    if not arguments.python and not arguments.platform:
        return []
    from torchlock.jobs.cells import pythons_in
    from torchlock.jobs.target import platform_of, python_of
    from torchlock.target import Target

    platforms = [platform_of(name, "none", ())[0] for name in arguments.platform or ["host"]]
    pythons: list[str | None] = [each for text in arguments.python for each in pythons_in(text)]
    return [
        Target(python_of(python, platform), platform) for platform in platforms for python in pythons or [None]
    ]


def _refuse_names(locks: Sequence[LockFile], order: Order) -> None:
    """Refuse two locks of one name: each gets a copy in the folder."""
    seen: dict[str, str] = {}
    for lock in locks:
        other = seen.setdefault(offline_name(lock), lock.path)
        if other != lock.path:
            raise InputError(
                f"{other} and {lock.path} have the same name, and the folder gets a copy of each",
                hint="fetch each of them into a separate folder",
            )
    _refuse_folder(Path(order.folder), "name another folder with -o")


def _refuse_foreign(locks: Sequence[LockFile], folder: Path, hint: str) -> None:
    """Refuse to replace files of other programs.

    Raises:
        InputError: the folder has one, under the name of a lock or a page.
    """
    from torchlock.fetching.mirror import foreign_page
    from torchlock.report.own_outputs import is_own_lock

    foreign: Path | None = None
    try:
        for path in (folder / offline_name(lock) for lock in locks):
            if path.exists() and not is_own_lock(path.read_bytes().decode("utf-8", "replace")):
                foreign = path
        foreign = foreign or foreign_page(folder)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error})", path=str(folder)) from error
    if foreign is not None:
        raise InputError("cannot be replaced, because torchlock did not write it", path=str(foreign), hint=hint)


def _brought(plan: Plan, folder: Path, order: Order, console: Console) -> list[Result]:
    """Bring the files; on an interruption, say how to continue."""
    from torchlock.report.ledger import current

    founds = plan.founds
    there: list[Result] = []

    def done(result: Result) -> None:
        there.append(result)
        if result.is_new:
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
            brought = {number: [found.wanted for found in founds] for number, founds in packages.items()}
            left_out = {number for number, founds in packages.items() if not founds}
            names.append(offline_name(lock))
            write_whole(folder / names[-1], offline_lock(lock, brought, left_out))
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror or error})", path=str(folder)) from error
    return names
