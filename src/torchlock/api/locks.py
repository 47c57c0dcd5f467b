"""``torchlock.api.lock``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from torchlock import __version__
from torchlock.api.request import Ear, call, options_of, refuse_standard_input, several
from torchlock.api.results import LockResult, OutputFile, result_of, target_of
from torchlock.errors import InputError
from torchlock.jobs.left_out import of_conflict
from torchlock.jobs.lock import ask, locked
from torchlock.jobs.lock_changes import LockChanges
from torchlock.jobs.target import plain_target
from torchlock.report.lock_json import TargetResult, render_many

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torchlock.api.values import Message
    from torchlock.jobs.lock_asked import Asked, Locked

    Several = str | Path | Sequence[str | Path]


def lock(
    *requirements: str,
    requirement: Several = (),
    constraint: Several = (),
    override: Several = (),
    extra: str | Sequence[str] = (),
    all_extras: bool = False,
    group: str | Sequence[str] = (),
    all_groups: bool = False,
    python: str | Sequence[str] = (),
    platform: str | Sequence[str] = (),
    accelerator: str | Sequence[str] = (),
    gpu: str | None = None,
    system: str | None = None,
    system_lib: str | Sequence[str] = (),
    universal: bool = False,
    target: str | Sequence[str] = (),
    fork: str | None = None,
    partial: bool = False,
    base_image: str | None = None,
    constraint_from: str | Path | None = None,
    upgrade: bool = False,
    upgrade_package: str | Sequence[str] = (),
    upgrade_group: str | Sequence[str] = (),
    pre: bool = False,
    unproven: bool = False,
    prefer: str | None = None,
    exclude_newer: str | None = None,
    build: bool = False,
    index_url: str | None = None,
    extra_index_url: str | Sequence[str] = (),
    builds_url: str | None = None,
    builds_by: str | None = None,
    offline: bool = False,
    refresh: bool = False,
    cache_dir: str | Path | None = None,
    keyring_provider: str | None = None,
    deadline: float | None = None,
    output: str | Path | None = None,
    format: str | None = None,
    emit: str | None = None,
    no_hashes: bool = False,
    no_annotate: bool = False,
    settings: str | Path | None = None,
    on_message: Callable[[Message], None] | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> LockResult:
    """Resolve requirements into a lock, as ``torchlock lock`` does, and return its text. No file is written.

    ``requirements`` are lines like ``torch>=2.4``, ``requirement`` files. ``output`` is the lock whose pins are
    kept, if it is there, and its name decides the format. No solution is a result too: ``ok`` is False, and each
    target says why.

    Raises:
        InputError: nothing to lock is given, or a file, a requirement or an option cannot be used.
        NetworkError: an index does not answer.
        UnknownPackage: no index has a project of this name.
        Undecided: the search for a single target reached its limit.
        DataError: the bundled data are damaged.
    """
    options = options_of(locals())
    files = several(requirement)
    refuse_standard_input(*files, *several(constraint), *several(override), output)
    if not requirements and not files and settings is None:
        raise InputError("nothing to lock: no requirement and no file is given")
    with call("lock", requirements, options, settings) as arguments:
        ear = Ear(on_message, on_progress)
        asked = ask(arguments, ear)
        return _result(asked, locked(asked, ear), ear)


def _result(asked: Asked, found: Locked, ear: Ear) -> LockResult:
    document = _document(asked, found, ear)
    table = json.loads(document)
    return result_of(
        LockResult,
        document,
        ear.said,
        files=tuple(OutputFile(file.arguments.output or "", file.rendered.text) for file in found.files),
        targets=tuple(map(target_of, table.get("targets", [table]))),
    )


def _document(asked: Asked, found: Locked, ear: Ear) -> str:
    """The JSON of the command; that of many targets if there is no lock."""
    described = ""
    for arguments, rendered, existing in found.files:
        changes = LockChanges(existing, rendered.text, rendered.moves, arguments)
        described = rendered.describe(changes.rows())
    if found.describe is not None:
        return found.describe()
    return described or _unsolved(asked, found, ear)


def _unsolved(asked: Asked, found: Locked, ear: Ear) -> str:
    """The JSON of a single target that has no solution."""
    if found.conflict is not None:
        target = found.conflict.universe.target
        because = of_conflict(found.conflict, target).lines
    else:
        target = plain_target(asked.cells[0].arguments)
        because = tuple(text for kind, text in ear.said if kind in ("error", "line", "hint"))
    known = asked.common.matrix
    result = TargetResult(target, None, asked.cells[0].name, "", because)
    return render_many(
        [result], indexes=(), notes=(), data_date=known.date, version=__version__, update=known.update
    )
