"""TL110: torch.load refused a model file, because since torch 2.6 it reads only weights."""

from __future__ import annotations

import pickletools
import re
from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.check.context import version_of
from torchlock.finding import Command, Remedy, Strength
from torchlock.knowledge.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_VARIABLE = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
_OBJECT = re.compile(r"Unsupported (?:global: GLOBAL|class) ([\w.]{1,200})")
# The first byte of a file that is not a model file.
_OPERAND = re.compile(r"Unsupported operand (\d{1,3})")
_NO_MODEL = {
    118: "it begins with a v, like a pointer of Git LFS (version https://git-lfs...)",
    60: "it begins with <, like a web page",
    123: "it begins with {, like a JSON file",
}
# The loader of lightning passes None from this release on.
_LIGHTNING = ("lightning", "pytorch-lightning", "lightning-fabric")
_CHANGED = Version("2.6")


@rule("TL110", on="log")
def refused(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The package that loads the file, and what makes it load."""
    first = log.first
    if first is None or first.rules[0] != "TL110":
        return
    operand = _OPERAND.search(log.text)
    if operand is not None and (shown := _not_pickled(int(operand[1]))):
        message = f"the file that torch.load read is not a model: {shown}"
        remedy = Remedy("Download the file again (git lfs pull, or the download link of the file itself).")
        yield _finding(
            context, first.text, message, remedy, (), "torch.load names the first byte that it did not expect"
        )
        return
    if "torch" in context.pins:
        yield _of_package(context, log.text, first.text)


def _not_pickled(byte: int) -> str:
    """Why a file with this byte is not a pickle, in words; "" if the byte is an instruction of pickle."""
    if byte in _NO_MODEL:
        return _NO_MODEL[byte]
    codes = {ord(each.code) for each in pickletools.opcodes}
    return "" if byte in codes or byte > 255 else f"it has the byte {byte}, which is not an instruction of pickle"


def _of_package(context: CheckContext, text: str, line: str) -> Finding:
    what = _OBJECT.search(text)
    inside = f": it contains {what[1].rstrip('.')}" if what else ""
    lightning = [each for each in _LIGHTNING if _is_at_least(context, each, _CHANGED)]
    pyannote = context.installed.get("pyannote-audio")
    old = pyannote is not None and (version_of(pyannote.version) or _CHANGED) < Version("4.0.3")
    torch = context.named("torch")
    if lightning and pyannote is not None and old and re.search(r"pyannote|lightning|cloud_io|whisperx", text):
        message = (
            f"pyannote.audio {pyannote.version} cannot load its model with lightning 2.6 or newer and "
            f"{torch}{inside}"
        )
        because = (
            "the loader of lightning 2.6 no longer passes weights_only=False, and torch 2.6 or newer then "
            "reads only weights"
        )
        remedy = Remedy(
            "Install lightning below 2.6, or pyannote.audio 4.0.3 or later.", commands=_below(context, lightning)
        )
        return _finding(
            context,
            line,
            message,
            remedy,
            ("pyannote-audio", "torch"),
            because,
            ("lightning-weights-only", "pyannote-1960"),
        )
    if context.installed.get("tts") is not None and re.search(r"\bTTS\b", text):
        return _of_tts(context, line, f"TTS {context.version('tts')} cannot load its model with {torch}{inside}")
    message = f"torch.load of {torch} refuses a model file{inside}"
    if context.pins["torch"].version < Version("2.6"):
        remedy = Remedy(
            "Pass weights_only=False in the call of torch.load, if you trust the file: its caller "
            "asks for weights only."
        )
        return _finding(context, line, message, remedy, ("torch",), "the caller passes weights_only=True")
    summary = (
        f"If you trust the file, set {_VARIABLE}=1, or pass weights_only=False in your own call of torch.load; "
        "or use a release of the package that does so, or torch below 2.6."
    )
    return _finding(context, line, message, Remedy(summary, commands=_variable(context)), ("torch",))


def _is_at_least(context: CheckContext, name: str, version: Version) -> bool:
    record = context.installed.get(name)
    found = version_of(record.version) if record is not None else None
    return found is not None and found >= version


def _below(context: CheckContext, names: Sequence[str]) -> tuple[Command, ...]:
    from torchlock.check.fix.commands import add_all

    return add_all(context, dict.fromkeys(names, "<2.6"))


def _of_tts(context: CheckContext, line: str, message: str) -> Finding:
    """TTS gets no releases any more; its fork has the same modules."""
    from torchlock.check.fix.commands import add, uninstall

    gone = {each.tool: each.line for each in uninstall(context, ["TTS"])}
    fork = add(context, "coqui-tts")
    commands = tuple(each._replace(line=f"{gone[each.tool]} && {each.line}") for each in fork if each.tool in gone)
    summary = f"Use coqui-tts, the maintained fork of TTS, instead; or, if you trust the file, set {_VARIABLE}=1."
    because = "TTS passes no weights_only, and gets no new releases"
    return _finding(
        context, line, message, Remedy(summary, commands=commands), ("tts", "torch"), because, ("coqui-4175",)
    )


def _variable(context: CheckContext) -> tuple[Command, ...]:
    windows = context.target is not None and context.target.platform.system == "windows"
    return (Command("shell", f'set "{_VARIABLE}=1"' if windows else f"export {_VARIABLE}=1"),)


def _finding(
    context: CheckContext,
    line: str,
    message: str,
    remedy: Remedy,
    packages: tuple[str, ...],
    because: str | None = None,
    sources: tuple[str, ...] = ("torch-weights-only", "torch-load-variables"),
) -> Finding:
    return context.finding(
        "TL110",
        "warning",
        message,
        *packages,
        because=because,
        expected_error=line,
        remedy=remedy,
        sources=sources,
        strength=Strength.RAN,
    )
