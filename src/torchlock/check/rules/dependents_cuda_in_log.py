"""TL230: a package other than torch opens a library of CUDA when it is used, and the loader does not find it.

The libraries are in the packages that torch requires. torch opens them by their paths, other packages do not.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock.check.nvidia import copies_of
from torchlock.check.opened_later import places_of
from torchlock.finding import Strength
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.knowledge.registry import rule
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

# Packages that open CUDA's libraries when they compute on a GPU, and the modules that show them in a traceback.
USERS = {
    "ctranslate2": ("ctranslate2", "faster_whisper", "whisperx", "whisper_s2t"),
    "onnxruntime-gpu": ("onnxruntime",),
}
_LIBRARY = pattern(
    r"(?P<linux>lib(?:cublas(?:Lt)?|cudnn(?:_\w{1,40})?|cufft|curand|cudart)\.so\.\d{1,3}(?:\.0)?)(?!\.?\d)"
    r"|(?P<windows>(?:cublas(?:Lt)?64|cudnn(?:_\w{1,40}?)?64|cufft64|cudart64)_\d{1,3}\.dll|zlibwapi\.dll)"
)
# A library of onnxruntime that Windows does not load: it does not say which one of CUDA is missing.
_PROVIDER = pattern(r"onnxruntime_providers_(?:cuda|tensorrt)\.dll")
# The parts of cuDNN 8 for Windows need zlib under this name, which neither cuDNN nor Windows contains.
ZLIB = "zlibwapi.dll"
_OF_CUDNN_8 = pattern(r"cudnn_\w{1,40}64_8\.dll|zlibwapi\.dll", re.IGNORECASE)
# A line of cuDNN without a library: the part that has the function.
_SYMBOL = pattern(r"Cannot load symbol cudnn(\w{1,80})")
_PARTS = (("Convolution", "cnn"), ("Backend", "graph"), ("RNN", "adv"), ("Attn", "adv"))


class Asked(NamedTuple):
    """A library that a log asks for, and the package that opens it."""

    library: str
    user: str


@rule("TL230", on="log")
def unfound(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The library is there and not searched, or no installed package contains it."""
    first = log.first
    if first is None or "TL230" not in first.rules or any(_explains(each) for each in found):
        return
    user = _user(context, log, first.text)
    library = _library(context, first.text, user)
    if not user or not library:
        return
    there = places_of(context, library)
    opens = f"{context.named(user)} opens {library} when it computes on a GPU"
    message, because = f"{opens}, and no package here contains it", also_there(context, library)
    sources: tuple[str, ...] | None = None
    if not there and _OF_CUDNN_8.fullmatch(library):
        opens = f"{context.named(user)} opens cuDNN 8 when it computes on a GPU"
        what = ZLIB if library == ZLIB else f"{library}, or {ZLIB} for it"
        message = f"{opens}, and Windows does not find {what}: no package here contains it"
        because = f"the parts of cuDNN 8 for Windows need {ZLIB}, which neither cuDNN nor Windows contains"
        sources = ("builder-955", "onnxruntime-17510")
    elif not because and not context.build("torch"):
        because = "no torch is installed here, whose CUDA build would contain it"
    elif not because and context.label("torch") == "cpu":
        because = f"{context.named('torch')} contains no library of CUDA"
    if there:
        message = f"{opens}; it is in {os.path.dirname(there[0])}, where the loader does not search"
        because = "torch opens the libraries of these packages by their paths, and other packages do not"
    yield context.finding(
        "TL230",
        "warning",
        message,
        user,
        path=there[0] if there else "",
        because=because or None,
        expected_error=first.text,
        sources=sources,
        strength=Strength.RAN,
        lacks=(library,),
    )


def _explains(finding: Finding) -> bool:
    """Whether versions that conflict explain the log: another cuDNN than the one that ctranslate2 needs."""
    return finding.rule in ("TL207", "TL230") and finding.severity != "note"


def _user(context: CheckContext, log: Log, text: str) -> str:
    """The installed package that opens the library: one that the log names, else the only one."""
    mine = [name for name in USERS if context.installed.get(name) is not None]
    modules = {frame.partition("/")[0] for frame in log.frames}
    named = [name for name in mine if modules & set(USERS[name]) or any(each in text for each in USERS[name])]
    return (named or (mine if len(mine) == 1 else [""]))[0]


def _library(context: CheckContext, text: str, user: str) -> str:
    """The library that a line names. cuDNN lists names of one library, from the exact to the general one."""
    if _PROVIDER.search(text) and (lost := _needed_by_provider(context, text)):
        return lost
    if match := _LIBRARY.search(text):
        return match[0]
    symbol = _SYMBOL.search(text)
    if symbol is None:
        return ""
    part = next((part for word, part in _PARTS if word in symbol[1]), "ops")
    windows = context.target is not None and context.target.platform.system == "windows"
    major = _cudnn_of(context, user)
    return f"cudnn_{part}64_{major}.dll" if windows else f"libcudnn_{part}.so.{major}"


def _needed_by_provider(context: CheckContext, text: str) -> str:
    """The first library of CUDA that a library of onnxruntime needs and no package has; "" if that is unknown."""
    record, named = context.installed.get("onnxruntime-gpu"), _PROVIDER.search(text)
    if record is None or named is None:
        return ""
    binary = read_binary(os.path.join(record.entry.path, "onnxruntime", "capi", named[0]))
    needed = [each.name for each in binary.needed] if isinstance(binary, Binary) else []
    mine = [name for name in needed if _LIBRARY.fullmatch(name)]
    return next((name for name in mine if not places_of(context, name)), mine[0] if mine else "")


def _cudnn_of(context: CheckContext, user: str) -> str:
    """The major version of cuDNN whose first library a package contains (``libcudnn-74a4c495.so.9.1.0``)."""
    record = context.installed.get(user)
    folder = os.path.join(record.entry.path, f"{user}.libs") if record is not None else ""
    names = context.environment.tree.names(folder) if folder else {}
    found = [match[1] for name in names if (match := re.match(r"libcudnn-\w{1,16}\.so\.(\d{1,2})", name))]
    return found[0] if found else "9"


def also_there(context: CheckContext, library: str) -> str:
    """A sentence on the same library for another CUDA or cuDNN version; "" if there is none."""
    others = {os.path.basename(path) for path in others_of(context, library)}
    if not others:
        return ""
    return f"{', '.join(sorted(others)[:2])} is there, for another version, and cannot replace it"


def others_of(context: CheckContext, library: str) -> list[str]:
    """The copies of the same library in other versions, in the installed packages."""
    if not library.endswith(".dll"):
        stem = library.partition(".so")[0]
        found = copies_of(context, f"{stem}.so.*") or copies_of(
            context, "libcudnn.so.*" if "cudnn" in stem else "-"
        )
        return [path for path in found if os.path.basename(path) != library]
    copy = context.copy("torch")
    folder = os.path.join(copy.path, "lib") if copy is not None else ""
    stem = "cudnn" if library.startswith("cudnn") else library.partition("64_")[0]
    names = context.environment.tree.names(folder) if folder else {}
    pattern = re.compile(rf"{re.escape(stem)}64_\d{{1,3}}\.dll", re.I)
    return [os.path.join(folder, name) for name in names if pattern.fullmatch(name) and name != library]
