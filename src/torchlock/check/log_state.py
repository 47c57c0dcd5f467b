"""Whether the files that are installed here contradict a log: it is then of another environment or state."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.lacking_names import contradiction
from torchlock.check.rules.import_path_in_log import is_other_copy
from torchlock.check.tracebacks import missing_names

# dyld names the library in which it looked for a symbol; those of macOS itself are not read here.
_OF_MACOS = re.compile(r"Expected in: {0,8}(?:<[\w-]{1,40}> )?/(?:usr/lib|System)/")

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log


def contradicted(context: CheckContext, log: Log) -> str:
    """Why the first failure of a log cannot be one of this environment as it is now; "" if it can."""
    first = log.first
    if first is None or is_other_copy(context, log):
        return ""
    missing = next(iter(missing_names(log.text)), None)
    if missing is not None and missing.line <= first.line:
        return contradiction(context, missing)
    return "" if _OF_MACOS.search(log.text) else _loads(context, first.library, first.symbol)


def _loads(context: CheckContext, library: str, symbol: str) -> str:
    """Why the library that lacks a symbol in the log loads here; "" if it does not, or if this is unknown."""
    if not library or not symbol:
        return ""
    mine = [each for each in context.attempts if os.path.basename(each.path) == library]
    if not mine or not all(each.outcome.answer is True for each in mine):
        return ""
    return (
        f"the log is of another environment or state: {library} of {mine[0].package}, which is installed here, "
        f"finds all its libraries and symbols"
    )
