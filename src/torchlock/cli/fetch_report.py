"""What ``torchlock fetch`` reports: what is missing, what is there, how to install it; and the same as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchlock import __version__
from torchlock.cli.exit_codes import FOUND, OK, UNUSABLE
from torchlock.fetching.bringing import megabytes
from torchlock.fetching.offline import offline_name
from torchlock.redaction import masked, one_line, redact
from torchlock.report.summary import counted, summary_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.cli.fetch_plan import Order, Plan
    from torchlock.cli.streams import Console
    from torchlock.fetching.bringing import Result
    from torchlock.fetching.locating import Found

# More bytes than this are announced.
_MUCH = 10**9


def tell_of_amount(plan: Plan, order: Order, console: Console) -> None:
    """Say how much is fetched, and what a source distribution needs besides."""
    founds = plan.founds
    known = sum(found.wanted.size or 0 for found in founds)
    if known > _MUCH:
        console.say("note", f"{counted(len(founds), 'file')}, {megabytes(known)}")
        if not order.targets:
            console.say("hint", "--python and --platform fetch only the files that these targets take")
    built = [
        found.wanted.filename
        for packages in plan.packages
        for files in packages.values()
        for found in files
        if all(not each.wanted.filename.endswith(".whl") for each in files)
    ]
    if built:
        some = ", ".join(built[:3]) + (f" and {len(built) - 3} more" if len(built) > 3 else "")
        console.say("warning", f"{some} is built from source, and the lock does not name what its build needs")
        console.say("hint", "install its build requirements first, then use --no-build-isolation")


def tell_of_missing(plan: Plan, results: Sequence[Result], console: Console) -> int:
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


def conclude(results: Sequence[Result], folder: Path, names: Sequence[str], console: Console) -> None:
    """Say what is there, and how to install it."""
    there = [result for result in results if result.is_there]
    size = sum((folder / result.found.wanted.filename).stat().st_size for result in there)
    new = sum(result.is_new for result in there)
    for result in there:
        if result.status == "replaced":
            console.say("note", f"{result.found.wanted.filename} had another content, and was replaced")
    count = counted(len(results), "file")
    count = f"{len(there)} of {count}" if len(there) < len(results) else count
    console.say("note", summary_line(str(folder), f"{count} ({megabytes(size)})", f"{new} of them new"))
    for name in names:
        command = "uv pip install" if name.endswith(".toml") else "pip install"
        console.say("hint", f"install without a network: {command} -r {folder / name}")


def listed(plan: Plan) -> Iterator[str]:
    """A line for each file: size, name, address."""
    for found in plan.founds:
        size = megabytes(found.wanted.size) if found.wanted.size is not None else "?"
        yield f"{size:>10}  {one_line(found.wanted.filename)}  {redact(found.wanted.url)}\n"


def as_json(order: Order, plan: Plan, results: Sequence[Result]) -> str:
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
