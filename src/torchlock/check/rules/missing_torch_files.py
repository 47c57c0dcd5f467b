"""TL601: a torch without the files that its import opens first, if no record lists them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.inspect.library import is_library
from torchlock.knowledge.registry import rule
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
