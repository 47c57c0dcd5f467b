"""The names that a torchaudio defines, and those that another file uses and this torchaudio does not define."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.inspect.source import LARGEST, defined_names, parsed, uses
from torchlock.runtime import files

if TYPE_CHECKING:
    from torchlock.inspect.source import Use

_DOTTED = re.compile(rb"\btorchaudio(?:\.\w+)+")
_FROM = re.compile(
    rb"\bfrom\s{1,99}(torchaudio[\w.]{0,99})\s{1,99}import\s{1,99}(\([^)]{0,4000}\)|[^\n(]{0,4000})"
)
_RENAMED = re.compile(rb"\bimport\s{1,99}torchaudio[\w.]{0,99}\s{1,99}as\b")


class TorchaudioNames:
    """What a torchaudio defines, by the source of its modules; names that they take from elsewhere count.

    ``folder`` is that of the package. ``is_open``: its source does not show all its names.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._by_module: dict[str, frozenset[str] | None] = {}
        self.is_open = self._defined(folder) is None

    def missing_part(self, dotted: str) -> str:
        """The shortest part of ``torchaudio.io.StreamReader`` that is not there; "" where nothing is missing."""
        place, parts = self._folder, dotted.split(".")
        for number, part in enumerate(parts[1:], 2):
            inner = os.path.join(place, part)
            if files.is_folder(inner):
                place = inner
                continue
            if files.is_file(inner + ".py"):
                place = inner + ".py"
                continue
            defined = self._defined(place)
            is_dunder = part.startswith("__") and part.endswith("__")
            is_there = defined is None or part in defined or is_dunder or _is_compiled(place, part)
            return "" if is_there else ".".join(parts[:number])
        return ""

    def _defined(self, place: str) -> frozenset[str] | None:
        """The names of a module; None where its source does not show all of them."""
        if place not in self._by_module:
            path = os.path.join(place, "__init__.py") if files.is_folder(place) else place
            tree = parsed(path)
            self._by_module[place] = None if tree is None else defined_names(tree)
        return self._by_module[place]


def _is_compiled(folder: str, name: str) -> bool:
    """Whether a folder has a module of this name without its source: an extension module, or byte code."""
    try:
        return any(file.partition(".")[0] == name for file in os.listdir(folder))
    except OSError:
        return False


def missing_uses(path: str, names: TorchaudioNames, *, lazy_annotations: bool) -> list[Use]:
    """What a file takes from a torchaudio that does not define it, in its order, each name up to what is missing.

    ``lazy_annotations``: the Python evaluates no annotation at import (3.14 and later).
    """
    try:
        content = files.read(path, LARGEST)
    except (OSError, ValueError):
        return []
    tree = parsed(path) if _may_miss(content, names) else None
    if tree is None:
        return []
    found = uses(tree, path, ("torchaudio",), lazy_annotations=lazy_annotations)
    return [use._replace(name=missing) for use in found if (missing := names.missing_part(use.name))]


def _may_miss(content: bytes, names: TorchaudioNames) -> bool:
    """Whether a source mentions a name that is not there, or hides it: parsing takes fifty times as long."""
    if b"torchaudio" not in content:
        return False
    mentioned = {match[0].decode() for match in _DOTTED.finditer(content)}
    for match in _FROM.finditer(content):
        words = re.findall(rb"\w+", match[2])
        mentioned |= {f"{match[1].decode()}.{word.decode('utf-8', 'replace')}" for word in words}
    return bool(_RENAMED.search(content)) or any(names.missing_part(name) for name in mentioned)
