"""TL305: torchaudio 2.9 and later loads and saves through torchcodec, which its metadata does not require."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.check.audio_callers import first_call
from torchlock.check.fix.commands import add
from torchlock.check.rules.import_path import is_there
from torchlock.check.windows_libraries import is_of_amd
from torchlock.finding import Remedy
from torchlock.knowledge.compatibility import newest_beside
from torchlock.knowledge.registry import rule
from torchlock.knowledge.rules import specifier_set
from torchlock.knowledge.severity import severity_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding

_RELEASES = ">=2.9"


@rule("TL305")
def without_torchcodec(context: CheckContext) -> Iterator[Finding]:
    """A note; a warning if an installed package loads or saves through torchaudio."""
    pin = context.pins.get("torchaudio")
    if not is_there(context, "torchaudio") or context.environment.frozen is not None:
        return  # only a record; the module is elsewhere. An application may have others in its archive.
    if pin is None or pin.unversioned or not specifier_set(_RELEASES).contains(pin.version):
        return
    if context.copy("torchcodec") is not None:
        return
    call = first_call(context)
    because = ""
    if call is not None:
        package, use = call
        shown = os.path.relpath(use.path, package.entry.path).replace(os.sep, "/")
        because = f"{context.named(package.name)} calls {use.name} in line {use.line} of {shown}"
    yield context.finding(
        "TL305",
        severity_of(fails=False, partly=call is not None),
        f"{context.named('torchaudio')} loads and saves files through torchcodec, which is not installed",
        "torchaudio",
        "torchcodec",
        because="; ".join(filter(None, (context.matrix.because("TL305"), because))),
        expected_error="ImportError: TorchCodec is required for load_with_torchcodec.",
        remedy=_codec_of_cpu(context) if is_of_amd(context) else None,
    )


def _codec_of_cpu(context: CheckContext) -> Remedy | None:
    """The torchcodec for a torch that AMD built for Windows: its CPU build asks nothing of the device."""
    version = newest_beside("torchcodec", context.pins["torch"].version.public)
    if not version:
        return None
    words = f"Install torchcodec {version}, whose CPU build decodes beside each build of this torch release."
    return Remedy(words, commands=add(context, "torchcodec", f"=={version}", "--no-deps"))
