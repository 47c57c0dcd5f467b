"""Find every importable copy of a module on the path: which one Python imports, and which ones it hides.

The order is that of ``importlib``'s path finder: entry by entry; in each a package, then a single module,
extension modules before source; folders without ``__init__`` (PEP 420) only if nothing else is found anywhere.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from torchlock.inspect.build import Build, read_build
from torchlock.knowledge.stack import STACK

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlock.inspect.environment import Environment, PathEntry


_BYTECODE = (".pyc",)
_SOURCE = (".py", ".pyw")
_UNIX = (".abi3.so", ".so")
_WINDOWS = (".pyd",)


class ModuleCopy(NamedTuple):
    """One thing that an import of ``name`` could find.

    ``path`` is the package's folder or the module's file. ``kind`` is ``package``, ``module``,
    ``extension``, ``namespace`` (a folder without ``__init__``), or ``editable``. ``entry`` is the item of
    the path it was found in; None for an editable one, whose ``because`` says which file maps it. ``build``
    is what its own files say of it.
    """

    name: str
    path: str
    kind: str
    entry: PathEntry | None
    because: str
    build: Build | None = None


class ModuleCopies(NamedTuple):
    """All copies of one module, the one that an import finds first; those of ``hidden`` are never reached.

    ``imported`` is None where there is nothing to import. ``portions`` are the folders of a namespace package, if
    that is what an import makes.
    """

    name: str
    imported: ModuleCopy | None
    hidden: tuple[ModuleCopy, ...] = ()
    portions: tuple[ModuleCopy, ...] = ()


def find_copies(environment: Environment, names: Iterable[str] = STACK) -> dict[str, ModuleCopies]:
    """Search each module in all places that this environment's Python searches, also after the first match."""
    return {name: _copies(environment, name) for name in names}


def _copies(environment: Environment, name: str) -> ModuleCopies:
    asked = bool(environment.interpreter.executable)  # else its folders need not lie here
    mapped = [item for item in environment.editables if item.module == name]
    mapped = [item for item in mapped if not asked or os.path.exists(item.target)]
    editables = {
        first: [
            ModuleCopy(name, item.target, "editable", None, f"{os.path.basename(item.path)} maps it")
            for item in mapped
            if item.first is first
        ]
        for first in (True, False)
    }
    on_path = [copy for entry in environment.path for copy in _in_entry(environment, entry, name)]
    regular = [copy for copy in on_path if copy.kind != "namespace"]
    spaces = [copy for copy in on_path if copy.kind == "namespace"]
    order = [_with_build(environment, copy) for copy in (*editables[True], *regular, *editables[False])]
    if order:
        return ModuleCopies(name, order[0], (*order[1:], *spaces))
    return ModuleCopies(name, spaces[0] if spaces else None, (), tuple(spaces))


def _with_build(environment: Environment, copy: ModuleCopy) -> ModuleCopy:
    if copy.kind == "extension":
        return copy
    return copy._replace(build=read_build(copy.path, environment.tree))


def _in_entry(environment: Environment, entry: PathEntry, name: str) -> list[ModuleCopy]:
    """The copies in one folder, in the order of import."""
    if entry.state != "folder":
        return []
    names = environment.tree.names(entry.path)
    suffixes = _suffixes(environment)
    found: list[ModuleCopy] = []
    folder = os.path.join(entry.path, name)
    is_folder = names.get(name) == "folder"
    if is_folder:
        inside = environment.tree.names(folder)
        if any(inside.get(f"__init__{suffix}") == "file" for suffix in suffixes):
            found.append(ModuleCopy(name, folder, "package", entry, entry.because))
            is_folder = False
    for suffix in suffixes:
        if names.get(name + suffix) == "file":
            kind = "module" if suffix in (*_SOURCE, *_BYTECODE) else "extension"
            found.append(ModuleCopy(name, folder + suffix, kind, entry, entry.because))
    if is_folder:
        # The modules of an application may be in its archive, and only the libraries in the folder.
        kind = "namespace" if environment.frozen is None else "package"
        found.append(ModuleCopy(name, folder, kind, entry, entry.because))
    return found


def _suffixes(environment: Environment) -> tuple[str, ...]:
    """The suffixes of modules in the order of import, as far as the interpreter named them."""
    interpreter = environment.interpreter
    windows = interpreter.platform.startswith(("win", "mingw"))
    known = interpreter.suffixes or (_WINDOWS if windows else _UNIX)
    return (*known, *(_SOURCE if windows else _SOURCE[:1]), *_BYTECODE)
