"""From paths to rows, in this process and on Dask, Ray or Spark. A path that fails gives a row, never an error."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from torchlock import __version__, api
from torchlock.fleet.digests import digest_of
from torchlock.knowledge.rules import Matrix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Row = dict[str, Any]

COMMANDS = ("audit", "check")


def audit_rows(paths: Iterable[str | os.PathLike[str]], options: Mapping[str, Any] | None = None) -> list[Row]:
    """A row for each file, in order. ``options`` are keywords of ``torchlock.api.audit``.

    Several files in one call take less time than one call for each.

    Raises:
        InputError: an option cannot be used.
    """
    return _rows("audit", [os.fspath(path) for path in paths], dict(options or {}), _audited)


def check_rows(paths: Iterable[str | os.PathLike[str]], options: Mapping[str, Any] | None = None) -> list[Row]:
    """A row for each folder of packages or unpacked image, in order; nothing in it is run.

    ``options`` are keywords of ``torchlock.api.check``.
    """
    return _rows("check", [os.fspath(path) for path in paths], dict(options or {}), _checked)


def failed_row(command: str, path: str, options: Mapping[str, Any], why: str) -> Row:
    """The row of a path that could not be judged."""
    return {**_head(command, path, options), "kind": "", "status": "unreadable", "error": why, "findings": []}


def options_text(options: Mapping[str, Any]) -> str:
    """Options as a text that is equal for equal options."""
    return json.dumps(options, sort_keys=True, default=str)


def versions() -> dict[str, str | None]:
    """What an answer depends on besides the content: the versions of torchlock and of its data."""
    matrix = Matrix()
    update = None if matrix.update is None else matrix.update.date
    return {"torchlock": __version__, "data": matrix.date, "data_update": update}


def _rows(
    command: str,
    paths: Sequence[str],
    options: dict[str, Any],
    judge: Callable[[Sequence[str], dict[str, Any]], list[Row]],
) -> list[Row]:
    """The rows of some paths; a bug in one of them is a row of its own."""
    heads = [_head(command, path, options) for path in paths]
    try:
        found = judge(paths, options)
    except api.InputError as error:
        if command == "audit":  # an option: it fails for every file
            raise
        found = [_failed(error) for _ in paths[:1]]
    except Exception as error:
        found = [_failed(error)]
    if len(found) != len(paths):
        return [row for path in paths for row in _rows(command, [path], options, judge)]
    return [{**head, **row} for head, row in zip(heads, found, strict=True)]


def _head(command: str, path: str, options: Mapping[str, Any]) -> Row:
    """The part of a row that does not need the content to be judged."""
    return {
        "path": path,
        "command": command,
        "options": options_text(options),
        "sha256": digest_of(path),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        **versions(),
    }


def _failed(error: Exception) -> Row:
    return {"kind": "", "status": "unreadable", "error": f"{type(error).__name__}: {error}", "findings": []}


def _audited(paths: Sequence[str], options: dict[str, Any]) -> list[Row]:
    rows = api.audit(*paths, **options).to_dict()["files"] if paths else []
    if len(rows) != len(paths) and len(paths) == 1:
        return [{"kind": "", "status": "unreadable", "error": "is a folder, and not a file", "findings": []}]
    return [_part(row) for row in rows]


def _checked(paths: Sequence[str], options: dict[str, Any]) -> list[Row]:
    return [_part(api.check(path=path, **options).to_dict()["files"][0]) for path in paths]


def _part(row: Row) -> Row:
    return {key: row.get(key) for key in ("kind", "status", "error", "findings")}
