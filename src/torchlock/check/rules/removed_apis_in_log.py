"""TL701 and TL702 from a log: the caller is outside site-packages, where check does not search."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.log_signatures import ECHO
from torchlock.finding import Strength
from torchlock.inspect.torchaudio_names import TorchaudioNames

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

# What Python prints if torchaudio lacks a name; each with the module and the name.
_LACKS = (
    re.compile(r"module '(?P<module>torchaudio[\w.]{0,100})' has no attribute '(?P<name>\w{1,100})'"),
    re.compile(r"cannot import name '(?P<name>\w{1,100})' from '(?P<module>torchaudio[\w.]{0,100})'"),
    re.compile(r"No module named '(?P<module>torchaudio)\.(?P<name>[\w.]{1,100})'"),
)


def of_callers(context: CheckContext, log: Log) -> Finding | None:
    """What a log says that torchaudio lacks, if this torchaudio lacks it; None where its source defines it."""
    copy, first = context.copy("torchaudio"), log.first
    if copy is None or copy.kind != "package" or first is None or first.weight == ECHO:
        return None
    match = next(filter(None, (pattern.search(first.text) for pattern in _LACKS)), None)
    if match is None:
        return None
    names = TorchaudioNames(copy.path)
    lost = "" if names.is_open else names.missing_part(f"{match['module']}.{match['name']}")
    if not lost:
        return None
    caller = log.callers[-1] if log.callers else "the code that printed the log"
    is_import = "import" in first.text or "No module" in first.text
    return context.finding(
        "TL701" if is_import else "TL702",
        "warning",
        f"{caller} uses {lost}, which {context.named('torchaudio')} does not have",
        "torchaudio",
        path=copy.path,
        because="the log shows that it was called, and the source of torchaudio does not define it",
        says=first.text,
        sources=("torchaudio-init",),
        strength=Strength.RAN,
        lacks=(lost,),
    )
