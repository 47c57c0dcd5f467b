"""The Pythons of MSYS2: they run on Windows, take no wheels for it, and have packages of pacman instead."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.finding import Command, Remedy
from torchlock.runtime import files

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext

# The environments of MSYS2, each with the start of the names of its packages.
PACKAGES = {
    "mingw64": "mingw-w64-x86_64",
    "mingw32": "mingw-w64-i686",
    "ucrt64": "mingw-w64-ucrt-x86_64",
    "clang64": "mingw-w64-clang-x86_64",
    "clangarm64": "mingw-w64-clang-aarch64",
}
_LIBSNDFILE = "libsndfile-1.dll"
# soundfile is one module, and smaller.
_MODULE = 256 << 10
# The names that soundfile has for the library on Windows.
_NAMES = "sndfile.dll and libsndfile.dll"


def environment_of(context: CheckContext) -> str:
    """The environment of MSYS2 that this is; "" if it is none."""
    name = os.path.basename(context.environment.interpreter.prefix.rstrip("/\\")).lower()
    return name if name in PACKAGES and not context.environment.conda else ""


def has_libsndfile(context: CheckContext) -> bool | Unknown | None:
    """Whether soundfile finds the library of MSYS2; None in any other Python.

    The soundfile of MSYS2 looks for the name that its library has; that of a wheel does not.
    """
    if not environment_of(context):
        return None
    if not _is_there(context):
        return Unknown("the libraries of MSYS2 were not examined")
    copy = context.copy("soundfile")
    return copy is not None and _LIBSNDFILE in (files.text(copy.path, _MODULE) or "")


def why_no_libsndfile(context: CheckContext) -> str:
    """Why soundfile does not find the library that MSYS2 has; "" if it has none."""
    if not environment_of(context) or not _is_there(context):
        return ""
    return f"does not find the library of MSYS2: it looks for {_NAMES}, and MSYS2 calls it {_LIBSNDFILE}"


def _is_there(context: CheckContext) -> bool:
    folder = os.path.join(context.environment.interpreter.prefix, "bin")
    return _LIBSNDFILE in context.environment.tree.names(folder)


def install_soundfile(context: CheckContext) -> Remedy:
    """Install the package of MSYS2, which looks for the library of MSYS2."""
    start = PACKAGES[environment_of(context)]
    summary = (
        "Install soundfile from the packages of MSYS2, which know the name of its library: the Python of MSYS2 "
        "takes no wheels for Windows. Or use a Python of python.org."
    )
    line = f"pacman -S {start}-python-soundfile {start}-libsndfile"
    return Remedy(summary, commands=(Command("system", line),))
