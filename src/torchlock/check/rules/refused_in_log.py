"""TL608, TL610 and TL621 by a log: a loader refused a library here, and the files show no reason."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.dll_copies import rivals
from torchlock.check.packaged_libraries import in_folders_of
from torchlock.check.windows_errors import REFUSALS
from torchlock.check.windows_libraries import install_vc_runtime
from torchlock.finding import Remedy, Strength
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.machine import machine_in
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import MEMBERS, STACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.dll_copies import Rival
    from torchlock.check.log import Log, Signature
    from torchlock.check.windows_errors import Refusal
    from torchlock.finding import Finding

_HAVE = re.compile(
    r"architecture \(have [('\"]{0,2}(?P<have>[\w,]{2,40})[)'\"]{0,2}, need [('\"]{0,2}(?P<need>\w{2,20})"
)
_TRIED = re.compile(r"(?:tried: |dlopen\()'?(?P<path>/[^'(),]{1,400})")
_NOT_LOADED = re.compile(r"Library not loaded: ['\"]?(?P<name>@[^'\"\n]{1,300})")
_WINDOWS = re.compile(
    r"\[WinError (?P<number>\d{1,5})\](?P<said>[^\"\n]{0,300}?)\.? Error loading \"(?P<path>[^\"\n]{1,400})\""
)
_INNER = re.compile(r"[/\\](?P<package>\w{1,60})[/\\](?:lib[/\\])?(?P<file>[\w.+-]{1,100})$")
_OF_SYSTEM = re.compile(r"api-ms-|kernel32|ucrt", re.IGNORECASE)
_OF_CUDA = re.compile(r"cudnn|cublas|cufft|cusparse|cusolver|curand|nvrtc", re.IGNORECASE)
# Names of slices for some processors of an architecture.
_PLAIN = {"arm64e": "arm64", "x86_64h": "x86_64"}


@rule("TL608", on="log")
def other_architecture(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A library that is right for the machine of its package, loaded by a Python of another one."""
    first, said = log.first, _HAVE.search(log.text)
    if first is None or said is None or any(each.rule == "TL608" and each.severity != "note" for each in found):
        return
    need = _PLAIN.get(said["need"], said["need"])
    tried = [match["path"] for match in _TRIED.finditer(log.text) if match.start() < said.start()]
    named = next(((name, path) for each in reversed(tried) for name, path in _here(context, each)), None)
    machine = machine_in(named[1]) if named is not None else None
    if named is None or machine is None or need in machine.machines:
        return
    name, path = named
    theirs = ", ".join(machine.machines)
    yield context.finding(
        "TL608",
        severity_of(fails=MEMBERS[name].effect == "import"),
        f"{os.path.basename(path)} of {context.named(name)} is for {theirs}, "
        f"and the Python of the log is for {need}",
        name,
        path=path,
        expected_error=first.text,
        remedy=Remedy(
            f"Install {name} once more with the Python that imports it, whose installer takes wheels for {need}, "
            f"if the release has them; or use a Python for {theirs}."
        ),
        strength=Strength.RAN,
        lacks=(os.path.basename(path),),
    )


@rule("TL610", on="log")
def not_loaded(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A library that dyld did not find, and that is in a folder to which its user does not lead."""
    first, said = log.first, _NOT_LOADED.search(log.first.text if log.first is not None else "")
    if first is None or said is None or _is_explained(first, found):
        return
    opened = [path for each in _TRIED.finditer(first.text) for path in _here(context, each["path"])]
    if not opened or not _asks(context, opened[0][1], said["name"]):
        return
    (name, path), library = opened[0], os.path.basename(said["name"])
    there = in_folders_of(context, library)
    where = f"; a copy is in {os.path.dirname(there)}" if there else ""
    yield context.finding(
        "TL610",
        severity_of(fails=MEMBERS[name].effect == "import"),
        f"{os.path.basename(path)} of {context.named(name)} needs {said['name']}, which dyld did not find{where}",
        name,
        path=path,
        because=_why(os.path.basename(path), said["name"]),
        expected_error=first.text,
        strength=Strength.RAN,
        lacks=(library,),
    )


def _why(user: str, name: str) -> str:
    """The reason: ``@rpath`` stands for the folders of LC_RPATH, any other name for one place."""
    if name.startswith("@rpath/"):
        return f"no LC_RPATH of {user} leads to a folder with {os.path.basename(name)}"
    return f"{user} names one place for it, and the process of the log had no such library there"


def _asks(context: CheckContext, path: str, name: str) -> bool:
    """Whether a library names another one, of which the files do not show that it is missing."""
    user = read_binary(path)
    if not isinstance(user, Binary) or not any(each.name == name for each in user.needed):
        return False
    mine = [each.outcome for each in context.attempts if each.path == path]
    lost = {os.path.basename(each.name) for outcome in mine for each in outcome.missing}
    lost |= {os.path.basename(each.name) for outcome in mine for each in outcome.unseen}
    return os.path.basename(name) not in lost


@rule("TL621", on="log")
def refused_by_windows(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A DLL of this environment that Windows does not load, for a reason that the files do not show."""
    first, said = log.first, _WINDOWS.search(log.first.text if log.first is not None else "")
    refusal = REFUSALS.get(int(said["number"])) if said is not None else None
    if first is None or said is None or refusal is None or _is_explained(first, found):
        return
    named = next(iter(_here(context, said["path"])), None)
    if named is None:
        return
    name, path = named
    if blamed := _about_a_need(found, path):
        blamed.severity, blamed.strength = severity_of(fails=MEMBERS[name].effect == "import"), Strength.RAN
        blamed.expected_error = first.text
        return
    rival = next(iter(rivals(context, path, log)), None) if refusal.by_copy else None
    there = f"; {rival.package} contains {' and '.join(rival.names[:2])}, too" if rival is not None else ""
    yield context.finding(
        "TL621",
        severity_of(fails=MEMBERS[name].effect == "import"),
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


def _is_explained(first: Signature, found: Sequence[Finding]) -> bool:
    """Whether a finding about these files is what the log shows, or is about the likeliest cause of its line."""
    bad = [each for each in found if each.severity != "note"]
    return any(each.strength is Strength.RAN or each.rule == first.rules[0] for each in bad)


def _here(context: CheckContext, path: str) -> Iterator[tuple[str, str]]:
    """The package of the stack whose file a path of the log is, with its path here."""
    inner = _INNER.search(path)
    copy = context.copy(inner["package"]) if inner is not None and inner["package"] in STACK else None
    if inner is None or copy is None or inner["package"] not in context.pins:
        return
    here = os.path.join(os.path.dirname(copy.path), *path[inner.start() + 1 :].replace("\\", "/").split("/"))
    if os.path.isfile(here):
        yield inner["package"], here
