"""TL101 to TL104, TL201: a companion and the torch of a log that do not fit, and a library that did not load.

It is asked if no finding explains the line, and nothing of the stack is installed here.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.log_alone import has_stack
from torchlock.check.log_signatures import ECHO
from torchlock.check.stated_pairs import companion_of, reason_of, remedy_of, stated_pair
from torchlock.finding import Strength
from torchlock.inspect.binaries.cxx_names import described
from torchlock.knowledge.build_labels import describe_build, parse_label
from torchlock.knowledge.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.check.stated_pairs import StatedPair
    from torchlock.finding import Finding

_PAIRS = {"torchaudio": "TL101", "torchcodec": "TL102", "torchvision": "TL103", "torchtext": "TL104"}
# What a companion asks of torch, and does not get: a function, or a library of one build.
_LIBRARY = re.compile(r"\blib(?:torch|c10)_(?:hip|cuda(?:_cu|_cpp)?|xpu)\b[\w.]{0,20}")
# Of these, the number in the file name is the release of CUDA.
_OF_CUDA = re.compile(
    r"^(?:OS|Import)Error: (?P<library>lib(?:cudart|cublas|nvrtc)\.so\.(?P<cuda>\d{1,2})(?:\.\d{1,2})?)"
    r": cannot open"
)
_IMPORT = re.compile(r"\b(?:import|from) (torchaudio|torchvision|torchcodec|torchtext)\b")
# The line of code that imports a companion is so near.
_NEAR = 40
# A process that ended without naming a library: the pair counts only if it is known not to work.
_CRASH = re.compile(r"std::bad_alloc|Segmentation fault|SIGSEGV|access violation|0xC0000005", re.IGNORECASE)
_WINDOWS = re.compile(r"WinError 127\b|specified procedure could not be found")


@rule("TL101", "TL102", "TL103", "TL104", "TL201", on="unexplained")
def pair(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A companion that does not load beside the torch in the log, where the log states both releases."""
    first = log.first
    if (
        first is None
        or first.weight == ECHO
        or has_stack(context)
        or any(each.severity != "note" for each in found)
    ):
        return
    library = _LIBRARY.search(first.text)
    is_shown = bool(first.symbol) or library is not None or _WINDOWS.search(first.english) is not None
    name = companion_of(first.text, first.library) or _companion_of_frames(log)
    if _CRASH.search(first.text):
        is_shown, name = True, _misfit_of_crash(log)
    stated = stated_pair(log, name) if is_shown and name else None
    if stated is None or (stated.fits is not False and not stated.other_build):
        return
    lacking = first.symbol or (library[0] if library is not None else "")
    yield context.finding(
        "TL201" if stated.other_build else _PAIRS[name],
        "warning",
        _message(stated, lacking),
        because=reason_of(stated),
        expected_error=first.text,
        remedy=remedy_of(stated),
        strength=Strength.RAN,
        lacks=(lacking,) if lacking else (),
    )


@rule("TL201", on="unexplained")
def cuda_of_companion(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A companion that asks for a library of one CUDA, where the log states a torch for another, or for none."""
    first = log.first
    lacks = _OF_CUDA.search(first.text) if first is not None and first.weight != ECHO else None
    if first is None or lacks is None or has_stack(context) or any(each.severity != "note" for each in found):
        return
    users = [each for each in (frame.partition("/")[0] for frame in log.frames) if each != "torch"]
    name = users[-1] if users else _companion_of_code(log, first.line)
    stated = stated_pair(log, name) if name in _PAIRS else None
    own = parse_label(stated.torch_label) if stated is not None else None
    if stated is None or stated.label or stated.fits is False or own is None or not own.is_of_index:
        return
    if own.text.startswith(f"cu{lacks['cuda']}"):
        return
    torch = describe_build(own.text)
    yield context.finding(
        "TL201",
        "warning",
        f"{stated.words[0]} in the log is a build for CUDA {lacks['cuda']}, and {stated.words[1]} is "
        f"{f'a {torch}' if torch == 'CPU build' else f'a build for {torch}'}",
        because=f"it asks for {lacks['library']}, a library of CUDA {lacks['cuda']}",
        expected_error=first.text,
        remedy=remedy_of(stated),
        strength=Strength.RAN,
        lacks=(lacks["library"],),
    )


def _companion_of_code(log: Log, line: int) -> str:
    """The companion that the code imports in the lines before a failure; "" if it is none, or not one alone."""
    before = "\n".join(log.text.split("\n")[max(0, line - _NEAR) : line])
    named = {match[1] for match in _IMPORT.finditer(before)}
    return named.pop() if len(named) == 1 else ""


def _misfit_of_crash(log: Log) -> str:
    """The companion that a log states beside a torch that it does not work with, if it is one; else ""."""
    pairs = [stated for name in _PAIRS if (stated := stated_pair(log, name)) is not None]
    found = [each.name for each in pairs if each.fits is False]
    return found[0] if len(found) == 1 else ""


def _companion_of_frames(log: Log) -> str:
    """The companion that was imported last before the failure, in the traceback."""
    names = [frame.partition("/")[0] for frame in log.frames]
    return next((each for each in reversed(names) if each in _PAIRS), "")


def _message(stated: StatedPair, lacking: str) -> str:
    what = described(lacking) if not lacking.startswith("lib") else os.path.basename(lacking)
    words = f"{stated.words[0]} does not work with {stated.words[1]}, and the log shows both"
    return f"{words}: {stated.name} asks for {what}, which this torch does not have" if lacking else words
