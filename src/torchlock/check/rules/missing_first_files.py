"""TL601: packages without the files that their import opens first, if no record lists them."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.relevance import is_hidden, is_vital
from torchlock.inspect.import_graph import LostModule, lost_modules, no_module
from torchlock.inspect.library import is_library
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import STACK
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.modules import ModuleCopy


@rule("TL601")
def without_first_files(context: CheckContext) -> Iterator[Finding]:
    """A torch with its libraries, but without the files that its import opens first. It may have no record."""
    copy = context.copy("torch")
    if copy is None or copy.kind != "package":
        return
    tree = context.environment.tree
    folder = os.path.join(copy.path, "lib")
    libraries = tree.names(folder)
    if not any("torch_python." in name for name in libraries) and not _is_cut(context, copy):
        return
    if not any(name.startswith("_C.") and is_library(name) for name in tree.names(copy.path)):
        expected_error = "ModuleNotFoundError: No module named 'torch._C'"
        message = "torch lacks its extension module _C"
        yield context.finding("TL601", "error", message, "torch", path=copy.path, expected_error=expected_error)
    has_first = any(name.startswith("libtorch_global_deps.") for name in libraries)
    if not has_first and "libtorch_python.so" in libraries and _opens_first(copy.path):
        path = os.path.join(folder, "libtorch_global_deps.so")
        expected_error = f"OSError: {path}: cannot open shared object file: No such file or directory"
        message = "torch lacks libtorch_global_deps, which its import opens first"
        yield context.finding("TL601", "error", message, "torch", path=path, expected_error=expected_error)


@rule("TL601")
def without_modules(context: CheckContext) -> Iterator[Finding]:
    """A package of which modules are missing that its own import loads, and whose record lists no files."""
    if context.environment.frozen is not None:
        return
    for checked in context.integrity.checked:
        name = checked.distribution.name
        copy = context.copy(name) if name in STACK else None
        if copy is None or copy.kind != "package" or is_hidden(context, checked.distribution):
            continue
        if checked.recorded and (checked.missing or not _is_changed(context, copy)):
            continue
        lost = lost_modules(copy.path) or _without_core(context, copy)
        if lost:
            more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
            yield context.finding(
                "TL601",
                severity_of(fails=is_vital(name)),
                f"{name} lacks {lost[0].name}{more}, which its own import loads",
                name,
                path=copy.path,
                because=_MIXED if checked.recorded else _UNENDED,
                expected_error=lost[0].error,
            )


_UNENDED = "no RECORD lists its files, and installers write that last: its installation did not finish"
_MIXED = "its first file is not the one that was recorded: the files of two releases are mixed"


def _is_changed(context: CheckContext, copy: ModuleCopy) -> bool:
    """Whether the first file of a package is not the recorded one."""
    first = os.path.join(copy.path, "__init__.py")
    return any(each.path == first and each.kind in ("size", "hash") for each in context.integrity.faults)


def _without_core(context: CheckContext, copy: ModuleCopy) -> list[LostModule]:
    """The extension module of NumPy, if that is missing: its import loads it under a condition."""
    if copy.name != "numpy":
        return []
    tree = context.environment.tree
    text = tree.text(os.path.join(copy.path, "__init__.py"), 4 << 20)
    core = next((each for each in ("_core", "core") if re.search(rf"\bimport {each}\b", text)), "")
    names = tree.names(os.path.join(copy.path, core)) if core else {"_multiarray_umath": "file"}
    if any(each.startswith("_multiarray_umath") for each in names):
        return []
    module = f"numpy.{core}._multiarray_umath"
    return [LostModule(module, no_module(os.path.dirname(copy.path), module))]


def _is_cut(context: CheckContext, copy: ModuleCopy) -> bool:
    """Whether an installed torch imports its extension module, and has no libraries at all."""
    if copy.entry is None or not copy.entry.is_site or context.record("torch") is not None:
        return False  # Its record says what is missing.
    try:
        return b"from torch._C import" in files.read(os.path.join(copy.path, "__init__.py"), 4 << 20)
    except OSError:
        return False


def _opens_first(package: str) -> bool:
    """Whether this torch opens that library by its path, as the builds for Linux and macOS do."""
    try:
        return b'"libtorch_global_deps' in files.read(os.path.join(package, "__init__.py"), 4 << 20)
    except OSError:
        return False
