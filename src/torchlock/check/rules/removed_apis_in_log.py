"""TL701 and TL702 from a log: the caller is outside of site-packages, where check does not search."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.log_signatures import ECHO
from torchlock.check.rules.versions import path_of
from torchlock.finding import Strength
from torchlock.inspect.torchaudio_names import TorchaudioNames
from torchlock.knowledge.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log, Signature
    from torchlock.finding import Finding

# The errors of Python if torchaudio lacks a name; each has the module and the name.
_LACKS = (
    re.compile(r"module '(?P<module>torchaudio[\w.]{0,100})' has no attribute '(?P<name>\w{1,100})'"),
    re.compile(r"cannot import name '(?P<name>\w{1,100})' from '(?P<module>torchaudio[\w.]{0,100})'"),
    re.compile(r"No module named '(?P<module>torchaudio)\.(?P<name>[\w.]{1,100})'"),
)


@rule("TL701", "TL702", on="log")
def of_callers(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The names that torchaudio lacks according to a log.

    Names that its source defines are left out, and names that a known package uses.
    """
    copy, first = context.copy("torchaudio"), log.first
    if copy is None or copy.kind != "package" or first is None or first.weight == ECHO:
        return
    if any(each.rule in ("TL701", "TL702") and each.severity != "note" for each in found):
        return
    match = next(filter(None, (pattern.search(first.text) for pattern in _LACKS)), None)
    names = TorchaudioNames(copy.path)
    lost = "" if match is None or names.is_open else names.missing_part(f"{match['module']}.{match['name']}")
    if lost:
        yield _finding(context, log, first, lost)


def _finding(context: CheckContext, log: Log, first: Signature, lost: str) -> Finding:
    caller = log.callers[-1] if log.callers else "the code that printed the log"
    is_import = "import" in first.text or "No module" in first.text
    return context.finding(
        "TL701" if is_import else "TL702",
        "warning",
        f"{caller} uses {lost}, which {context.named('torchaudio')} does not have",
        "torchaudio",
        path=path_of(context, "torchaudio"),
        because="the log shows that it was called, and the source of torchaudio does not define it",
        expected_error=first.text,
        sources=("torchaudio-init",),
        strength=Strength.RAN,
        lacks=(lost,),
    )
