"""TL613: one OpenMP runtime in several packages. Two copies in one process may end it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.finding import Remedy
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_RUNTIME = re.compile(r"lib(iomp5md\.dll|iomp5\.dylib|omp\.dylib)")
_INSIDE = ("", "lib", ".dylibs")
_MOST = 2000
_SAYS = re.compile(r"Error #15: Initializing ([\w.-]{3,60}), but found ([\w.-]{3,60}) already")
_REMEDY = Remedy(
    "Install these packages all with pip or all with conda, or keep one copy. "
    "KMP_DUPLICATE_LIB_OK=TRUE only hides the problem, and results may be wrong."
)


@rule("TL613")
def openmp(context: CheckContext) -> Iterator[Finding]:
    """It is a note, because most programs work; a log shows if this one did not."""
    if context.target is None or context.target.platform.system == "linux" or context.copy("torch") is None:
        return
    copies: dict[str, list[str]] = {}
    for path in _runtimes(context):
        copies.setdefault(os.path.basename(path), []).append(path)
    for name, paths in copies.items():
        if len(paths) > 1:
            yield context.finding(
                "TL613",
                "note",
                f"there are {len(paths)} copies of {name}: {_listed(paths)}",
                "torch",
                path=paths[1],
                because="a process that loads two of them can end, or compute wrong results",
                expected_error=f"OMP: Error #15: Initializing {name}, but found {name} already initialized.",
                remedy=_REMEDY,
            )


@rule("TL613", on="log")
def openmp_shown(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The two copies that a log names, if the files do not show them."""
    first = log.first
    match = _SAYS.search(first.text) if first is not None else None
    if first is None or match is None or "TL613" in {each.rule for each in found} or "torch" not in context.pins:
        return
    again, loaded = match.groups()
    yield context.finding(
        "TL613",
        severity_of(fails=False),
        f"the process of this log loaded {loaded}, and then {again}: two OpenMP runtimes",
        "torch",
        because="a process that loads two of them can end, or compute wrong results",
        expected_error=first.text,
        remedy=_REMEDY,
    )


def _runtimes(context: CheckContext) -> Iterator[str]:
    """The copies in packages, and the copy of the environment itself, which conda installs."""
    prefix = context.environment.interpreter.prefix
    own = (
        [os.path.join(prefix, "Library", "bin"), os.path.join(prefix, "lib")] if context.environment.conda else []
    )
    for folder in [*_folders(context), *own]:
        for name in context.environment.tree.names(folder):
            if _RUNTIME.fullmatch(name):
                yield os.path.join(folder, name)


def _folders(context: CheckContext) -> Iterator[str]:
    for entry in context.environment.sites:
        packages = [name for name, kind in context.environment.tree.names(entry.path).items() if kind == "folder"]
        for package in packages[:_MOST]:
            if not package.endswith((".dist-info", ".egg-info", "__pycache__")):
                yield from (os.path.join(entry.path, package, inner).rstrip(os.sep) for inner in _INSIDE)


def _listed(paths: list[str]) -> str:
    shown = paths[:3] + ([f"{len(paths) - 3} more"] if len(paths) > 3 else [])
    return ", ".join(shown)
