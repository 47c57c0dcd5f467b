"""TL606 and TL615: a log shows which copy of a package was imported, or that torch was not there."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.fix.commands import uninstall
from torchlock.check.fix.import_folders import left_folder
from torchlock.check.fix.vendor_builds import companion
from torchlock.check.relevance import owners_by_depth
from torchlock.check.rules.import_path import is_there
from torchlock.check.vendors import is_vendors
from torchlock.finding import Command, Remedy, Strength
from torchlock.knowledge.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

# A file of a traceback from which a package of the stack was imported, outside of folders of packages.
_FIRST_FILE = re.compile(
    r"(?P<folder>.{0,300}[/\\])(?P<name>torch|torchaudio|torchvision|torchcodec|torchtext|soundfile)"
    r"(?P<file>[/\\]__init__)?\.py"
)
_NEEDS_TORCH = re.compile(r"(?<![\w/])(lib(?:torch|c10)\w{0,20}\.so): cannot open shared object file")


@rule("TL606", on="log")
def other_copy(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A checkout or a file of the same name, which the process in the log imported instead of the package."""
    match = _of_other_copy(context, log)
    if match is None or log.first is None:
        return
    if any(each.rule == "TL606" and each.severity != "note" for each in found):
        return
    name = match["name"]
    path = match["folder"] + name if match["file"] else match[0]
    yield context.finding(
        "TL606",
        "error",
        f"the process in the log imported {name} from {path}, instead of the installed {context.named(name)}",
        name,
        because="Python searches the folder of the script, or the current folder, before the installed packages",
        expected_error=log.first.text,
        remedy=_left(context, match, log.callers),
        sources=("python-import-system", "pytorch-12074"),
        strength=Strength.RAN,
    )


def is_other_copy(context: CheckContext, log: Log) -> bool:
    """Whether a log shows that a package of the stack was imported from outside of the installed packages."""
    return _of_other_copy(context, log) is not None


def _of_other_copy(context: CheckContext, log: Log) -> re.Match[str] | None:
    """The file of the traceback that is the other copy, if the failure is of a module in it."""
    first = log.first
    name = first.module.partition(".")[0] if first is not None else ""
    match = next((each for each in map(_FIRST_FILE.fullmatch, log.callers[::-1]) if each), None)
    copy = context.copy(name) if name else None
    if first is None or match is None or match["name"] != name:
        return None
    if copy is None or copy.kind in ("editable", "namespace"):
        return None
    is_inner = first.module != name or "partially initialized" in first.text
    return match if is_inner else None


def _left(context: CheckContext, match: re.Match[str], scripts: Sequence[str]) -> Remedy:
    """Start Python elsewhere, or move what it finds first; a file gets another name."""
    name = match["name"]
    if match["file"]:
        folder = match["folder"].rstrip("/\\") or match["folder"]
        return left_folder(context, folder, name, scripts)
    other = f"{match['folder']}my_{name}.py"
    return Remedy(
        f"Give the file another name than {name}.py.", commands=(Command("shell", f"mv {match[0]} {other}"),)
    )


@rule("TL606", on="log")
def two_places(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """torch and torchaudio from two folders, one of which was not examined, if a library does not fit.

    That torch is missing here is then no error: the process in the log had one.
    """
    absent = [name for name in ("torch", "torchaudio") if not is_there(context, name)]
    if log.first is None or not log.split or len(absent) != 1:
        return
    places = dict(log.prefixes)
    for each in found:
        if each.rule in ("TL108", "TL615") and absent[0] in dict(each.packages):
            each.severity, each.because = "note", f"the log has {absent[0]} in {places[absent[0]]}"
    if not _is_misfit(log) or any(each.severity == "error" for each in found):
        return
    yield context.finding(
        "TL606",
        "error",
        f"the process in the log imported torch from {places['torch']} and torchaudio from "
        f"{places['torchaudio']}, and this torchaudio was built for another torch",
        "torchaudio",
        "torch",
        because=f"its library does not find a function of torch; {absent[0]} is not in the examined folder",
        expected_error=log.first.text,
        remedy=_beside_torch(context, places, absent[0]),
        sources=("python-import-system",),
        strength=Strength.RAN,
    )


def _beside_torch(context: CheckContext, places: dict[str, str], absent: str) -> Remedy:
    """Replace the torchaudio of the other folder; a command if the torch of a vendor was examined."""
    words = (
        f"Uninstall the torchaudio in {places['torchaudio']}, and install beside torch in {places['torch']} "
        "the one that was built for it. The torch of a vendor needs the vendor's torchaudio, or one that is "
        "compiled there. To check both folders at once, use --python with the Python in the log."
    )
    removed = uninstall(context, ["torchaudio"])
    is_certain = absent == "torchaudio" and is_vendors(context, "torch") and bool(removed)
    built = companion(context, "torchaudio").commands if is_certain else ()
    lines = [f"{removed[0].line} && {each.line}" for each in built if each.tool == removed[0].tool]
    return Remedy(words, commands=tuple(Command(removed[0].tool, line) for line in lines))


def _is_misfit(log: Log) -> bool:
    """Whether the first failure of a log is a function that a library of torchaudio does not find in torch."""
    first = log.first
    if first is None:
        return False
    if "WinError 127" in first.english:
        return log.frames[-1:] != ("torch/__init__.py",)  # There torch loads its own libraries.
    return bool(first.symbol) and "torchaudio" in first.text


@rule("TL615", on="log")
def without_torch(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A package whose library needs those of torch, in an environment without torch: the note is an error."""
    first = log.first
    match = _NEEDS_TORCH.search(first.text) if first is not None else None
    if first is None or match is None or is_there(context, "torch") or context.installed.get("torch") is not None:
        return
    if not owners_by_depth(context, log.frames) and not log.sites:
        return  # Nothing shows that the log is of an environment such as this one.
    for each in found:
        if each.rule == "TL615" and each.severity == "note" and "torch" in {name for name, _ in each.packages}:
            each.severity = "error"
            each.because = f"the log shows a library that needs {os.path.basename(match[1])}, which torch contains"
            each.expected_error, each.lacks = first.text, (os.path.basename(match[1]),)
            each.strength = Strength.RAN
    yield from ()
