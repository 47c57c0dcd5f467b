"""TL602: a package whose own files do not fit together, as a log shows: they are of two releases.

One file takes a name from another file of the same package, which does not have it. The code that imported the
package is not at fault.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.lacking_names import is_lacking, shadowing_file
from torchlock.check.log_files import file_here
from torchlock.check.log_signatures import ECHO
from torchlock.check.tracebacks import endings, missing_names
from torchlock.finding import Remedy, Strength
from torchlock.inspect.library import is_library
from torchlock.knowledge.registry import group, rule
from torchlock.knowledge.severity import severity_of
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.check.tracebacks import Frame, MissingName
    from torchlock.finding import Finding

_OF_COMPILED = re.compile(
    r"torch[/\\]__init__\.py\", line \d{1,6}, in <module>\n {1,12}_C\._\w{1,60}\([^\n]{0,200}\n"
    r"(?: {1,12}[~^]{1,200}\n)?"
    r"AttributeError: partially initialized module 'torch' has no attribute '(?P<name>\w{1,60})'"
)
# Code that makes a name while it runs, or passes on what others asked for: its file need not contain the name.
_COMPUTES = re.compile(r"\bgetattr\(|\b__getattr__\(|import_module\(|__import__\(|^raise\b")
_LARGEST = 4 << 20
_ALIVE = "If it was changed while this notebook or program ran, restart that: it has files of both in memory."


def is_mixed(missing: MissingName) -> bool:
    """Whether a package itself asked for a name that a file of its own lacks; a whole module may be optional."""
    is_own = bool(missing.asker) and ("-packages" in missing.file or not missing.file)
    is_computed = _COMPUTES.search(missing.code) is not None
    return is_own and not is_computed and not missing.partly and "No module named" not in missing.text


def is_private(missing: MissingName) -> bool:
    """Whether no code is shown that asked for a name of a private part of a package, which its own files use."""
    module = missing.name.rpartition(".")[0]
    is_shown = missing.caller is not None or missing.partly
    is_of_file = not missing.file or "-packages" in missing.file
    return not is_shown and "._" in module and is_of_file and "No module named" not in missing.text


@rule("TL602", on="unexplained")
def private(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A name of a private part of a package, without the code that asked for it."""
    first = log.first
    missing = next(filter(is_private, missing_names(log.text)), None)
    if first is None or missing is None or missing.line != first.line or context.copy(missing.package) is not None:
        return
    package, (module, _, name) = missing.package, missing.name.rpartition(".")
    yield context.finding(
        "TL602",
        "warning",
        f"files of two releases of {package} are mixed, or code uses its private parts: {module} lacks {name}",
        package,
        because=f"{module} is a private part of {package}, whose names mostly its own files use; the files of one "
        "release have each name that they take from each other",
        expected_error=missing.text,
        remedy=Remedy(
            f"{_ALIVE} Else install {package} again with all its files (--force-reinstall --no-deps), in the "
            "release that belongs to the installed torch."
        ),
        strength=Strength.RAN,
    )


@rule("TL602", on="log")
def mixed(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The first name that a package lacks in its own files; none if another damage of it is known."""
    first = log.first
    missing = next(filter(is_mixed, missing_names(log.text)), None)
    if first is None or first.weight == ECHO or missing is None or shadowing_file(context, missing):
        return
    package = missing.package
    bad = [each for each in found if each.severity != "note" and package in dict(each.packages)]
    if any(each.rule in group("damage") for each in bad):
        return
    is_here = context.copy(package) is not None
    module, _, name = missing.name.rpartition(".")
    changed = _changed_library(context, package) if "._C" in module else ""
    if is_here and not changed and not is_lacking(context, missing):
        return
    also = f"; {os.path.basename(changed)} is not the file that its record lists" if changed else ""
    yield context.finding(
        "TL602",
        severity_of(fails=is_here),
        f"files of two releases of {package} are mixed: {missing.asker} needs {name} of {module}, which lacks it"
        f"{also}",
        package,
        path=changed or _path(context, package, module),
        because="the files of one release have each name that they take from each other",
        expected_error=missing.text,
        remedy=None if is_here else Remedy(f"{_ALIVE} Else install {package} again with all its files."),
        strength=Strength.RAN,
    )


@rule("TL602", on="unexplained")
def in_memory(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A name that a file here takes from another one here, which has it: the process is older than the files."""
    missing = _older(context, log)
    if missing is None:
        return
    package, (module, _, name) = missing.package, missing.name.rpartition(".")
    yield context.finding(
        "TL602",
        "warning",
        f"the process in the log had files of two releases of {package} in memory: {missing.asker} needs {name} "
        f"of {module}, which has it here",
        package,
        path=_path(context, package, module),
        because=f"the line of the log is in the installed file, and {module} was loaded before it was installed",
        expected_error=missing.text,
        remedy=Remedy("Restart the notebook or the program: the files of the package fit together."),
        strength=Strength.RAN,
    )


def is_older(context: CheckContext, log: Log) -> bool:
    """Whether the process of a log began before the files were installed that are here, and ran their code."""
    return _older(context, log) is not None


def _older(context: CheckContext, log: Log) -> MissingName | None:
    first = log.first
    missing = next(filter(is_mixed, missing_names(log.text)), None)
    if first is None or missing is None or missing.line != first.line or context.copy(missing.package) is None:
        return None
    module, _, name = missing.name.rpartition(".")
    frames = next((each[-1:] for text, each in endings(log.text) if text == missing.text), [])
    text = _text(_path(context, missing.package, module))
    defines = re.search(rf"^(?:def|class) {re.escape(name)}\b|^{re.escape(name)}\s*[:=]", text, re.MULTILINE)
    return missing if defines and any(_has_line(context, each) for each in frames) else None


def _has_line(context: CheckContext, frame: Frame) -> bool:
    """Whether the installed file has the line of code of a frame."""
    named = file_here(context, frame.path)
    lines = _text(named.path).split("\n") if named is not None else []
    return bool(frame.code) and 0 < frame.line <= len(lines) and lines[frame.line - 1].strip() == frame.code


def _text(path: str) -> str:
    return (files.text(path, _LARGEST) or "") if path.endswith(".py") else ""


@rule("TL602", on="log")
def torn(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The compiled part of torch asks its Python files for a name that they do not have."""
    match = _OF_COMPILED.search(log.text) if log.first is not None and "partially" in log.first.text else None
    if match is None or log.first is None or any(each.severity != "note" for each in found):
        return
    yield context.finding(
        "TL602",
        "warning",
        f"files of two releases of torch are mixed: its compiled part needs torch.{match['name']}, which its "
        "Python files lack",
        "torch",
        because="the files of one release have each name that they take from each other",
        expected_error=log.first.text,
        remedy=Remedy("Uninstall torch until no copy of it is left, delete its folder, and install it again."),
        strength=Strength.RAN,
    )


def _changed_library(context: CheckContext, package: str) -> str:
    """A library of a package that is not the one that its record lists; "" if there is none."""
    faults = (each for each in context.integrity.faults if each.distribution == package)
    changed = (each.path for each in faults if each.kind in ("size", "hash"))
    return next((path for path in changed if is_library(os.path.basename(path))), "")


def _path(context: CheckContext, package: str, module: str) -> str:
    """The file of a module of an installed package; the package itself if the module has none."""
    copy = context.copy(package)
    if copy is None:
        return ""
    stem = os.path.join(copy.path, *module.split(".")[1:])
    return next(
        (each for each in (f"{stem}.py", os.path.join(stem, "__init__.py")) if os.path.isfile(each)), copy.path
    )
