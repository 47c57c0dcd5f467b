"""DLLs of other packages with the name of one that torch loads: a process keeps the first that it loads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.record import Record, read_record
from torchlock.knowledge.stack import STACK

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log

# Each package has its own runtime of C and C++, and none of them lacks what torch asks of it, but for old ones.
_RUNTIME = ("api-ms-", "kernel32", "ucrt", "vcruntime", "msvcp", "python3")
_MOST = 200


class Rival(NamedTuple):
    """A package with DLLs that have the names of those that a DLL of torch needs; ``folder`` is its first one."""

    package: str
    folder: str
    names: tuple[str, ...]


def rivals(context: CheckContext, path: str, log: Log) -> list[Rival]:
    """The packages with a DLL of a name that a DLL of torch needs; those that a log names come first."""
    wanted = {name for name in _needed(path) if not name.startswith(_RUNTIME)}
    found = [each for each in _others(context, wanted) if each.names]
    text = log.text.lower()
    return sorted(found, key=lambda each: each.folder.lower() not in text)


def _others(context: CheckContext, wanted: Collection[str]) -> Iterator[Rival]:
    for distribution in context.installed.distributions:
        record = read_record(distribution)
        if distribution.name in STACK or distribution.name.startswith("nvidia-") or not isinstance(record, Record):
            continue
        paths = [row.path for row in record.rows(endings=(".dll",))]
        mine = [path for path in paths if path.rpartition("/")[2].lower() in wanted]
        names = dict.fromkeys(path.rpartition("/")[2] for path in mine)
        yield Rival(distribution.name, mine[0].partition("/")[0] if mine else "", tuple(names))


def _needed(path: str) -> set[str]:
    """The DLLs that one needs, and that those in its folder need in turn, in lower case."""
    folder = os.path.dirname(path)
    here = {name.lower(): name for name in os.listdir(folder)} if os.path.isdir(folder) else {}
    found: set[str] = set()
    queue = [os.path.basename(path).lower()]
    while queue and len(found) < _MOST:
        name = queue.pop()
        binary = read_binary(os.path.join(folder, here[name])) if name in here else None
        needed = [each.name.lower() for each in binary.needed] if isinstance(binary, Binary) else []
        queue += [each for each in needed if each not in found]
        found.update(needed)
    return found
