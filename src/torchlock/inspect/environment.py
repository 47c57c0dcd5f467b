"""The import path of an interpreter, in order; each entry has the reason why it is there."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock.inspect.frozen import frozen_at
from torchlock.inspect.pth import Editable, PthLine, added_at_start, editables_of, lines_of
from torchlock.inspect.tree_python import base_sites_of, derive, find_sites, sites_beside_user
from torchlock.runtime import files
from torchlock.runtime.files import Tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torchlock.inspect.frozen import Frozen
    from torchlock.inspect.interpreter import Interpreter
    from torchlock.inspect.loading.root import Root
    from torchlock.runtime.files import Unreadable


class PathEntry(NamedTuple):
    """One item of ``sys.path``.

    ``kind`` is ``current`` (the folder that Python is started in), ``pythonpath``, ``stdlib``, ``site`` (of
    the virtual environment or the tree), ``user``, ``system`` (site-packages of the installation) or
    ``pth``. ``state`` is ``folder``, ``file`` (a zip archive, perhaps), or ``missing``. ``because`` says in
    a sentence why it is there; ``origin`` is the line of the ``.pth`` file that added it.
    """

    path: str
    kind: str
    because: str
    state: str = "folder"
    origin: PthLine | None = None

    @property
    def is_site(self) -> bool:
        """Whether installers put packages here, and ``.pth`` files count."""
        return self.kind in ("site", "user", "system")


class CondaRecord(NamedTuple):
    """A package in conda's records: the name of one ``conda-meta/*.json``, which is not opened."""

    name: str
    version: str
    build: str
    path: str


class Environment(NamedTuple):
    """An environment as it is searched. ``tree`` has the listings, for whoever looks further.

    ``dangling`` are path lines and ``PYTHONPATH`` items of folders that are not there; ``code`` are the
    ``import`` lines of ``.pth`` files, which run at every start of this Python and were not run here.
    ``frozen`` is the application that the packages are a part of; None for an environment of a Python.
    """

    interpreter: Interpreter
    path: tuple[PathEntry, ...]
    tree: Tree
    editables: tuple[Editable, ...] = ()
    dangling: tuple[PathEntry, ...] = ()
    code: tuple[PthLine, ...] = ()
    conda: tuple[CondaRecord, ...] = ()
    frozen: Frozen | None = None

    @property
    def sites(self) -> tuple[PathEntry, ...]:
        """The folders into which packages are installed, in search order."""
        return tuple(entry for entry in self.path if entry.is_site and entry.state == "folder")

    @property
    def unreadable(self) -> tuple[Unreadable, ...]:
        """Folders that exist but could not be listed so far."""
        return tuple(self.tree.unreadable)

    def has_module(self, name: str) -> bool:
        """Whether a module of that name is in a folder of the path; or may be, in an archive or an application."""
        if self.frozen is not None:
            return True
        for entry in self.path:
            if entry.state == "file" and entry.kind != "stdlib":
                return True
            names = self.tree.names(entry.path) if entry.state == "folder" else {}
            if any(f"{name}{ending}" in names for ending in ("", ".py", ".pyc")):
                return True
        return False


def of_interpreter(
    interpreter: Interpreter, environ: Mapping[str, str], folder: str | None = None, tree: Tree | None = None
) -> Environment:
    """The path of an interpreter that was asked, as ``python -c`` has it with these environment variables.

    ``folder`` is the one it would be started in, which comes first; None for a start by a script's path or
    with ``-P``. What the variables do: PYTHONPATH, PYTHONNOUSERSITE, PYTHONSAFEPATH.
    """
    path = _Path(tree or Tree())
    if folder is not None and not environ.get("PYTHONSAFEPATH"):
        path.add(folder, "current", "Python puts the folder that it is started in first", once=False)
    if environ.get("PYTHONPATH"):
        for part in environ["PYTHONPATH"].split(os.pathsep):
            path.add(os.path.join(folder or "", part), "pythonpath", "PYTHONPATH names it")
    for part in interpreter.stdlib:
        path.add(part, "stdlib", "it is the standard library's", missing=True)
    for site in filter(files.is_folder, interpreter.own_sites):
        path.add_site(site, "site", "it is the virtual environment's")
    sees_system = interpreter.system_site or not interpreter.virtual
    user = sees_system and not environ.get("PYTHONNOUSERSITE") and files.is_folder(interpreter.user_site)
    if user:
        path.add_site(interpreter.user_site, "user", "it is the user's, for every Python of this version")
    for site in filter(files.is_folder, interpreter.base_sites if sees_system else ()):
        kind = "system" if interpreter.virtual else "site"
        because = "the virtual environment includes it" if interpreter.virtual else "it is the installation's"
        path.add_site(site, kind, because)
    return path.environment(interpreter)


