"""The errors that Python prints on each platform if a library does not load; users search for these texts."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.knowledge.stack import goes_on_without
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.check.context import CheckContext

# Where the loader of each operating system is described; a report cites that of the examined one.
LOADER_MANUALS = ("ld-so-manual", "dyld-manual", "loadlibrary-manual")

_ENOENT = "No such file or directory"
# Modules that Python itself opens. ctypes opens the other libraries, and its error is an OSError.
_IMPORTED = pattern(
    r"(?!lib).+\.(cpython-\w+-[\w-]+|abi3)\.so$|.+\.cp\w+-win\w+\.pyd$|.+\.cpython-\w+-darwin\.so$"
)

# The libraries that torch's extension module needs, and that torch does not open before it.
_OF_CORE = pattern(r"lib(torch(_python|_cpu|_cuda\w*|_hip)?|c10(_cuda|_hip)?|shm|caffe2\w*)\.(so|dylib)")


def not_found(context: CheckContext, package: str, opened: str, library: str, wanted_by: str) -> str:
    """The error for a missing library. The package opens ``opened``; ``wanted_by`` needs the missing library."""
    return _message(
        context,
        package,
        opened,
        windows=_of_windows(context, package, opened, wanted_by, 126, "module"),
        macos=f"Library not loaded: {library if library[:1] in ('@', '/') else f'@rpath/{library}'}",
        linux=f"{library}: cannot open shared object file: {_ENOENT}",
    )


def no_symbol(context: CheckContext, package: str, opened: str, symbol: str, wanted_by: str) -> str:
    """The error for a symbol that no library defines."""
    return _message(
        context,
        package,
        opened,
        windows=_of_windows(context, package, opened, wanted_by, 127, "procedure"),
        macos=f"Symbol not found: {symbol}",
        linux=f"{wanted_by}: undefined symbol: {symbol}",
    )


# The size of the header of a 64-bit ELF file. The loader refuses a shorter file; it maps a longer one that is cut
# off, and the process ends when it reads what is missing.
_ELF_HEADER = 64


def no_library(context: CheckContext, path: str, opened: str = "", kind: str = "") -> str:
    """The error for a file that is not a library; ``opened`` needs it, if it is not opened itself.

    ``kind`` is the kind of damage, as ``inspect.library.broken_library`` names it.
    """
    system, error = _system(context), _error(opened) if opened else error_about(path)
    if system == "windows":
        return _not_an_image(context, opened or path)
    if system == "macos":
        found = "truncated mach-o error: [...]" if kind == "truncated" else "not a mach-o file"
        return f"{error}: dlopen({path}, {_flags(opened or path)}): tried: '{path}' ({found})"
    if kind == "empty" or (kind == "truncated" and _size(path) < _ELF_HEADER):
        return f"{error}: {path}: file too short"
    return "Bus error (core dumped)" if kind == "truncated" else f"{error}: {path}: invalid ELF header"


def of_other_machine(
    context: CheckContext, path: str, opened: str, machines: Sequence[str], *, of_system: str = ""
) -> str:
    """The error for a library of another machine, which ``opened`` needs, if it is not that itself.

    ``machines`` are those of the library; ``of_system`` is its system, "" for that of the environment.
    """
    system = _system(context)
    if of_system not in ("", system) and path == opened and _IMPORTED.match(os.path.basename(path)):
        return _not_looked_for(path, system)
    if system == "macos":
        have = f" (have '{machines[0]}')" if machines else ""
        return f"ImportError: dlopen({opened}): incompatible architecture{have}"
    if system == "windows":
        return _not_an_image(context, opened)
    wrong = f"cannot open shared object file: {_ENOENT}" if of_system in ("", system) else "invalid ELF header"
    return f"ImportError: {path}: {wrong}"


def _not_looked_for(path: str, system: str) -> str:
    """The error for a module whose file has the ending of another system; "" if it depends on the release.

    Before its module, torch opens libraries on all systems but Windows. A folder of that name is imported instead.
    """
    folder, name = os.path.split(path)
    package, module = os.path.basename(folder), name.partition(".")[0]
    if os.path.isdir(os.path.join(folder, module)) or (package == "torch" and system != "windows"):
        return ""
    return f"ModuleNotFoundError: No module named '{package}.{module}'"


def _not_an_image(context: CheckContext, opened: str) -> str:
    """The error on Windows for a file that is not a DLL of this machine; torch names those of its folder."""
    said = "%1 is not a valid Win32 application."
    if _IMPORTED.match(os.path.basename(opened)):
        return f"{_not_imported(context, opened)}: {said}"
    if re.search(r"[/\\]torch[/\\]lib[/\\][^/\\]+\.dll$", opened, re.IGNORECASE):
        return f'OSError: [WinError 193] {said} Error loading "{opened}" or one of its dependencies.'
    return f"OSError: [WinError 193] {said[:-1]}"


def _not_imported(context: CheckContext, opened: str) -> str:
    """How the error of an import on Windows begins: Python 3.8 and later name the module."""
    module = os.path.basename(opened).partition(".")[0]
    is_old = re.match(r"3\.[0-7](\.|$)", context.environment.interpreter.version)
    return "ImportError: DLL load failed" if is_old else f"ImportError: DLL load failed while importing {module}"


def _flags(opened: str) -> str:
    """The flags of dlopen in messages of dyld: an import asks for RTLD_NOW, ctypes for RTLD_LOCAL, too."""
    folder, name = os.path.split(opened)
    is_core = os.path.basename(folder) == "torch" and name.startswith("_C.")
    return "0x0002" if is_core or _IMPORTED.match(name) else "0x0006"


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return _ELF_HEADER


# torchvision continues without its library and fails when it describes its operators.
_WITHOUT_OPERATORS = "RuntimeError: operator torchvision::nms does not exist"


def _message(context: CheckContext, package: str, opened: str, *, windows: str, macos: str, linux: str) -> str:
    """What Python prints; on macOS and Linux after the error and the file that was opened. "" for nothing."""
    if goes_on(context, package):
        return ""
    if _is_swallowed(context, package):
        return _WITHOUT_OPERATORS
    system = _system(context)
    if system == "windows":
        return windows
    said = f"dlopen({opened}, {_flags(opened)}): {macos}" if system == "macos" else linux
    return f"{_error(opened)}: {said}"


def goes_on(context: CheckContext, package: str) -> bool:
    """Whether the import of an installed package continues without its compiled library, and says nothing."""
    pin = context.pins.get(package)
    return pin is not None and goes_on_without(package, pin.version.public)


def _is_swallowed(context: CheckContext, package: str) -> bool:
    copy = context.copy("torchvision") if package == "torchvision" else None
    return copy is not None and "_meta_registrations.py" in context.environment.tree.names(copy.path)


def _of_windows(context: CheckContext, package: str, opened: str, wanted_by: str, number: int, what: str) -> str:
    """The error on Windows: torch names the library of its own that fails; ctypes names less."""
    said = f"[WinError {number}] The specified {what} could not be found"
    if package == "torch":
        return f'OSError: {said}. Error loading "{wanted_by}" or one of its dependencies.'
    if _IMPORTED.match(os.path.basename(opened)):
        return f"{_not_imported(context, opened)}: The specified {what} could not be found."
    if number == 126:
        path = opened.replace("/", "\\")
        return (
            f"FileNotFoundError: Could not find module '{path}' (or one of its dependencies). "
            "Try using the full path with constructor syntax."
        )
    return f"OSError: {said}"


def error_about(path: str) -> str:
    """The type of the error about a library: of those beside torch, its extension module needs most."""
    folder, name = os.path.split(path)
    is_of_core = folder.endswith(os.path.join(os.sep, "torch", "lib")) and _OF_CORE.match(name)
    return "ImportError" if is_of_core else _error(path)


def _error(opened: str) -> str:
    folder, name = os.path.split(opened)
    is_core = os.path.basename(folder) == "torch" and name.startswith("_C.")
    return "ImportError" if is_core or _IMPORTED.match(name) else "OSError"


def _system(context: CheckContext) -> str:
    return context.operating_system or "linux"
