"""TL621 by a log: Windows refused a library here, and the files show no reason."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.dll_copies import rivals
from torchlock.check.fix.left_libraries import is_left, without_left
from torchlock.check.log_alone import has_stack
from torchlock.check.log_files import file_here, is_explained
from torchlock.check.windows_errors import REFUSALS
from torchlock.check.windows_libraries import install_vc_runtime
from torchlock.finding import Remedy, Strength
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.knowledge.registry import group, rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.dll_copies import Rival
    from torchlock.check.log import Log
    from torchlock.check.windows_errors import Refusal
    from torchlock.finding import Finding

_WINDOWS = re.compile(
    r"\[WinError (?P<number>\d{1,5})\](?P<said>[^\"\n]{0,300}?)\.? Error loading \"(?P<path>[^\"\n]{1,400})\""
)
_OF_CUDA = re.compile(r"cudnn|cublas|cufft|cusparse|cusolver|curand|nvrtc", re.IGNORECASE)


@rule("TL621", on="log")
def refused_by_windows(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A DLL of this environment that Windows does not load, for a reason that the files do not show."""
    first, said = log.first, _WINDOWS.search(log.first.text if log.first is not None else "")
    refusal = REFUSALS.get(int(said["number"])) if said is not None else None
    if first is None or said is None or refusal is None or is_explained(first, found):
        return
    named = file_here(context, said["path"])
    if named is None:
        return
    name, path = named
    if (refusal.by_copy and _is_damaged(found, name)) or _is_broken(found, path):
        return  # A copy from elsewhere is loaded only because the package's own file is gone or was replaced.
    if blamed := _about_itself(found, path) or _about_a_need(found, path):
        blamed.severity, blamed.strength = named.severity, Strength.RAN
        blamed.expected_error = first.text
        return
    # A DLL of NVIDIA that users put there is more often hidden by another copy than wrong.
    if not (refusal.of_machine or _OF_CUDA.match(os.path.basename(path))) and is_left(context, name, path):
        yield _left(context, named.severity, name, path, refusal, first.text)
        return
    rival = next(iter(rivals(context, path, log)), None) if refusal.by_copy else None
    there = f"; {rival.package} contains {' and '.join(rival.names[:2])}, too" if rival is not None else ""
    yield context.finding(
        "TL621",
        named.severity,
        f"Windows refuses {os.path.basename(path)} of {context.named(name)}, or a DLL that it needs: "
        f"{refusal.means} (WinError {said['number']}){there}",
        name,
        path=path,
        because=refusal.because,
        expected_error=first.text,
        remedy=_imported_first(name, rival) if rival is not None else _remedy(context, refusal, path),
        sources=("windows-error-codes", *(("paddleocr-14979",) if rival is not None else ())),
        strength=Strength.RAN,
        lacks=(os.path.basename(path),),
    )


# Only the words: Python prints no number where it imports a module.
_ALONE = re.compile(
    r"\[?WinError (?P<number>\d{1,5})\b|DLL load failed.{0,200}?(?P<words>Access is denied"
    r"|operating system cannot run|contains a virus|Invalid access to memory|Insufficient system resources)"
)
_NUMBERS = {
    "Access is denied": 5,
    "operating system cannot run": 182,
    "contains a virus": 225,
    "Invalid access to memory": 998,
    "Insufficient system resources": 1450,
}
_NAMED = re.compile(
    r"Error loading \"[^\"\n]{0,400}?(?P<library>[^\"\\/\n]{1,100})\"|while importing (?P<module>\w{1,80})"
)


