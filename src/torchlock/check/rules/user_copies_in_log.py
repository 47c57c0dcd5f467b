"""TL606: the process of a log imported a package from the folder of the user, before that of the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.check.fix.commands import is_windows
from torchlock.check.log_place import copy_of_user
from torchlock.check.log_state import contradiction_in
from torchlock.check.tracebacks import missing_names
from torchlock.finding import Command, Remedy, Strength
from torchlock.knowledge.registry import group, rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_VARIABLE = "PYTHONNOUSERSITE=1"
_BEFORE = "a Python outside of a virtual environment searches this folder before its own"


@rule("TL606", on="log")
def copy_of_the_user(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The copy of the user, if the copy that is installed here has what the log shows to be missing."""
    used = copy_of_user(log, [each.path for each in context.environment.sites])
    if used is None or log.first is None or context.copy(used[0]) is None or not contradiction_in(context, log):
        return
    if any(each.rule == "TL606" and each.severity != "note" for each in found):
        return
    has_it = "the copy that is installed here has what the log shows to be missing"
    yield _taken(context, *used, f"{_BEFORE}; {has_it}", log.first.text)


@rule("TL606", on="unexplained")
def unfit_copy_of_the_user(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The copy of the user, if libraries do not fit in the log, and those that are installed here fit."""
    used, first = copy_of_user(log, [each.path for each in context.environment.sites]), log.first
    if used is None or first is None or context.copy(used[0]) is None:
        return
    is_misfit = any(each in group("loading", "versions", "builds") for each in first.rules)
    if not is_misfit or any(each.line == first.line for each in missing_names(log.text)):
        return
    fits = "the libraries that are installed here fit together"
    yield _taken(context, *used, f"{_BEFORE}; {fits}", first.text)


def _taken(context: CheckContext, name: str, folder: str, because: str, error: str) -> Finding:
    return context.finding(
        "TL606",
        "error",
        f"the process in the log imported {name} from {folder}, the folder of the user, instead of "
        f"{context.named(name)}, which is installed here",
        name,
        because=because,
        expected_error=error,
        remedy=_remedy(context, name),
        sources=("python-import-system",),
        strength=Strength.RAN,
    )


def _remedy(context: CheckContext, name: str) -> Remedy:
    """Make Python leave the folder of the user out."""
    line = f"set {_VARIABLE}" if is_windows(context) else f"export {_VARIABLE}"
    words = f"Make Python leave the folder of the user out; or uninstall {name} in it, with the Python in the log."
    return Remedy(words, commands=(Command("shell", line),))
