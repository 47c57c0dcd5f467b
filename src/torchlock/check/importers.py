"""The installed package that imports a name, where a log shows no more than the name."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.tracebacks import Frame
from torchlock.inspect.record import read_record
from torchlock.knowledge.stack import STACK
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.check.tracebacks import MissingName
    from torchlock.inspect.distributions import Distribution

# Sources that are read at most, and their size.
_MOST, _LARGEST = 4000, 256 << 10


def only_importer(context: CheckContext, missing: MissingName) -> Frame | None:
    """The line of the one package that requires the module's package and imports this name from it.

    None if no package does or several do, or if there are too many files to read.
    """
    module, _, name = missing.name.rpartition(".")
    if not missing.by_import or not module:
        return None
    statement = re.compile(
        rf"^from {re.escape(module)} import (?:\([^()]{{0,2000}}\)|[^\n(]{{0,500}})", re.MULTILINE
    )
    found: dict[str, Frame] = {}
    left = _MOST
    for distribution in _dependents(context, missing.package):
        for path in _sources(distribution):
            left -= 1
            if left < 0:
                return None
            if distribution.name not in found and (frame := _imports(path, statement, name)) is not None:
                found[distribution.name] = frame
    return next(iter(found.values())) if len(found) == 1 else None


def _dependents(context: CheckContext, package: str) -> Iterator[Distribution]:
    from torchlock.check.context import dependencies_of

    for each in context.installed.distributions:
        if each.name not in STACK and any(other.name == package for other in dependencies_of(each)):
            yield each


def _sources(distribution: Distribution) -> Iterator[str]:
    record = read_record(distribution)
    for row in () if isinstance(record, str) else record:
        if row.path.endswith(".py") and not row.path.startswith(("..", "/")):
            yield os.path.join(distribution.entry.path, *row.path.split("/"))


def _imports(path: str, statement: re.Pattern[str], name: str) -> Frame | None:
    try:
        text = files.read(path, _LARGEST).decode("utf-8", "replace")
    except (OSError, ValueError):
        return None
    word = re.compile(rf"(?<![\w.]){re.escape(name)}(?!\w)")
    for match in statement.finditer(text):
        if word.search(match[0].partition(" import ")[2]):
            code = " ".join(match[0].split())
            return Frame(path, text.count("\n", 0, match.start()) + 1, code[:300])
    return None
