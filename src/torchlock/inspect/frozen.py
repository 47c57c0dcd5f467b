"""Applications that a freezer made of a Python program: which program made one, and where its parts are.

Its packages are a part of the application. Their modules may be in an archive or in the program itself, and no
installer changes them.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torchlock.runtime.files import Kind, Tree

# The archive or the folder by which a freezer is known: of PyInstaller, of py2exe and cx_Freeze, of Briefcase.
_OF_PYINSTALLER, _ARCHIVE, _OF_BRIEFCASE = "base_library.zip", "library.zip", "app_packages"
# Python's own library, which stands beside the program in a folder that Nuitka or py2exe made.
_PYTHON = pattern(r"python3\d{1,2}t?\.dll|libpython3\.\d{1,2}t?\.(so[\d.]*|dylib)|Python", re.IGNORECASE)
_OF_PYTHON = ("site-packages", "dist-packages")
_STARTER = pattern(r"(?:python|pypy)[\d.]*t?w?(?:\.exe)?")


class Frozen(NamedTuple):
    """An application.

    ``maker`` is the program that made it, "" if that is unknown. ``programs`` are the folders that may hold its
    executable, ``folders`` those in which it lets the loader search.
    """

    maker: str
    programs: tuple[str, ...]
    folders: tuple[str, ...]


def frozen_at(site: str, tree: Tree) -> Frozen | None:
    """The application that a folder of packages is a part of; None for one of a Python, and for packages alone."""
    if os.path.basename(site) in _OF_PYTHON or any(_has_python(site, tree)):
        return None
    contents = _contents(site)
    maker = _maker(site, tree, contents)
    if maker is None:
        return None
    above = os.path.dirname(site)
    if contents:
        inner = [os.path.join(contents, name) for name in ("MacOS", "Frameworks", "Resources")]
        return Frozen(maker, (inner[0],), (site, *inner))
    return Frozen(maker, (above, site), (site, above))


def _has_python(site: str, tree: Tree) -> Iterator[bool]:
    """Whether a Python that can be started is there: then it is an environment."""
    for place in (site, os.path.dirname(site)):
        yield any(kind != "folder" and _STARTER.fullmatch(name) for name, kind in tree.names(place).items())


def _contents(site: str) -> str:
    """``X.app/Contents`` of the application for macOS that a folder is in; "" outside of them."""
    parts = site.split(os.sep)
    inside = [at for at, name in enumerate(parts[:-1]) if name.endswith(".app") and parts[at + 1] == "Contents"]
    return os.sep.join(parts[: inside[-1] + 2]) if inside else ""


def _maker(site: str, tree: Tree, contents: str) -> str | None:
    """The freezer, "" if the application does not show which one; None if nothing shows an application."""
    names, above = tree.names(site), tree.names(os.path.dirname(site))
    if os.path.basename(site) == _OF_BRIEFCASE:
        return "Briefcase"
    if os.path.basename(site) == "lib" and (_ARCHIVE in names or _ARCHIVE in above):
        return "cx_Freeze"
    if _OF_PYINSTALLER in names:
        return "PyInstaller"
    if _ARCHIVE in names:
        return "py2exe"
    if contents:
        return "py2app" if "__boot__.py" in tree.names(os.path.join(contents, "Resources")) else ""
    if _has_program(names):
        return "Nuitka" if site.endswith(".dist") else ""
    return None


def _has_program(names: Mapping[str, Kind]) -> bool:
    """Whether a folder has a program, and the library of Python that it runs on."""
    found = [name for name, kind in names.items() if kind == "file"]
    others = [name for name in found if not _PYTHON.fullmatch(name)]
    return len(others) < len(found) and any(
        name.lower().endswith((".exe", ".bin")) or "." not in name for name in others
    )
