"""TL613 by a log: a process of a Mac crashed, and its packages load libraries that do not get on together."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.rules.openmp import copies_of
from torchlock.finding import Command, Remedy, Strength
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.library import is_library
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_CRASH = re.compile(r"segmentation fault|SIGSEGV|EXC_BAD_ACCESS", re.IGNORECASE)
_LOCKED = re.compile(r"mutex lock failed: Invalid argument")
_FRAME = re.compile(r"[/\\](?:site|dist)-packages[/\\](?P<package>\w{1,80})[/\\]")
_RUNTIME = re.compile(r"lib(?:omp|iomp5|gomp)\.(?:\d\.)?dylib")
_INSIDE = ("", "lib", ".dylibs")
# More libraries than a package has in one folder.
_MOST = 200
_BECAUSE = (
    "the log shows a crash and no other reason for it; two OpenMP runtimes in one process are the usual reason on "
    "macOS"
)


@rule("TL613", on="log")
def crashed(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A crash without another reason: the note about two runtimes becomes a warning."""
    first = log.first
    if first is None or not _CRASH.search(first.text) or context.operating_system != "macos":
        return
    if any(each.severity == "error" for each in found) or not _may_be(context, log):
        return
    known = [each for each in found if each.rule == "TL613"]
    for note in known[:1] or copies_of(context, assumed=True):
        if note.severity == "note":
            note.severity, note.strength = severity_of(fails=False), Strength.REPORTED
            note.expected_error, note.because = first.text, _BECAUSE
            yield from () if known else (note,)


def _may_be(context: CheckContext, log: Log) -> bool:
    """Whether the packages in the frames of the crash use OpenMP; a crash without frames may be of any."""
    packages = {match["package"] for match in _FRAME.finditer(log.text)}
    return not packages or any(each in STACK or _uses_openmp(context, each) for each in packages)


def _uses_openmp(context: CheckContext, package: str) -> bool:
    for entry in context.environment.sites:
        for inner in _INSIDE:
            folder = os.path.join(entry.path, package, inner).rstrip(os.sep)
            names = [name for name in context.environment.tree.names(folder) if is_library(name)]
            if any(_RUNTIME.fullmatch(name) for name in names):
                return True
            for name in names[:_MOST]:
                binary = read_binary(os.path.join(folder, name))
                needed = binary.needed if isinstance(binary, Binary) else ()
                if any(_RUNTIME.fullmatch(os.path.basename(each.name)) for each in needed):
                    return True
    return False


@rule("TL613", on="log")
def locked(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """TensorFlow beside a package that has the same C++ libraries in it."""
    first = log.first
    names = ("tensorflow", "tensorflow-macos")
    name = next((each for each in names if context.installed.get(each) is not None), "")
    if first is None or not name or not _LOCKED.search(first.text) or context.operating_system != "macos":
        return
    yield context.finding(
        "TL613",
        severity_of(fails=False),
        f"the process in the log ended in a lock of a library, and {context.named(name)} is beside torch",
        name,
        because="transformers imports TensorFlow where it is installed, and its libraries and those of tokenizers "
        "have the same C++ code in two versions",
        expected_error=first.text,
        remedy=Remedy(
            "Remove TensorFlow from this environment, if the program does not use it; or set USE_TF=0, so that "
            "transformers does not import it.",
            commands=(Command("pip", f"python -m pip uninstall -y {name}"), Command("shell", "export USE_TF=0")),
        ),
        sources=("tensorflow-105870",),
        strength=Strength.REPORTED,
    )
