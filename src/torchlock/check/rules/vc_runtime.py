"""TL618, TL311: a Visual C++ runtime that is too old for torch, and a Windows with too little memory for it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.check.windows_libraries import install_vc_runtime, is_windows
from torchlock.finding import Remedy
from torchlock.inspect.dll_version import version_of_dll
from torchlock.inspect.record import Record, read_record
from torchlock.knowledge.registry import rule
from torchlock.knowledge.rules import specifier_set

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_DLL = "msvcp140.dll"
_NEEDED = (14, 40)
_SINCE = ">=2.9"


@rule("TL618")
def vc_runtime(context: CheckContext) -> Iterator[Finding]:
    """The runtime beside python.exe, which Windows takes before its own."""
    prefix = context.environment.interpreter.prefix
    if not _is_affected(context) or not prefix or (copy := context.copy("torch")) is None:
        return
    for folder in (os.path.join(copy.path, "lib"), prefix):
        names = context.environment.tree.names(folder)
        path = next((os.path.join(folder, name) for name in names if name.lower() == _DLL), "")
        version = version_of_dll(path) if path else None
        if version is not None and version < _NEEDED:
            there = f"{_DLL} of this environment is {version[0]}.{version[1]}"
            yield _outdated(context, there, path, install_vc_runtime(context))
        if path:
            return


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
