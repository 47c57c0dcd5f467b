"""TL608 and TL610 by a log: dyld refused a library of an installed package, and the files show no reason."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.fix.mac_libraries import of_library
from torchlock.check.fix.mac_machines import for_machine, is_tagged_for
from torchlock.check.linking import is_ffmpeg
from torchlock.check.log_architecture import refused_in
from torchlock.check.log_files import files_of_line, is_explained
from torchlock.check.packaged_libraries import in_folders_of
from torchlock.finding import Strength
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.check.log_files import NamedFile
    from torchlock.finding import Finding

_NOT_LOADED = re.compile(r"Library not loaded: ['\"]?(?P<name>[@/][^'\"\n\\]{1,300})")


@rule("TL608", on="log")
def other_architecture(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A library that is right for the machine of its package, loaded by a Python of another one."""
    first, refused = log.first, refused_in(context, log)
    if first is None or refused is None:
        return
    if any(each.rule == "TL608" and each.severity != "note" for each in found):
        return
    named, package = refused.file, context.named(refused.file.package)
    message = f"{named.name} of {package} is for {refused.theirs}, and the Python in the log is for {refused.need}"
    if is_tagged_for(context, named.package, refused.need):
        message = f"the wheel of {package} is tagged for {refused.need}, "
        message += f"and its {named.name} is for {refused.theirs} only"
    yield context.finding(
        "TL608",
        named.severity,
        message,
        named.package,
        path=named.path,
        expected_error=first.text,
        remedy=for_machine(context, named.package, refused.need, refused.theirs),
        strength=Strength.RAN,
        lacks=(named.name,),
    )


@rule("TL610", on="log")
def not_loaded(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A library that dyld did not find where its user looks for it."""
    first, said = log.first, _NOT_LOADED.search(log.first.text if log.first is not None else "")
    if first is None or said is None or is_explained(first, found):
        return
    name = said["name"].strip()
    named = next((each for each in files_of_line(context, log) if _asks(context, each, name)), None)
    if named is None:
        return
    library = os.path.basename(name)
    if any(library in part.message for each in found if each.severity != "note" for part in _parts(each)):
        return
    there = in_folders_of(context, library)
    where = f"; a copy is in {os.path.dirname(there)}" if there else ""
    is_optional = any(each.path == named.path and each.role == "optional" for each in context.attempts)
    yield context.finding(
        "TL610",
        severity_of(fails=False) if is_optional else named.severity,
        f"{named.name} of {context.named(named.package)} needs {name}, which dyld did not find{where}",
        named.package,
        path=named.path,
        because=_why(named.name, name),
        expected_error=first.text,
        remedy=of_library(context, named, name),
        strength=Strength.RAN,
        lacks=(library,),
    )


def _parts(finding: Finding) -> tuple[Finding, ...]:
    return (finding, *finding.consequences)


def _why(user: str, name: str) -> str:
    """The reason: ``@rpath`` stands for the folders of LC_RPATH, any other name for one place."""
    if name.startswith("@rpath/"):
        return f"no LC_RPATH of {user} names a folder with {os.path.basename(name)}"
    return f"{user} names one place for it, and the process in the log had no such library there"


def _asks(context: CheckContext, file: NamedFile, name: str) -> bool:
    """Whether a library names another one, of which no other finding says that it is missing.

    FFmpeg and libsox have rules of their own, and so has what the import of the stack needs and was not seen.
    """
    user, library = read_binary(file.path), os.path.basename(name)
    if name.startswith("/") and is_ffmpeg(library) and file.package in STACK:
        return False
    if not isinstance(user, Binary) or not any(each.name == name for each in user.needed):
        return False
    mine = [each for each in context.attempts if each.path == file.path]
    lost = {os.path.basename(each.name) for attempt in mine for each in attempt.outcome.missing}
    for attempt in mine:
        if attempt.role != "optional" or is_ffmpeg(library) or library.startswith("libsox"):
            lost |= {os.path.basename(each.name) for each in attempt.outcome.unseen}
    return library not in lost
