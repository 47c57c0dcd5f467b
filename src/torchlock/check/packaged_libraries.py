"""Where the packages of an environment have a library that the loader does not find."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.record import Record, read_record
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlock.check.context import CheckContext

# More libraries than those of one accelerator need of each other.
_MOST = 100


def recorded(context: CheckContext, library: str) -> tuple[str, str]:
    """The package that has installed a library, inside of the folder of packages or not, and its path; else ""."""
    for each in context.installed.distributions:
        record = read_record(each)
        if not isinstance(record, Record):
            continue
        for row in record:
            if row.path.replace("\\", "/").rpartition("/")[2].lower() == library.lower():
                return f"{each.name} {each.version}", os.path.normpath(os.path.join(record.base, row.path))
    return "", ""


def in_folders_of(context: CheckContext, library: str) -> str:
    """The path of a library in a folder of torch, of the application, or of the Python; "" if none has it."""
    frozen, copy, prefix = (
        context.environment.frozen,
        context.copy("torch"),
        context.environment.interpreter.prefix,
    )
    folders = [*(frozen.folders if frozen is not None else ())]
    folders += [os.path.join(copy.path, "lib")] if copy is not None else []
    folders += [os.path.join(prefix, "lib")] if prefix else []
    return next((path for each in folders if files.is_file(path := os.path.join(each, library))), "")


def places(context: CheckContext, libraries: Iterable[str]) -> dict[str, str]:
    """The paths of libraries in the packages, and of those that they need in turn; what is nowhere is left out."""
    found: dict[str, str] = {}
    queue, seen = list(libraries), set[str]()
    while queue and len(seen) < _MOST:
        name = queue.pop(0)
        if name in seen:
            continue
        seen.add(name)
        _, path = recorded(context, name)
        if path and files.is_file(path):
            found[name] = path
            binary = read_binary(path)
            queue += [each.name for each in binary.needed] if isinstance(binary, Binary) else []
    return found
