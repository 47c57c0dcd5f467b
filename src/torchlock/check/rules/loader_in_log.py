"""TL612 and TL621: what the loader of Linux prints, although every library that is needed is there."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.executable_stack import WHY, unmark
from torchlock.check.relevance import owners_by_depth
from torchlock.finding import Command, Remedy, Strength
from torchlock.knowledge.registry import rule
from torchlock.knowledge.stack import CORE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_NO_ROOM = re.compile(r"(?P<path>[\w./+-]{1,300}\.so[\w.]{0,40}): cannot allocate memory in static TLS block")
_EXECUTABLE = re.compile(r"(?P<path>[\w./+-]{1,300}\.so[\w.]{0,40}): cannot enable executable stack")
_UNMAPPED = re.compile(
    r"(?P<path>[\w./+-]{1,300}\.so[\w.]{0,40}): (?:failed to map segment from shared object"
    r"|cannot (?P<changed>change memory protections|apply additional memory protection[\w ]{0,30}"
    r"|make segment writable for relocation|restore segment prot after reloc)"
    r"|cannot (?:map zero-fill pages|create shared object descriptor|allocate memory for program header))"
    r"(?:: (?P<why>[A-Z][\w ]{5,40}))?"
)
_UNOPENED = re.compile(
    r"(?P<path>[\w./+-]{1,300}\.so[\w.]{0,40}): cannot open shared object file: "
    r"(?P<why>Permission denied|Too many open files)"
)
_OF_MUSL = re.compile(
    r"Error relocating (?P<path>[\w./+-]{1,300}): (?P<symbol>\w{1,200}): symbol not found"
    r"|Error loading shared library (?P<library>[\w.+-]{1,100}): No such file or directory \(needed by"
)
_OLD = re.compile(
    r"(?P<provider>[\w./+-]{1,300}\.so[\w.]{0,20}): version .(?P<version>(?:GLIBC|GLIBCXX|CXXABI)_[\d.]{1,20})"
    r".{0,3} not found \(required by (?P<user>[^)\s]{1,300})\)"
)
# The folder of a conda environment, before its Python.
_CONDA = re.compile(
    r"/[\w./+-]{0,200}?/(?:(?:ana|mini)conda\d?|mini(?:forge|mamba)\d?|mambaforge|conda)(?:/envs/[\w.+-]{1,80})?(?=/lib/)"
)


@rule("TL621", on="log")
def refused(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A library for whose thread-local data no room is left, or one that asks for an executable stack."""
    first = log.first
    if first is None or first.rules[0] != "TL621":
        return
    if match := _NO_ROOM.search(first.text):
        yield _without_room(context, match["path"], first.text)
    elif match := _EXECUTABLE.search(first.text):
        yield _with_stack(context, log, match["path"], first.text)
    elif match := _UNMAPPED.search(first.text):
        yield _unmapped(context, match["path"], match["why"] or "", first.text, is_change=bool(match["changed"]))
    elif match := _UNOPENED.search(first.text):
        yield _unopened(context, match["path"], match["why"], first.text)


def _without_room(context: CheckContext, path: str, line: str) -> Finding:
    """The process has a fixed space for thread-local data; a library that is loaded early gets its part."""
    message = f"the process in the log had no room left for the thread-local data of {os.path.basename(path)}"
    export = (Command("shell", f"export LD_PRELOAD={path}"),) if path.startswith("/") else ()
    first = f"Load {os.path.basename(path)} first, with LD_PRELOAD"
    summary = f"{first}; or import torch before the other packages. A notebook needs the variable in its kernel."
    return context.finding(
        "TL621",
        "error",
        message,
        *_about(context, path),
        because="libraries that were loaded before it used the space that the loader reserves at the start",
        expected_error=line,
        remedy=Remedy(summary, commands=export),
        sources=("jetcard-34",),
        strength=Strength.RAN,
    )


_OF_MOUNT = (
    "the volume with the file is mounted with noexec",
    "mount it with exec, or put the environment (or TMPDIR, for what is compiled into it) on another one",
)
_OF_MEMORY = (
    "the memory of the process is limited (ulimit -v, RLIMIT_AS, the scheduler), and the file needs more",
    "raise the limit, or use a smaller build, such as one for the CPU",
)
_OF_POLICY = (
    "the kernel (SELinux, or another policy) does not let a program change the memory of a library, or run it",
    "look in the log of the kernel for the refusal (ausearch -m avc, dmesg), and have it allowed for this library",
)
_OPENING = {
    "Permission denied": (
        "may not read",
        "the rights of the file or of a folder above it, or a policy of the system, do not allow it",
        "Let the user of the process read the file and enter each folder above it (namei -l shows them), or "
        "install the packages as that user. A snap or a container sees the files outside of it only if it is "
        "allowed to.",
    ),
    "Too many open files": (
        "has too many files open to open",
        "each process may open a limited number of files, and this one reached the limit",
        "Raise the limit before the program starts (ulimit -n 65535), or start fewer workers.",
    ),
}