@rule("TL621", on="unexplained")
def refused_somewhere(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A DLL that Windows does not load in the process of a log, whose environment is not here."""
    first = log.first
    said = _ALONE.search(first.english) if first is not None and first.rules[0] == "TL621" else None
    if first is None or said is None or has_stack(context) or "torch" not in log.text.lower():
        return
    number = int(said["number"] or _NUMBERS[said["words"]])
    refusal, named = REFUSALS.get(number), _NAMED.search(first.english)
    if refusal is None or named is None:
        return
    what = named["library"] or f"the module {named['module']}"
    yield context.finding(
        "TL621",
        "warning",
        f"Windows in the log refuses {what}, or a DLL that it needs: {refusal.means} (error {number})",
        because=refusal.because,
        expected_error=first.text,
        remedy=Remedy(refusal.remedy.format(copies="look for copies of it on the PATH")),
        sources=("windows-error-codes",),
        strength=Strength.RAN,
    )


def _left(context: CheckContext, severity: str, name: str, path: str, refusal: Refusal, line: str) -> Finding:
    """A DLL of another build: torch opens every DLL of its folder, and this one does not fit the others."""
    finding = context.finding(
        "TL621",
        severity,
        f"Windows refuses {os.path.basename(path)}, which is in the folder of {name} and in no record: "
        f"{refusal.means}",
        name,
        path=path,
        because=f"an earlier build left it there, and {context.named(name)} opens every DLL of this folder"
        if name == "torch"
        else "an earlier build left it there",
        expected_error=line,
        sources=("windows-error-codes",),
        strength=Strength.RAN,
        lacks=(os.path.basename(path),),
    )
    finding.remedy = without_left(context, finding)
    return finding


def _about_itself(found: Sequence[Finding], path: str) -> Finding | None:
    """A lesser finding that this very file is damaged: that it is opened shows how much it matters."""
    mine = (each for each in found if each.severity != "error" and each.path == path)
    return next((each for each in mine if each.rule in group("damage")), None)


def _is_damaged(found: Sequence[Finding], package: str) -> bool:
    """Whether files of a package are known to be missing or changed, so that it does not load."""
    bad = (each for each in found if each.severity == "error" and package in dict(each.packages))
    return any(each.rule in group("damage") for each in bad)


def _is_broken(found: Sequence[Finding], path: str) -> bool:
    """Whether the very file is known to be damaged, or to lack one that it needs."""
    bad = (each for each in found if each.severity == "error" and each.path == path)
    return any(each.rule in group("damage", "loading") for each in bad)


def _imported_first(name: str, rival: Rival) -> Remedy:
    """Let the package load its own DLLs before another one loads copies of the same names."""
    return Remedy(
        f"Import {name} before {rival.folder} (import {name} as the first line of the program): Windows keeps the "
        f"first DLL that a process loads under a name. Or uninstall {rival.package} or {name}, if it is not used."
    )


def _about_a_need(found: Sequence[Finding], path: str) -> Finding | None:
    """The note about a library that the refused one needs."""
    binary = read_binary(path)
    needed = {each.name.lower() for each in binary.needed} if isinstance(binary, Binary) else set[str]()
    notes = (each for each in found if each.severity == "note" and each.path)
    return next((each for each in notes if os.path.basename(each.path).lower() in needed), None)


def _remedy(context: CheckContext, refusal: Refusal, path: str) -> Remedy:
    if not refusal.remedy:
        runtime = install_vc_runtime(context)
        words = f"{runtime.summary.rstrip('.')}; and import torch before all other packages."
        return Remedy(words, commands=runtime.commands)
    words = refusal.remedy.format(copies=_copies(path))
    if refusal.by_copy and _OF_CUDA.match(os.path.basename(path)):
        words = f"Take the folders of other CUDA and cuDNN installations from PATH and CUDA_PATH. {words}"
    return Remedy(words)


def _copies(path: str) -> str:
    """The command that lists the copies of the DLLs which this one needs and which its folder does not have."""
    binary, here = read_binary(path), os.path.dirname(path)
    there = {name.lower() for name in os.listdir(here)} if os.path.isdir(here) else set()
    needed = [each.name for each in binary.needed] if isinstance(binary, Binary) else []
    others = [
        name for name in needed if name.lower() not in there and not re.match(r"api-ms-|kernel32|ucrt", name, re.I)
    ]
    return f'"where {" ".join(others[:5])}" lists them' if others else "look for copies of it on the PATH"
