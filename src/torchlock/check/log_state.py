"""Whether the files that are installed here contradict a log: it is then of another environment or state."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.lacking_names import contradiction
from torchlock.check.log_place import copy_of_user
from torchlock.check.log_symbols import looked_up, other_provider
from torchlock.check.rules.import_path_in_log import is_other_copy
from torchlock.check.rules.mixed_files_in_log import is_older
from torchlock.check.rules.other_builds_in_log import is_of_other_build
from torchlock.check.tracebacks import missing_names

# dyld names the library in which it looked for a symbol; those of macOS itself are not read here.
_OF_MACOS = re.compile(r"Expected in: {0,8}(?:<[\w-]{1,40}> )?/(?:usr/lib|System)/")

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log


def contradicted(context: CheckContext, log: Log) -> str:
    """Why the first failure of a log cannot be one of this environment as it is now; "" if it can."""
    sites = [each.path for each in context.environment.sites]
    is_of_other = is_other_copy(context, log) or is_of_other_build(context, log)
    is_of_other = is_of_other or copy_of_user(log, sites) is not None or is_older(context, log)
    return "" if is_of_other else contradiction_in(context, log)


def contradiction_in(context: CheckContext, log: Log) -> str:
    """What the copies that are installed here have, and the log shows to be missing; "" if nothing is known."""
    first = log.first
    if first is None:
        return ""
    missing = next(iter(missing_names(log.text)), None)
    if missing is not None and missing.line <= first.line:
        return contradiction(context, missing)
    return "" if _OF_MACOS.search(log.text) or other_provider(context, log) else _has_symbol(context, log)


def _has_symbol(context: CheckContext, log: Log) -> str:
    """Why the library that lacks a symbol in the log does not lack it here; "" if it does, or if it is unknown."""
    named, symbol = looked_up(context, log), log.first.symbol if log.first is not None else ""
    if named is None or (named.symbol and not named.provider):
        return ""
    if named.provider:
        library = os.path.basename(named.provider)
        said = f"{library} of {context.named('torch')}, which is installed here, has {symbol}"
    else:
        library = os.path.basename(named.attempt.path)
        said = (
            f"{library} of {context.named(named.attempt.package)}, which is installed here, does not use {symbol}"
        )
    return f"the log is of another environment or state: {said}"
