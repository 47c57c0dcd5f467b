"""The modules that the import of a package loads, followed from source to source without running any.

One walk over imports, with two users: ``files_read`` says which files of a package its import reads,
``first_missing`` which name its import takes from a module that does not define it.
"""

from __future__ import annotations

import ast
import os
from collections import Counter, deque
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from torchlock.inspect.source import defined_names, imports, parsed, uses
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from torchlock.inspect.source import Import

# torch has about 900 modules, and with those of Python that it imports about 1,300.
_MOST_MODULES = 5000
_FIRST_MODULES = 12
# The endings of modules that may contain others, which no file shows.
_COMPILED = frozenset({"so", "pyd"})
# Python loads these before it searches any folder: no other file of that name replaces them.
_LOADED_AT_START = frozenset(
    {"abc", "codecs", "encodings", "genericpath", "io", "ntpath", "os", "posixpath", "site", "stat"}
)


class Module(NamedTuple):
    """A module by its full name, and the source file that an import of it reads ("" if there is none)."""

    name: str
    path: str
    is_package: bool


class _Walk:
    """A walk over imports, breadth first: each module is visited once.

    ``locate`` finds the source of a module; ``follows`` says whether to go on to a module of this name;
    ``system`` decides conditions about the operating system, "" leaves them.
    """

    def __init__(
        self, start: str, locate: Callable[[str], Module], follows: Callable[[str], bool], system: str = ""
    ) -> None:
        self._system = system
        self._seen = {start: None}
        self._conditional: dict[str, list[Import]] = {}
        self._locate = locate
        self._follows = follows

    def visits(self) -> Iterator[tuple[Module, ast.Module | None, list[Import]]]:
        """Each module with its syntax tree (None if it cannot be read) and its imports."""
        queue = deque(self._seen)
        while queue and len(self._seen) < _MOST_MODULES:
            module = self._locate(queue.popleft())
            tree = self._parsed(module)
            found = [] if tree is None else list(imports(tree, module.name, is_package=module.is_package))
            yield module, tree, found
            self._go_on(found, queue)

    def conditional_visits(self) -> Iterator[tuple[Module, list[Import]]]:
        """After ``visits``: all its modules again, and those that only imports under conditions load."""
        queue = deque(self._seen)
        while queue and len(self._seen) < _MOST_MODULES:
            module = self._locate(queue.popleft())
            if module.name not in self._conditional:
                self._parsed(module)
            found = self._conditional.pop(module.name, [])
            yield module, found
            self._go_on(found, queue)

    def _parsed(self, module: Module) -> ast.Module | None:
        """The syntax tree of a module, whose conditional imports are kept for later."""
        tree = parsed(module.path, self._system) if module.path else None
        found = () if tree is None else imports(tree, module.name, is_package=module.is_package, conditional=True)
        self._conditional[module.name] = list(found)
        return tree

    def _go_on(self, found: Iterable[Import], queue: deque[str]) -> None:
        for name in (name for each in found for name in each.modules()):
            if name not in self._seen and self._follows(name):
                self._seen[name] = None
                queue.append(name)


def files_read(package: str, wanted: Iterable[str]) -> tuple[set[str], set[str]]:
    """Which of some files of a package its import certainly reads, and which others it may read.

    ``package`` is its folder, ``wanted`` are paths of ``.py`` files in it, which need not exist. An import under a
    condition may run; imports in ``try`` or in a function are not followed. A folder without ``__init__`` is also
    a package (PEP 420): it is certainly missing only if a name is taken from it.
    """
    reading = _Reading(package, wanted)
    walk = _Walk(reading.name, reading.locate, lambda module: module.partition(".")[0] == reading.name)
    for module, _, found in walk.visits():
        reading.add(module, found)
        if reading.wanted <= reading.found:
            return reading.found, set()
    certain = set(reading.found)
    for module, found in walk.conditional_visits():
        reading.add(module, found)
        if reading.wanted <= reading.found | reading.lost_inits:
            break
    return certain, (reading.found | reading.lost_inits) - certain


class _Reading:
    """The wanted files of a package that its import has read."""

    def __init__(self, package: str, wanted: Iterable[str]) -> None:
        self._root, self.name = os.path.split(package)
        self.wanted = {os.path.normpath(path) for path in wanted}
        self.found: set[str] = set()
        self.lost_inits: set[str] = set()
        self._listed: dict[str, dict[str, frozenset[str]]] = {}

    def locate(self, name: str) -> Module:
        """A module of the package; its path is the wanted one if no file is there."""
        module = self._on_disk(name)
        init = os.path.join(module.path.removesuffix(".py"), "__init__.py")
        return Module(name, init, False) if not module.is_package and init in self.wanted else module

    def _on_disk(self, name: str) -> Module:
        base = os.path.normpath(os.path.join(self._root, *name.split(".")))
        if files.is_folder(base):
            return Module(name, os.path.join(base, "__init__.py"), True)
        return Module(name, f"{base}.py", False)

    def add(self, module: Module, found: Iterable[Import]) -> None:
        """Note what the visit of a module reads."""
        if module.path in self.wanted:
            is_namespace = module.is_package and module.name != self.name and not files.is_file(module.path)
            (self.lost_inits if is_namespace else self.found).add(module.path)
        for each in found:
            path = self.locate(each.module).path
            if path in self.wanted and any(not self._is_module(f"{each.module}.{name}") for name in each.names):
                self.found.add(path)

    def _is_module(self, name: str) -> bool:
        module = self._on_disk(name)
        return module.is_package or files.is_file(module.path)

    def has(self, name: str) -> bool:
        """Whether a module is there as source, as bytecode, or in or as an extension module."""
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            folder, stem = os.path.split(os.path.normpath(os.path.join(self._root, *parts[:end])))
            endings = self._endings(folder).get(stem, frozenset())
            if not endings:
                return False
            if endings & _COMPILED:
                return True
        return True

    def _endings(self, folder: str) -> dict[str, frozenset[str]]:
        """The modules that a folder may have, each with the endings of its files; a folder has none."""
        if folder not in self._listed:
            found: dict[str, frozenset[str]] = {}
            for item in files.Tree().names(folder):
                stem, _, rest = item.partition(".")
                found[stem] = found.get(stem, frozenset()) | {rest.rpartition(".")[2]}
            self._listed[folder] = found
        return self._listed[folder]


