"""One run over many paths: what is done already is kept, the rest is distributed, and every path gets a row."""

from __future__ import annotations

import os
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any

from torchlock import api
from torchlock.errors import InputError
from torchlock.fleet.digests import digest_of
from torchlock.fleet.engines import Apart, engine_of
from torchlock.fleet.rows import COMMANDS, audit_rows, check_rows, failed_row, options_text, versions
from torchlock.fleet.store import Store
from torchlock.fleet.summary import summary_of
from torchlock.manifests import search
from torchlock.runtime.files import is_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from torchlock.fleet.engines import Engine, Outcome, Work
    from torchlock.fleet.rows import Row
    from torchlock.fleet.summary import Summary

BATCH = 50


def run(
    paths: Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    command: str = "audit",
    options: Mapping[str, Any] | None = None,
    scheduler: str | None = None,
    workers: int = 0,
    batch: int = BATCH,
    on_progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Judge many paths, write a row for each to ``output`` (``.jsonl`` or ``.parquet``), and return the summary.

    With ``audit``, a folder stands for all files in it and below it that list requirements. With ``check``, each
    path is a folder of packages or an unpacked image. ``options`` are keywords of the public function. The work is
    done in this process, in ``workers`` local processes, or on the cluster of a Dask ``scheduler``, ``batch``
    paths at a time. ``on_progress`` is called with the numbers of finished and of all paths.

    Rows of an earlier run are kept if the content, the options and the versions are the same; also if that run was
    interrupted. The order of rows is that of their paths.

    Raises:
        InputError: an option, the output or the scheduler cannot be used.
    """
    if command not in COMMANDS:
        raise InputError(f"{command!r} is neither audit nor check")
    if batch < 1:
        raise InputError(f"a batch of {batch} paths is not possible")
    own = dict(options or {})
    _refuse_options(command, own)
    all_paths = sorted(set(_places(paths, command, docs=bool(own.get("docs")))))
    wanted, store = set(all_paths), Store(output)
    expected = {"command": command, "options": options_text(own), **versions()}

    def is_valid(row: Row) -> bool:
        same = all(row.get(key) == value for key, value in expected.items())
        path = row["path"]
        return same and path in wanted and row["sha256"] != "" and row["sha256"] == digest_of(path)

    kept = store.keep(is_valid)
    left = [path for path in all_paths if path not in kept]
    done = len(kept)
    work = partial(audit_rows if command == "audit" else check_rows, options=own)
    with engine_of(scheduler, workers if left else 0) as engine:
        for rows in _judged(engine, left, batch, work, partial(_failed, command, own)):
            store.add(rows)
            done += len(rows)
            if on_progress is not None:
                on_progress(done, len(all_paths))
    summary = summary_of(store.rows(all_paths), len(kept))
    store.finish(all_paths)
    return summary


def _judged(
    engine: Engine, paths: Sequence[str], size: int, work: Work, failed: Callable[[Outcome], Row]
) -> Iterator[list[Row]]:
    """The rows of all paths. A batch without an answer is taken apart; what has none then gets its own process.

    So only the path at fault has no answer, and not those that a killed worker had beside it.
    """
    batches: Sequence[Sequence[str]] = [paths[at : at + size] for at in range(0, len(paths), size)]
    for each in (engine, engine, Apart()):
        again: list[list[str]] = []
        for outcome in each.outcomes(batches, work):
            if outcome.rows is not None:
                yield outcome.rows
            elif isinstance(each, Apart):
                yield [failed(outcome)]
            else:
                again += [[path] for path in outcome.batch]
        batches = again


def _failed(command: str, options: Mapping[str, Any], outcome: Outcome) -> Row:
    return failed_row(command, outcome.batch[0], options, outcome.why)


def _places(paths: Iterable[str | os.PathLike[str]], command: str, *, docs: bool) -> Iterator[str]:
    for each in paths:
        path = os.fspath(each)
        if command == "audit" and is_folder(path):
            yield from search(path, True, docs=docs).files
        else:
            yield path


def _refuse_options(command: str, options: dict[str, Any]) -> None:
    """Refuse options that no path could be judged with.

    Raises:
        InputError: there is one.
    """
    known = signature(api.audit if command == "audit" else api.check).parameters.keys()
    own = {"on_message", "on_progress", "paths", "recursive", "path", "root", "log", "log_text"}
    own |= {"python", "probe", "probe_seconds"} if command == "check" else set()
    if unknown := sorted(options.keys() - (known - own)):
        raise InputError(f"{unknown[0]} is not an option of fleet {command}")
    if command == "audit":
        api.audit_text("", **options)
