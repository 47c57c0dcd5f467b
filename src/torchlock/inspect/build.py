"""The build that a package states: ``version.py`` and similar files, read as text and never run."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock.answers import Unknown
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.patterns import pattern
from torchlock.runtime import files

if TYPE_CHECKING:
    from torchlock.runtime.files import Tree

_LIMIT = 256 << 10
_LISTED = 2000
# auditwheel adds a hash to the names of bundled libraries.
_CUDART = pattern(r"libcudart(?:-[0-9a-f]{8})?\.so\.((?:[89]|10)\.\d)(?:\.\d+)*")
# Where a version is written, the likeliest first.
_FILES = ("version.py", "_version.py", "__version__.py", "__init__.py")
_ASSIGNED = pattern(
    r"""^(?:__)?(version|cuda|hip|rocm|xpu)(?:__)?                    # what
    [ \t]*(?::[^=\n]{0,80})?=[ \t]*                                   # annotated or not
    (?:(None|True|False)|[rubRUB]{0,2}(['"])([^'"\n\\]{0,200})\3)     # a literal
    [ \t]*(?:\#.*)?\r?$""",
    re.MULTILINE | re.VERBOSE,
)


class Build(NamedTuple):
    """``cuda`` (``13.0``), ``hip`` and ``xpu`` are None if the file does not say, "" if it says None.

    ``path`` is the file that was read.
    """

    path: str
    version: str = ""
    cuda: str | None = None
    hip: str | None = None
    xpu: str | None = None

    @property
    def label(self) -> str:
        """The local version: ``cu130`` of ``2.11.0+cu130``."""
        return self.version.partition("+")[2]


def read_build(path: str, tree: Tree) -> Build | None:
    """The build of a package (its folder) or a single module (its file); None if no file states a version."""
    if path.endswith(".py"):
        return parse_build(path)
    names = tree.names(path)
    for name in _FILES:
        if names.get(name) == "file":
            build = parse_build(os.path.join(path, name))
            if build is not None:
                return build
    return None


def linked_cuda(package: str, tree: Tree) -> str | Unknown:
    """The CUDA version (``10.1``) that the libraries of a package are linked with.

    From CUDA 11 on the name of its runtime library has the major release alone.
    """
    unread = ""
    for folder in (package, os.path.join(package, "lib")):
        for name in sorted(tree.names(folder))[:_LISTED]:
            binary = read_binary(os.path.join(folder, name)) if name.endswith(".so") else None
            if binary is not None and not isinstance(binary, Binary):
                unread = unread or f"{binary.path} cannot be read ({binary.reason})"
            for needed in binary.needed if isinstance(binary, Binary) else ():
                if found := _CUDART.fullmatch(needed.name):
                    return found[1]
    return Unknown(unread or f"no library in {package} names the CUDA version that it is linked with")


def parse_build(path: str) -> Build | None:
    """The literal assignments at the top level of a file; None if the version is not among them."""
    return build_of_text(path, files.text(path, _LIMIT) or "")


def build_of_text(path: str, content: str) -> Build | None:
    """The same, for a given text."""
    found: dict[str, str] = {}
    for name, constant, _, value in _ASSIGNED.findall(content):
        written = "" if constant == "None" else constant or value
        # __version__ goes before version, the first before what a later branch says.
        found.setdefault(name, written)
    if not found.get("version"):
        return None
    return Build(
        path,
        found["version"],
        found.get("cuda"),
        found.get("hip") or found.get("rocm", found.get("hip")),
        found.get("xpu"),
    )