class LostModule(NamedTuple):
    """A module that is not there, by its full name, and what Python says where an import needs it."""

    name: str
    error: str


def lost_modules(package: str) -> list[LostModule]:
    """The modules of its own that the import of a package certainly loads, and that are not there.

    ``package`` is its folder. Imports in ``try``, under a condition or in a function are not followed, and only
    the first modules are read: an interrupted installation leaves whole folders out.
    """
    reading = _Reading(package, ())
    walk = _Walk(reading.name, reading.locate, lambda module: module.partition(".")[0] == reading.name)
    lost: dict[str, str] = {}
    for module, tree, found in islice(walk.visits(), _FIRST_MODULES):
        certain: frozenset[str] | None = None
        for each in found:
            if each.module.partition(".")[0] != reading.name:
                continue
            if not reading.has(each.module):
                lost.setdefault(each.module, no_module(os.path.dirname(package), each.module))
            elif each.module == module.name and tree is not None:
                certain = _only_imported(tree) if certain is None else certain
                names = (name for name in each.names if name in certain)
                for name in (name for name in names if not reading.has(f"{each.module}.{name}")):
                    said = f"ImportError: cannot import name '{name}' from '{each.module}' ({module.path})"
                    lost.setdefault(f"{each.module}.{name}", said)
    return [LostModule(*item) for item in lost.items()]


def no_module(site: str, name: str) -> str:
    """What Python says if a module below a folder is missing: it names the first parent that does not exist."""
    parts = name.split(".")
    lost = (end for end in range(1, len(parts)) if not files.is_folder(os.path.join(site, *parts[:end])))
    return f"ModuleNotFoundError: No module named '{'.'.join(parts[: next(lost, len(parts))])}'"


def imports_of(package: str, most: int, system: str = "") -> Iterator[tuple[str, ast.Module, list[Import]]]:
    """The first modules that the import of a package or a single module certainly loads, with their imports.

    ``package`` is its folder, or the file of a single module; ``most`` limits the modules. ``system`` is the
    operating system, for imports that only run on one; "" leaves them out.
    """
    reading = _Reading(package.removesuffix(".py"), ())
    walk = _Walk(reading.name, reading.locate, lambda module: module.partition(".")[0] == reading.name, system)
    for module, tree, found in islice(walk.visits(), most):
        if tree is not None:
            yield module.path, tree, found


def _only_imported(tree: ast.Module) -> frozenset[str]:
    """The names that a module binds by one ``from … import`` only; none if its code may bind others."""
    imported: Counter[str] = Counter()
    made: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            imported.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            made.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            made.add(node.name)
    once = frozenset(name for name, count in imported.items() if count == 1) - made
    return once if once and defined_names(tree) is not None else frozenset()


class MissingName(NamedTuple):
    """A name that ``module`` does not define, and the file whose import takes it (``is_import``: by an import)."""

    module: str
    name: str
    path: str
    is_import: bool


def first_missing(
    folders: Sequence[str], start: str, defined: Mapping[str, Collection[str]]
) -> MissingName | None:
    """The first name that the import of a package takes from a module that does not define it; None if none.

    ``folders`` are searched for packages and for Python's own modules. ``start`` is the package whose import is
    followed, ``defined`` the names of the modules in question.
    """

    def follows(module: str) -> bool:
        top = module.partition(".")[0]
        return top not in defined and top not in _LOADED_AT_START

    walk = _Walk(start, lambda name: _search(folders, name), follows)
    for module, tree, _ in walk.visits():
        if tree is None:
            continue
        for use in uses(tree, module.path, defined, lazy_annotations=True, in_functions=False):
            top, name, *_ = use.name.split(".")
            if use.at_import and name not in defined[top]:
                return MissingName(top, name, use.path, use.is_import)
    return None


def loads(site: str, package: str, module: str) -> bool:
    """Whether the import of a package of a folder certainly loads another module, by its own source.

    Imports in ``try``, under a condition or in a function are not followed.
    """
    walk = _Walk(package, lambda name: _search([site], name), lambda name: name.partition(".")[0] == package)
    return any(each.module.partition(".")[0] == module for _, _, found in walk.visits() for each in found)


def _search(folders: Iterable[str], name: str) -> Module:
    """A module in the first folder that has its source."""
    parts = name.split(".")
    for folder in folders:
        base = os.path.join(folder, *parts)
        init = os.path.join(base, "__init__.py")
        if files.is_file(init):
            return Module(name, init, True)
        if files.is_file(f"{base}.py"):
            return Module(name, f"{base}.py", False)
    return Module(name, "", False)
