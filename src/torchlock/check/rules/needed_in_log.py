"""TL610: a library that a log shows to be missing, and that a module of an installed package needs.

Packages such as bitsandbytes open their libraries by path, so that no import of the stack leads to them.
"""

from __future__ import annotations

import os
import re
from itertools import islice
from typing import TYPE_CHECKING

from torchlock.check.relevance import owners_by_depth
from torchlock.finding import Strength
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.library import is_library
from torchlock.inspect.record import read_record
from torchlock.knowledge.registry import rule
from torchlock.knowledge.stack import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_MISSING = re.compile(r"(?P<library>[\w.+-]{3,80}\.so[\w.]{0,20}): cannot open shared object file")
# More libraries than a package has that opens them by path.
_MOST = 60


@rule("TL610", on="unexplained")
def needed(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The library of the package in whose code the log failed, if it needs the missing one."""
    first = log.first
    match = _MISSING.search(first.text) if first is not None else None
    if first is None or match is None or "torch" not in context.pins:
        return
    library = match["library"]
    users = [name for name in owners_by_depth(context, log.frames)[:1] if name not in STACK]
    for name in users:
        path = next((each for each in _libraries(context, name) if library in _needs(each)), "")
        if path:
            there = _others(context, library)
            yield context.finding(
                "TL610",
                "warning",
                f"{os.path.basename(path)} of {context.named(name)} needs {library}, which the process in the log "
                "did not find",
                name,
                "torch",
                path=path,
                because=f"{there} is here, for another release" if there else None,
                expected_error=first.text,
                sources=("ld-so-manual",),
                lacks=(library,),
                strength=Strength.RAN,
            )
            return


def _libraries(context: CheckContext, name: str) -> Iterator[str]:
    """The paths of the libraries that a package recorded."""
    distribution = context.installed.get(name)
    record = read_record(distribution) if distribution is not None else ""
    rows = () if isinstance(record, str) else record
    mine = (row.path for row in rows if is_library(row.path.rpartition("/")[2]))
    for path in islice(mine, _MOST):
        if not isinstance(record, str):
            yield os.path.normpath(os.path.join(record.base, *path.split("/")))


def _needs(path: str) -> list[str]:
    binary = read_binary(path)
    return [each.name for each in binary.needed] if isinstance(binary, Binary) else []


def _others(context: CheckContext, library: str) -> str:
    """The same library of another release in an installed package: ``libsycl.so.9 of intel-sycl-rt 2026.0.0``."""
    stem = f"{library.partition('.so')[0]}.so"
    for each in context.installed.distributions:
        record = read_record(each)
        for row in () if isinstance(record, str) else record:
            name = row.path.rpartition("/")[2]
            if name.startswith(stem) and name != library:
                return f"{name} of {each.name} {each.version}"
    return ""
