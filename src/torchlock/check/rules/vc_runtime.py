"""TL618, TL311: a Visual C++ runtime that is too old for torch, and a Windows with too little memory for it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.windows_libraries import install_vc_runtime, is_windows, renew_vc_runtime
from torchlock.finding import Remedy, Strength
from torchlock.inspect.dll_version import version_of_dll
from torchlock.inspect.record import Record, read_record
from torchlock.knowledge.registry import rule
from torchlock.knowledge.rules import specifier_set
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding
    from torchlock.inspect.distributions import Distribution

_DLL = "msvcp140.dll"
_NEEDED = (14, 40)
_SINCE = ">=2.9"
_MODULE = pattern(r"DLL load failed while importing (?P<name>\w{1,100})")


@rule("TL618")
def vc_runtime(context: CheckContext) -> Iterator[Finding]:
    """The runtime beside python.exe, which Windows takes before its own."""
    if _is_affected(context) and (older := _older_copy(context)) is not None:
        path, version = older
        there = f"{_DLL} of this environment is {version[0]}.{version[1]}"
        yield _outdated(context, there, path, renew_vc_runtime(context, path))


def _older_copy(context: CheckContext) -> tuple[str, tuple[int, int]] | None:
    """An older runtime in the folder of torch or beside python.exe, which Windows takes before its own."""
    copy, prefix = context.copy("torch"), context.environment.interpreter.prefix
    own = os.path.join(copy.path, "lib") if copy is not None else ""
    for folder in filter(None, (own, prefix)):
        names = context.environment.tree.names(folder)
        path = next((os.path.join(folder, name) for name in names if name.lower() == _DLL), "")
        if path:
            version = version_of_dll(path)
            return (path, version) if version is not None and version < _NEEDED else None
    return None


@rule("TL618", on="log")
def shown(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A log in which a library of torch is found and fails when it is initialised."""
    first = log.first
    if first is None or first.rules[:1] != ("TL618",) or not _is_affected(context):
        return
    if any(finding.rule == "TL618" for finding in found):
        return
    if brought := next(_brought(context), None):
        name, version, path = brought
        there = f"{name} contains {version[0]}.{version[1]} under this name"
        runtime = install_vc_runtime(context)
        words = f"Import torch before {name}: a process keeps the first {_DLL} that it loads. If torch fails alone"
        remedy = Remedy(f"{words} as well, the one of Windows is too old: {_lower(runtime.summary)}")
        yield _outdated(context, there, path, remedy)
        return
    there = f"{first.library or 'a DLL of torch'} fails when it is initialised, as with an older one"
    yield _outdated(context, there, "", install_vc_runtime(context))


@rule("TL618", on="log")
def shown_by_others(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A log in which a module of another package is found and fails when it is initialised."""
    first = log.first
    match = _MODULE.search(first.text) if first is not None else None
    if first is None or match is None or first.rules[:1] != ("TL618",) or not is_windows(context):
        return
    owner, module = _owner_of(context, match["name"])
    if owner is None or any(finding.rule == "TL618" for finding in found):
        return
    older, brought = _older_copy(context), next(_brought(context), None)
    path, remedy = "", install_vc_runtime(context)
    message = f"{os.path.basename(module)} of {owner.name} {owner.version} fails when it is initialised, "
    if older is not None:
        path, version = older
        message += f"and {_DLL} of this environment is {version[0]}.{version[1]}"
        remedy = renew_vc_runtime(context, path)
    elif brought is not None:
        name, version, path = brought
        message += f"and {name} contains {_DLL} {version[0]}.{version[1]}"
        words = f"Import {owner.name} before {name}: a process keeps the first {_DLL} that it loads. If that does "
        remedy = Remedy(f"{words}not help: {_lower(remedy.summary)}", commands=remedy.commands)
    else:
        message += f"as with a Visual C++ runtime before {_NEEDED[0]}.{_NEEDED[1]}"
    yield context.finding(
        "TL618",
        "warning",
        message,
        owner.name,
        path=path or module,
        because=f"libraries that Visual Studio 17.10 and later built need {_DLL} 14.40 or later",
        expected_error=first.text,
        remedy=remedy,
        sources=("onnxruntime-21005", "triton-6483"),
        strength=Strength.RAN,
        lacks=(os.path.basename(module),),
    )


def _owner_of(context: CheckContext, module: str) -> tuple[Distribution | None, str]:
    """The package that recorded an extension module of this name, and its file."""
    named = re.compile(rf"(?:^|/){re.escape(module)}(?:\.cp\d{{2,4}}t?-win\w{{2,10}})?\.pyd$", re.IGNORECASE)
    for distribution in context.installed.distributions:
        record = read_record(distribution)
        if not isinstance(record, Record):
            continue
        for row in record.rows(endings=(".pyd",)):
            if named.search(row.path):
                return distribution, os.path.normpath(os.path.join(record.base, row.path))
    return None, ""


@rule("TL311", on="log")
def paging_file(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A log in which Windows has no memory left for the libraries of torch; they are not at fault."""
    first = log.first
    if first is None or first.rules[:1] != ("TL311",) or not is_windows(context) or "torch" not in context.pins:
        return
    yield context.finding(
        "TL311",
        "error",
        f"Windows has too little memory to load {first.library or 'the libraries'} of {context.named('torch')}",
        "torch",
        expected_error=first.text,
        remedy=Remedy(
            "Enlarge the paging file (System, Advanced system settings, Performance, Advanced, Virtual memory), "
            "or start fewer processes: each worker of a DataLoader loads torch again."
        ),
        lacks=(first.library,) if first.library else (),
    )


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _is_affected(context: CheckContext) -> bool:
    pin = context.pins.get("torch")
    if pin is None or pin.unversioned or not is_windows(context):
        return False
    return specifier_set(_SINCE).contains(pin.version, prereleases=True)


def _outdated(context: CheckContext, there: str, path: str, remedy: Remedy) -> Finding:
    needed = f"{_DLL} {_NEEDED[0]}.{_NEEDED[1]} or later"
    return context.finding(
        "TL618",
        "error",
        f"{context.named('torch')} needs the Visual C++ runtime with {needed}, and {there}",
        "torch",
        path=path,
        expected_error="OSError: [WinError 1114] A dynamic link library (DLL) initialization routine failed.",
        remedy=remedy,
        lacks=("c10.dll",),
    )


def _brought(context: CheckContext) -> Iterator[tuple[str, tuple[int, int], str]]:
    """The packages that contain an older runtime under its own name: name, version and path."""
    for distribution in context.installed.distributions:
        record = read_record(distribution)
        for row in record if isinstance(record, Record) else ():
            if row.path.rpartition("/")[2].lower() == _DLL:
                path = os.path.normpath(os.path.join(record.base, row.path)) if isinstance(record, Record) else ""
                version = version_of_dll(path)
                if version is not None and version < _NEEDED:
                    yield distribution.name, version, path
