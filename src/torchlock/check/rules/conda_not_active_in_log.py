"""TL610: a Python of conda for Windows that was started without its environment, so that it finds no DLL of it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.fix.commands import shell
from torchlock.check.windows_libraries import is_windows
from torchlock.finding import Remedy, Strength
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.knowledge.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

# What the Python of conda prints at its start, and what a module prints whose DLL is not found.
_WARNED = re.compile(r"is in a conda environment, but the environment has\s{1,4}not been activated")
_LOAD = re.compile(r"DLL load failed(?: while importing (?P<module>\w{1,100}))?:")


@rule("TL610", on="log")
def not_active(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """Its DLLs are in ``Library\\bin``, a folder that Windows searches once the environment is active."""
    first = log.first
    match = _LOAD.search(first.text) if first is not None else None
    if first is None or match is None or "TL610" not in first.rules[:1] or not is_windows(context):
        return
    package = next((name for name in ("numpy", "torch") if name in context.pins), "")
    here = _in_library(context, match["module"] or "")
    if not package or not (here or _WARNED.search(log.text)):
        return
    where = f": {', '.join(here[:2])} is in its Library{os.sep}bin" if here else ""
    prefix = context.environment.interpreter.prefix
    yield context.finding(
        "TL610",
        "error",
        f"this Python started without its environment of conda, so Windows does not find its DLLs{where}",
        package,
        because="conda activate puts Library\\bin on the PATH, where Windows looks for the DLLs of its packages",
        expected_error=first.text,
        remedy=Remedy(
            "Activate the environment before Python starts; an editor or a service must start it with conda run.",
            commands=shell(context, "conda activate", prefix) if context.environment.conda else (),
        ),
        sources=("conda-9453",),
        strength=Strength.RAN,
        lacks=tuple(here),
    )


def _in_library(context: CheckContext, module: str) -> list[str]:
    """What an extension module of numpy needs of the environment's ``Library\\bin``."""
    copy, prefix = context.copy("numpy"), context.environment.interpreter.prefix
    if copy is None or not module or not context.environment.conda:
        return []
    tree = context.environment.tree
    there = {name.lower() for name in tree.names(os.path.join(prefix, "Library", "bin"))}
    for folder in (copy.path, os.path.join(copy.path, "core"), os.path.join(copy.path, "_core")):
        for name in tree.names(folder):
            if name.partition(".")[0] == module and name.endswith(".pyd"):
                binary = read_binary(os.path.join(folder, name))
                needed = [each.name for each in binary.needed] if isinstance(binary, Binary) else []
                return [each for each in needed if each.lower() in there]
    return []
