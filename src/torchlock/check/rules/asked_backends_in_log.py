"""TL302, TL303 and TL306: a backend that a program asks torchaudio for by its name, and that is not available."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.fix.commands import add
from torchlock.check.rules.audio_backends import (
    built_without_sox,
    ffmpeg_shown,
    lacks_sox,
    may_lack_sox,
    without_sox,
)
from torchlock.finding import Remedy, Strength
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_ASKED = re.compile(
    r"Backend .(?P<asked>\w{1,20}). is not one of available backends"
    r"|Unsupported backend .(?P<other>\w{1,20}). specified"
)


@rule("TL306", "TL303", "TL302", on="log")
def asked(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The backend that the first failure of a log names, unless a finding says why there is none."""
    first = log.first
    match = _ASKED.search(first.text) if first is not None else None
    bad = {each.rule for each in found if each.severity != "note"}
    if first is None or match is None or bad & {"TL306", "TL303", "TL302"}:
        return
    name = match["asked"] or match["other"]
    if name == "soundfile" and context.copy("torchaudio") is not None and context.copy("soundfile") is None:
        yield _no_soundfile(context, first.text)
    elif name == "ffmpeg":
        yield from ffmpeg_shown(context, log)
    elif name in ("sox", "sox_io") and lacks_sox(context):
        yield built_without_sox(context, first.text)
    elif name == "sox" and may_lack_sox(context):
        finding = without_sox(context)
        finding.severity = severity_of(fails=False)
        yield finding


def _no_soundfile(context: CheckContext, line: str) -> Finding:
    return context.finding(
        "TL306",
        severity_of(fails=False),
        f"the program asks {context.named('torchaudio')} for the backend soundfile, which is not installed",
        "torchaudio",
        because="torchaudio has this backend only if Python finds the module soundfile",
        expected_error=line,
        remedy=Remedy("Install soundfile.", commands=add(context, "soundfile")),
        strength=Strength.RAN,
    )
