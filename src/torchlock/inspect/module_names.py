"""The names that an installed package defines, by its source, and those that another file uses and it lacks."""

from __future__ import annotations

import ast
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock.answers import Unknown
from torchlock.inspect.source import LARGEST, bound_names, defined_names, exported_names, parsed, uses
from torchlock.patterns import pattern
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.inspect.source import Use

# They begin with letters, by which they are found fast. What else they find is parsed in vain.
_FROM = pattern(rb"from\s{1,99}(torch[\w.]{0,99})\s{1,99}import\s{1,99}(\([^)]{0,4000}\)|[^\n(]{0,4000})")
_RENAMED = pattern(rb"import\s{1,99}(torch[\w.]{0,99})\s{1,99}as\b")
# How many modules a chain of "from … import *" may have.
_DEEPEST = 20


class _Module(NamedTuple):
    """One module: the names that it may define (None: its source hides some), and those that it certainly binds.

    ``exported``: those that ``from module import *`` takes.
    """

    possible: frozenset[str] | None
    bound: frozenset[str]
    exported: frozenset[str]


_NOTHING = _Module(None, frozenset(), frozenset())


class ModuleNames:
    """What a package defines, by the source of its modules; names that they take from elsewhere count.

    ``folder`` is that of the package, or the file of a package of one file. ``is_open``: the source of the package
    itself does not show all its names. ``mentions`` matches its dotted names in a source.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.package = os.path.basename(folder).removesuffix(".py")
        self.mentions = re.compile(re.escape(self.package.encode()) + rb"(?:\.\w+)+")
        self._by_place: dict[str, _Module] = {}
        self.is_open = self._module(folder).possible is None

    def missing_part(self, dotted: str) -> str:
        """The shortest part of ``torchaudio.io.StreamReader`` that is not there; "" where nothing is missing."""
        place, parts = self._folder, dotted.split(".")
        for number, part in enumerate(parts[1:], 2):
            inner = _submodule(place, part)
            if inner:
                place = inner
                continue
            possible = self._module(place).possible
            is_dunder = part.startswith("__") and part.endswith("__")
            is_there = possible is None or part in possible or is_dunder or _is_compiled(place, part)
            return "" if is_there else ".".join(parts[:number])
        return ""

    def defines(self, dotted: str) -> bool | Unknown:
        """Whether a name is certainly there: a module, or bound where its module is imported."""
        if self.missing_part(dotted):
            return False
        place, parts = self._folder, dotted.split(".")
        for number, part in enumerate(parts[1:], 2):
            inner = _submodule(place, part)
            if inner:
                place = inner
            elif part in self._module(place).bound:
                rest = number < len(parts)
                return Unknown(f"{part} is not a module") if rest else True
            else:
                return Unknown(f"the source of {'.'.join(parts[: number - 1])} does not show all its names")
        return True

    def is_unloaded(self, dotted: str) -> bool:
        """Whether it is a submodule that the import of its parent does not bind: no code there names it."""
        parent, _, last = dotted.rpartition(".")
        place = self._folder
        for part in parent.split(".")[1:]:
            place = _submodule(place, part)
            if not place:
                return False
        inner = _submodule(place, last)
        is_module = inner.endswith(".py") or (inner and files.is_file(os.path.join(inner, "__init__.py")))
        if not is_module or not files.is_folder(place):
            return False
        try:
            return last.encode() not in files.read(os.path.join(place, "__init__.py"), LARGEST)
        except (OSError, ValueError):
            return False

    def every_name(self) -> Iterator[tuple[str, frozenset[str], bool]]:
        """Each module with the names that it binds, and whether its source hides names."""
        left = [(self.package, self._folder)]
        while left:
            dotted, place = left.pop()
            module = self._module(place)
            yield dotted, module.bound, module.possible is None
            if files.is_folder(place):
                inner = sorted({entry.partition(".")[0] for entry in os.listdir(place)} - {"__init__", ""})
                left += [(f"{dotted}.{name}", path) for name in inner if (path := _submodule(place, name))]

    def _module(self, place: str, depth: int = 0) -> _Module:
        if place not in self._by_place:
            path = os.path.join(place, "__init__.py") if files.is_folder(place) else place
            tree = parsed(path)
            self._by_place[place] = _NOTHING if tree is None else self._read(place, tree, depth)
        return self._by_place[place]

    def _read(self, place: str, tree: ast.Module, depth: int) -> _Module:
        possible, bound = defined_names(tree, stars=True), bound_names(tree)
        for level, module in _stars(tree):
            inner = self._module(self._place(place, level, module), depth + 1) if depth < _DEEPEST else None
            names = inner.possible if inner else None
            possible = None if names is None or possible is None else possible | names
            bound |= inner.exported if inner else frozenset()
        listed = exported_names(tree)
        public = frozenset(name for name in bound if not name.startswith("_")) if listed is None else listed
        return _Module(possible, bound, public)

    def _place(self, place: str, level: int, module: str) -> str:
        """Where ``from module import *`` in a module of the package looks; "" outside of the package."""
        parts = module.split(".") if module else []
        if level:
            here = place if files.is_folder(place) else os.path.dirname(place)
            for _ in range(level - 1):
                here = os.path.dirname(here)
        elif parts[:1] == [self.package]:
            here, parts = self._folder, parts[1:]
        else:
            return ""
        for part in parts:
            here = _submodule(here, part)
        return here


def _submodule(place: str, name: str) -> str:
    """The folder or file of a submodule with source; "" if there is none."""
    inner = os.path.join(place, name)
    if place and files.is_folder(inner):
        return inner
    return f"{inner}.py" if place and files.is_file(f"{inner}.py") else ""


def _stars(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The modules of ``from … import *``, each with its number of dots."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            yield node.level, node.module or ""


def _is_compiled(folder: str, name: str) -> bool:
    """Whether a folder has a module of this name without its source: an extension module, or byte code."""
    try:
        return any(file.partition(".")[0] == name for file in os.listdir(folder))
    except OSError:
        return False


def missing_uses(path: str, names: ModuleNames, *, lazy_annotations: bool) -> list[Use]:
    """What a file takes from a package that does not define it, in its order, each name up to what is missing.

    ``lazy_annotations``: the Python evaluates no annotation at import (3.14 and later).
    """
    try:
        content = files.read(path, LARGEST)
    except (OSError, ValueError):
        return []
    tree = parsed(path) if _may_miss(content, names) else None
    if tree is None:
        return []
    found = uses(tree, path, (names.package,), lazy_annotations=lazy_annotations)
    return [use._replace(name=missing) for use in found if (missing := names.missing_part(use.name))]


def _may_miss(content: bytes, names: ModuleNames) -> bool:
    """Whether a source mentions a name that is not there, or hides it: parsing takes fifty times as long."""
    if names.package.encode() not in content:
        return False
    mentioned = {match.decode() for match in names.mentions.findall(content)}
    for match in _FROM.finditer(content):
        words = re.findall(rb"\w+", match[2])
        mentioned |= {f"{match[1].decode()}.{word.decode('utf-8', 'replace')}" for word in words}
    mine = [name for name in mentioned if name.partition(".")[0] == names.package]
    renamed = {match[1].decode().partition(".")[0] for match in _RENAMED.finditer(content)}
    return names.package in renamed or any(map(names.missing_part, mine))