def _unopened(context: CheckContext, path: str, why: str, line: str) -> Finding:
    """A library that is there, and that the kernel does not let the process open."""
    what, because, fix = _OPENING[why]
    return context.finding(
        "TL621",
        "error",
        f"the process in the log {what} {os.path.basename(path)}",
        *_about(context, path),
        because=because,
        expected_error=line,
        remedy=Remedy(fix),
        sources=("ld-so-manual",),
        strength=Strength.RAN,
    )


def _unmapped(context: CheckContext, path: str, why: str, line: str, *, is_change: bool) -> Finding:
    """The kernel does not map a library: it may not run from its volume, or the memory has a limit."""
    reasons = {"Operation not permitted": [_OF_MOUNT], "Cannot allocate memory": [_OF_MEMORY]}
    likely = [_OF_POLICY] if is_change else reasons.get(why, [_OF_MOUNT, _OF_MEMORY])
    owner = next(iter(_about(context, path)), "")
    name = f"{os.path.basename(path)}{f' of {context.named(owner)}' if owner else ''}"
    fix = "; else ".join(f"if {cause}: {cure}" if len(likely) > 1 else cure for cause, cure in likely)
    return context.finding(
        "TL621",
        "error",
        f"the kernel did not map {name} into the process in the log",
        *filter(None, [owner]),
        because=", or ".join(cause for cause, _ in likely),
        expected_error=line,
        remedy=Remedy(f"{fix[0].upper()}{fix[1:]}. A new installation changes nothing."),
        sources=("pytorch-16558", "node-memwatch-11"),
        strength=Strength.RAN,
    )


def _with_stack(context: CheckContext, log: Log, path: str, line: str) -> Finding:
    """glibc 2.41 and security modules of the kernel do not make the stack executable."""
    library = os.path.basename(path)
    owner = next(iter(_about(context, path) or owners_by_depth(context, log.frames)), "")
    return context.finding(
        "TL621",
        "error",
        f"{library}{f' of {context.named(owner)}' if owner else ''} is marked to need an executable stack, "
        "which this system refuses",
        *filter(None, [owner]),
        because=WHY,
        expected_error=line,
        remedy=unmark(context, owner, path),
        sources=("ctranslate2-1849",),
        strength=Strength.RAN,
    )


def _about(context: CheckContext, path: str) -> list[str]:
    """The installed package to which a path in the log leads, by a folder or by the name of the library."""
    parts = path.replace("\\", "/").split("/")
    folders = [each.removesuffix(".libs") for each in parts if each.endswith(".libs")]
    inner = path.rpartition("-packages/")[2].partition("/")[0] if "-packages/" in path else ""
    stem = re.match(r"lib([a-z0-9]{3,40})-[0-9a-f]{8}\.so", parts[-1])
    names = [*folders, inner, stem[1] if stem else ""]
    return [name for name in names if name and context.installed.get(name) is not None][:1]


@rule("TL612", on="log")
def on_musl(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A wheel for glibc in a process with musl, whose loader prints other lines than that of glibc."""
    first = log.first
    if first is None or _OF_MUSL.search(first.text) is None or any(each.rule == "TL612" for each in found):
        return
    name = next(iter(_about(context, first.text)), "torch")
    if name not in context.pins and context.installed.get(name) is None:
        return
    yield context.finding(
        "TL612",
        "error",
        f"{context.named(name)} was built for glibc, and the process in the log ran on musl",
        name,
        because="no release of torch has wheels for musl (Alpine)",
        expected_error=first.text,
        remedy=Remedy("Use a machine or an image with glibc, such as Debian; or the torch package of Alpine."),
        sources=("pytorch-102592",),
        lacks=tuple(filter(None, [first.symbol or first.library])),
        strength=Strength.RAN,
    )


@rule("TL612", on="log")
def too_old(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A C or C++ library that the process loaded, and that is older than another library needs."""
    first = log.first
    match = _OLD.search(first.text) if first is not None else None
    if first is None or match is None or any(each.rule == "TL612" for each in found):
        return
    owner = next(iter(_about(context, match["user"])), "")
    if not owner and ".so" not in os.path.basename(match["user"]):
        return  # A program is not part of the environment.
    of = f" of {context.named(owner)}" if owner else ""
    yield context.finding(
        "TL612",
        "error" if owner in CORE else "warning",
        f"{os.path.basename(match['user'])}{of} needs {match['version']}, and {match['provider']}, "
        "which the process in the log loaded, does not have it",
        *filter(None, [owner]),
        path=match["user"],
        expected_error=first.text,
        lacks=(match["version"],),
        remedy=_of_conda(match),
        strength=Strength.RAN,
    )


def _of_conda(match: re.Match[str]) -> Remedy | None:
    """The libstdc++ of a conda environment instead of that of the system; None without such an environment."""
    prefix = _CONDA.match(match["user"])
    if prefix is None or match["version"].startswith("GLIBC_") or match["provider"].startswith(prefix[0]):
        return None
    summary = (
        f"The process loaded the C++ library of the system, and {prefix[0]} is an environment of conda: install a "
        "later one there (conda install -c conda-forge libstdcxx-ng), and name its folder first in "
        "LD_LIBRARY_PATH."
    )
    return Remedy(
        summary, commands=(Command("shell", f"export LD_LIBRARY_PATH={prefix[0]}/lib:$LD_LIBRARY_PATH"),)
    )
