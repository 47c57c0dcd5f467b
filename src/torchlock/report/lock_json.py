"""A lock as JSON: the stable form for other programs (``--json``)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from torchlock.redaction import masked_values
from torchlock.report.targets import target_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.finding import DataUpdate
    from torchlock.lock import HostNote, Lock, Pin
    from torchlock.target import Target


def render(
    lock: Lock,
    *,
    indexes: Sequence[str],
    notes: Sequence[str],
    data_date: str,
    version: str,
    update: DataUpdate | None = None,
    changes: Sequence[dict[str, Any]] | None = None,
) -> str:
    """One object: torchlock, data, target, packages (by name), system, indexes, notes, changes.

    ``changes`` are those from the existing lock (``changes_json``), None if there is none. The object has
    ``data_update``, too, if the data were updated on this machine.
    """
    return (
        json.dumps(
            masked_values(
                {
                    "torchlock": version,
                    "data": data_date,
                    **({} if update is None else {"data_update": update.row()}),
                    "target": target_row(lock.target),
                    "packages": [_package(pin) for pin in lock.pins],
                    **_installed(lock),
                    "system": [_system(note) for note in lock.host],
                    "indexes": list(indexes),
                    "notes": list(notes),
                    "changes": None if changes is None else list(changes),
                }
            ),
            indent=2,
        )
        + "\n"
    )


class TargetResult(NamedTuple):
    """What a run gave for one of its targets. ``lock`` is None without a solution, and ``because`` says why.

    ``name`` is that of its table in the project, ``file`` the output file; "" for none. ``chosen`` are the extras
    and groups of the lock, if others exclude them, so that the target has several locks.
    """

    target: Target
    lock: Lock | None
    name: str = ""
    file: str = ""
    because: tuple[str, ...] = ()
    chosen: tuple[str, ...] | None = None


def render_many(
    results: Sequence[TargetResult],
    *,
    indexes: Sequence[str],
    notes: Sequence[str],
    data_date: str,
    version: str,
    update: DataUpdate | None = None,
    changes: Sequence[dict[str, Any]] | None = None,
) -> str:
    """As ``render``, with ``targets`` instead of target, packages and system: one object for each target."""
    table = {
        "torchlock": version,
        "data": data_date,
        **({} if update is None else {"data_update": update.row()}),
        "targets": [_result(result) for result in results],
        "indexes": list(indexes),
        "notes": list(notes),
        "changes": None if changes is None else list(changes),
    }
    return json.dumps(masked_values(table), indent=2) + "\n"


def _result(result: TargetResult) -> dict[str, Any]:
    lock = result.lock
    return {
        "name": result.name or None,
        "target": target_row(result.target),
        **({} if result.chosen is None else {"chosen": list(result.chosen)}),
        "file": result.file or None,
        "status": "left out" if lock is None else "locked",
        "because": list(result.because),
        "packages": [] if lock is None else [_package(pin) for pin in lock.pins],
        "system": [] if lock is None else [_system(note) for note in lock.host],
        "notes": [] if lock is None else list(lock.notes),
    }


def _installed(lock: Lock) -> dict[str, Any]:
    """What the lock is installed into, and which packages of it stay."""
    if lock.base is None:
        return {}
    stays = [{"name": package.name, "version": package.version or None} for package in lock.stays]
    return {"base": {"kind": lock.base.kind, "name": lock.base.name}, "installed": stays}


def _package(pin: Pin) -> dict[str, Any]:
    package: dict[str, Any] = {"name": pin.name, "version": pin.version}
    if pin.marker:
        package["marker"] = pin.marker
    if pin.unproven is not None:
        package["unproven"] = str(pin.unproven)
    if pin.page:
        package["index"] = pin.page
    if pin.remark:
        package["remark"] = pin.remark
    if pin.extras:
        package["extras"] = list(pin.extras)
    if pin.built:
        package["built_from_source"] = {"requirements_from": pin.built}
    return {
        **package,
        "required_by": list(dict.fromkeys([*pin.required_by, *(package for package, _ in pin.rules)])),
        "rules": list(dict.fromkeys(rule for _, rule in pin.rules)),
        "files": [
            {
                "filename": file.filename,
                "url": file.url,
                "hashes": dict(sorted(file.hashes.items())),
            }
            for file in sorted(pin.files)
        ],
    }


def _system(note: HostNote) -> dict[str, Any]:
    return {
        "kind": note.kind,
        "library": note.library,
        "versions": note.specifier,
        "for": {"name": note.package, "version": note.version},
        "because": note.statement.because,
        "rule": note.statement.rule,
        "sources": list(note.statement.sources),
    }
