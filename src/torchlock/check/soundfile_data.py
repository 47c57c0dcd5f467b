"""The libsndfile in soundfile's own wheel: which file its module opens, and whether that file is there."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.patterns import pattern
from torchlock.runtime import files

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.inspect.modules import ModuleCopy

_LIMIT = 1 << 20
# Releases from 0.11 on have a name of their own for it; earlier ones use that of the system's library.
_ASSIGNED = pattern(r"^ +_(packaged_)?libname = (.{1,200})$", re.M)
# What the parts of a name are: texts, and calls whose results differ between machines.
_PART = pattern(r"""['"]([\w.-]{1,40})['"]|(_machine\(\))|(_architecture\(\)\[0\])""")
# A part of a name that can be any word: the machine.
_ANY = r"\w+"
_ENDINGS = {"linux": "so", "macos": "dylib", "windows": "dll"}


def there(context: CheckContext, copy: ModuleCopy) -> list[str]:
    """The names of the libraries in the folder of soundfile's data."""
    names = context.environment.tree.names(folder_of(copy))
    return sorted(name for name in names if name.startswith("libsndfile"))


def opened(context: CheckContext, copy: ModuleCopy) -> list[str]:
    """Those of them that this release of the module opens.

    Without ``__init__.py`` the folder has no path of its own, and a module that imports it does not find it.
    """
    found = there(context, copy)
    if found and is_hollow(context, copy):
        return []
    asked = asked_by(context, copy)
    return found if asked is None else [name for name in found if any(each.fullmatch(name) for each in asked)]


def is_hollow(context: CheckContext, copy: ModuleCopy) -> bool:
    """Whether the module imports the folder as a package, and the folder is none."""
    return "import _soundfile_data" in _text(copy) and "__init__.py" not in context.environment.tree.names(
        folder_of(copy)
    )


def asked_by(context: CheckContext, copy: ModuleCopy) -> list[re.Pattern[str]] | None:
    """The names that the module has for this system (unknown: for any); None if its text does not show them."""
    lines = _ASSIGNED.findall(_text(copy))
    if not lines:
        return None
    is_packaged = any(packaged for packaged, _ in lines)
    ending = _ENDINGS.get(context.operating_system, r"\w+")
    names = [_pattern(value) for packaged, value in lines if bool(packaged) == is_packaged]
    if any(name.count(_ANY) > 1 for name in names):
        return None  # No release has such a name, and its pattern could take very long.
    return [re.compile(name) for name in names if re.search(rf"\\\.{ending}$", name)]


def _pattern(value: str) -> str:
    """A regular expression for the file name that an expression results in."""
    parts = _PART.findall(value.partition("#")[0])
    return "".join(re.escape(text) or (_ANY if machine else "(32|64)bit") for text, machine, _ in parts)


def _text(copy: ModuleCopy) -> str:
    return files.text(copy.path, _LIMIT) or "" if copy.path.endswith(".py") else ""


def folder_of(copy: ModuleCopy) -> str:
    """The folder of soundfile's data, beside its module."""
    return os.path.join(os.path.dirname(copy.path), "_soundfile_data")
