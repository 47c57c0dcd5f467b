"""TL619: a library that Windows does not let a program load, because of a policy for unsigned files."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.finding import Remedy
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import MEMBERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_BLOCKED = re.compile(r"WinError 4551\b|Application Control policy has blocked|0x800711C7", re.I)
_LIBRARY = re.compile(r"(?P<name>[\w.+-]{1,80}\.(?:dll|pyd))\b", re.I)
_MODULE = re.compile(r"while importing (?P<name>\w{1,80})")
_PACKAGE = re.compile(r"(?:site|dist)-packages[/\\](?P<name>\w{1,80})[/\\]")
_REMEDY = Remedy(
    "Allow the files of this environment in the policy, which its administrator can change. At home this is Smart "
    "App Control (Windows Security, App & browser control): it can only be turned off, for all programs. Or use "
    "Linux in WSL, to which the policy does not apply."
)


@rule("TL619", on="log")
def blocked(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A file that Application Control does not let Python load."""
    first = log.first
    if first is None or not _BLOCKED.search(first.text) or context.operating_system in ("linux", "macos"):
        return
    library, package = _LIBRARY.search(first.text), _package(log, first.line)
    module = _MODULE.search(first.text)
    what = library["name"] if library else f"the module {module['name']}" if module else "a file"
    owner = f" of {package}" if package else ""
    yield context.finding(
        "TL619",
        severity_of(fails=package not in MEMBERS or MEMBERS[package].effect == "import"),
        f"Application Control of Windows does not let Python load {what}{owner}: its policy blocks files that "
        "are not signed, or not known to Microsoft",
        *([package] if package in context.pins else ["torch"] if "torch" in context.pins else []),
        because="the policy decides by the signature of a file, and the wheels of this stack are not signed",
        expected_error=first.text,
        remedy=_REMEDY,
        sources=("pytorch-182008", "stability-matrix-1712"),
        lacks=(os.path.basename(what),) if library else (),
    )


def _package(log: Log, line: int) -> str:
    """The package whose file was blocked: that of the path in the line, else of the last one before it."""
    for each in reversed(log.text.split("\n")[max(0, line - 12) : line]):
        if named := _PACKAGE.findall(each):
            return str(named[-1])
    return ""
