"""TL230: a library of an installed NVIDIA package that the loader of a log did not find.

It is certain by the log itself: the file is here, and the process did not find it. Any package may link one of
CUDA.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.nvidia import copies_of
from torchlock.check.relevance import owners_by_depth
from torchlock.finding import Strength
from torchlock.knowledge.registry import rule
from torchlock.knowledge.stack import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_NOT_FOUND = re.compile(r"(?P<library>lib[\w+-]{1,40}\.so(?:\.\d{1,4}){0,3}): cannot open shared object file")


@rule("TL230", on="log")
def unsearched(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The first failure of a log, if a package has the library, and none of the stack asked for it."""
    first = log.first
    match = _NOT_FOUND.search(first.text) if first is not None else None
    if first is None or match is None or any(_names(each, match["library"]) for each in found):
        return
    library, user = match["library"], _user(context, log)
    there = copies_of(context, library)
    if not there or not user or user in STACK:
        return
    yield context.finding(
        "TL230",
        "warning",
        f"{context.named(user)} needs {library}, which is in {os.path.dirname(there[0])}, "
        "where the loader does not search",
        user,
        path=there[0],
        because="torch opens the libraries of these packages by their paths, and other packages do not",
        expected_error=first.text,
        strength=Strength.RAN,
        lacks=(library,),
    )


def _names(finding: Finding, library: str) -> bool:
    """Whether a finding is about this library already."""
    parts = (finding, *finding.consequences)
    return finding.severity != "note" and any(library in part.lacks for part in parts)


def _user(context: CheckContext, log: Log) -> str:
    """The installed package that failed, by the traceback; else the one that the line names."""
    owners = owners_by_depth(context, log.frames)
    text = log.first.text.lower() if log.first is not None else ""
    named = (each.name for each in context.installed.distributions if each.name not in STACK)
    mine = (name for name in named if re.search(rf"(?<![\w/-]){re.escape(name)}(?![\w.-])", text))
    return owners[0] if owners else next(mine, "")
