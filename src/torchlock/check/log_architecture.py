"""The architecture of a Mac's process that refused a file for another one, as a log shows it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock.check.log_files import files_of_line
from torchlock.inspect.machine import machine_in

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.check.log_files import NamedFile

# What dyld says of a file that is for another processor than the process: need 'arm64e'. Up to macOS 11 it does
# not name that of the process.
_NEED = re.compile(r"architecture \(have [('\"]{0,2}[\w,]{2,40}[)'\"]{0,2}, need [('\"]{0,2}(?P<need>\w{2,20})")
_WRONG = re.compile(r"mach-o, but wrong architecture")
_PROGRAM = re.compile(r"(?:python|pypy)[\d.]{0,5}t?")
# Names of slices for some processors of an architecture.
_PLAIN = {"arm64e": "arm64", "x86_64h": "x86_64"}
_ALL = ("arm64", "x86_64")


class Refused(NamedTuple):
    """A file here that a process refused: its architectures in words, and the one of the process."""

    file: NamedFile
    theirs: str
    need: str


def refused_in(context: CheckContext, log: Log) -> Refused | None:
    """The file that the first failure of a log is about; None if none is here, or if it fits that process."""
    named = next(files_of_line(context, log), None)
    machine = machine_in(named.path) if named is not None else None
    if named is None or machine is None or machine.system != "macos":
        return None
    others = [each for each in _ALL if each not in machine.machines]
    if said := _NEED.search(log.text):
        need = _PLAIN.get(said["need"], said["need"])
    elif _WRONG.search(log.text) and len(others) == 1:
        need = others[0]
    else:
        return None
    return Refused(named, ", ".join(machine.machines), need) if need in others else None


def platform_of(context: CheckContext, log: Log) -> str:
    """The platform on which a log shows that the Python of this tree runs, where the tree does not show it; or "".

    The program of a tree decides; its packages may be for Intel, which is what the log is about. Packages for
    Apple silicon are on such a machine: their Python was started by translation, and they are not at fault.
    """
    own, platform = context.environment.interpreter, context.known_platform
    if context.live or platform is None or platform.system != "macos":
        return ""
    is_by_program = any(_PROGRAM.fullmatch(os.path.basename(each)) for each in own.evidence)
    refused = refused_in(context, log)
    if is_by_program or refused is None or refused.need != "arm64" or platform.machine == "arm64":
        return ""
    return "macos-arm64"