def of_tree(folder: str, tree: Tree | None = None, root: Root | None = None) -> Environment:
    """The path of a tree whose interpreter is not run: its site folders, and those that ``.pth`` files add.

    ``folder`` is a site-packages folder, or the environment or image around it; ``root`` the machine that it is
    of, and whose absolute paths its lines name.
    """
    path = _Path(tree or Tree())
    sites = find_sites(folder, path.tree)
    interpreter = derive(sites[0], path.tree, root)
    path.root = root
    base = []
    if interpreter.virtual:
        base = base_sites_of(interpreter, path.tree, root) if interpreter.system_site else []
        interpreter = interpreter._replace(own_sites=tuple(sites), base_sites=tuple(base))
    else:
        interpreter = interpreter._replace(base_sites=tuple(sites))
    for site in sites:
        path.add_site(site, "site", "it is the folder asked about" if site == folder else f"it is in {folder}")
    for site in base:
        path.add_site(site, "system", "the virtual environment includes it")
    for site in [] if interpreter.virtual else sites_beside_user(sites[0], path.tree, root):
        path.add_site(site, "system", "the Python of this user has it")
    return path.environment(interpreter)._replace(frozen=frozen_at(os.path.abspath(sites[0]), path.tree))


# No installation has a longer chain of site folders.
_DEPTH = 50


class _Path:
    """``sys.path`` while it is built. A folder counts once, as in ``site``."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.entries: list[PathEntry] = []
        self.dangling: list[PathEntry] = []
        self.editables: list[Editable] = []
        self.code: list[PthLine] = []
        self.known: set[str] = set()
        self.read: set[str] = set()
        self.root: Root | None = None

    def add(
        self,
        path: str,
        kind: str,
        because: str,
        origin: PthLine | None = None,
        missing: bool = False,
        once: bool = True,
    ) -> None:
        """Put an entry at the end, unless it is known; one that is not there is dangling, or kept."""
        path = os.path.abspath(path)
        if once and os.path.normcase(path) in self.known:
            return
        state = "folder" if files.is_folder(path) else "file" if files.is_file(path) else "missing"
        entry = PathEntry(path, kind, because, state, origin)
        if state == "missing" and not missing:
            self.dangling.append(entry)
            return
        if once:
            self.known.add(os.path.normcase(path))
        self.entries.append(entry)

    def add_site(self, site: str, kind: str, because: str, origin: PthLine | None = None, depth: int = 0) -> None:
        """Add a site folder if it exists, then what its ``.pth`` files say; ``depth`` of them led to it."""
        site = os.path.abspath(site)
        self.add(site, kind, because, origin)
        if site in self.read or not files.is_folder(site):
            return
        if depth > _DEPTH:
            self.tree.unreadable.append(files.Unreadable(site, f"more than {_DEPTH} .pth files lead to it"))
            return
        self.read.add(site)
        found = (*lines_of(site, self.tree), *added_at_start(site, self.tree))
        lines = [self._placed(line, site) for line in found]
        for line in lines:
            because = f"line {line.line} of {os.path.basename(line.path)} adds it"
            if line.how == "site":
                self.add_site(line.folder, "pth", because, line, depth + 1)
            elif line.folder:
                self.add(line.folder, "pth", because, line)
                if line.how == "first":
                    self.move_first(line.folder)
            else:
                self.code.append(line)
        for editable in editables_of(site, lines, self.tree):
            self.editables.append(editable._replace(target=self._here(editable.target)))

    def _placed(self, line: PthLine, site: str) -> PthLine:
        """A line with its folder as it lies here; one that is relative to the site folder always does."""
        relative = not os.path.isabs(line.text) and line.folder == os.path.abspath(
            os.path.join(site, line.text.rstrip())
        )
        return line if relative or not line.folder else line._replace(folder=self._here(line.folder))

    def _here(self, path: str) -> str:
        """Where an absolute path lies here that a file of the tree names."""
        return path if self.root is None else self.root.real(path)

    def move_first(self, path: str) -> None:
        """Put an entry before all but the folder that Python is started in, which comes last of all in time."""
        self.entries.sort(key=lambda entry: (entry.kind != "current", entry.path != path))

    def environment(self, interpreter: Interpreter) -> Environment:
        prefixes = dict.fromkeys(filter(None, (interpreter.prefix, interpreter.base_prefix)))
        seen = list(prefixes) if interpreter.system_site or not interpreter.virtual else [interpreter.prefix]
        return Environment(
            interpreter,
            tuple(self.entries),
            self.tree,
            tuple(self.editables),
            tuple(self.dangling),
            tuple(self.code),
            tuple(conda_records(seen, self.tree)),
        )


def conda_records(prefixes: Iterable[str], tree: Tree) -> list[CondaRecord]:
    """The records of ``conda-meta``, by their file names: ``pytorch-2.1.0-py3.10_cuda12.1_cudnn8.9.2_0.json``."""
    found = []
    for prefix in prefixes:
        folder = os.path.join(prefix, "conda-meta")
        for name, kind in sorted(tree.names(folder).items()):
            match = re.fullmatch(r"(.+)-([^-]+)-([^-]+)\.json", name)
            if match and kind == "file":
                found.append(CondaRecord(match[1], match[2], match[3], os.path.join(folder, name)))
    return found
