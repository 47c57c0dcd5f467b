"""Which files ``import torch`` reads, found in the source without running it: what is not read harms nobody."""

from __future__ import annotations

import ast
import os
from typing import TYPE_CHECKING

from torchlock.inspect.source import parsed
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# torch itself comes to some 900 modules.
_MOST = 4000


def reached(package: str, wanted: Iterable[str]) -> tuple[set[str], set[str]]:
    """Those of some files of a package that its import certainly reads, and those that it may read.

    ``package`` is its folder, ``wanted`` paths of ``.py`` files in it, which need not exist. An import under a
    condition may be made; those guarded by ``try`` or within a function are not followed. A folder without
    its ``__init__`` is a package all the same (PEP 420), and missed for certain only by who takes a name from it.
    """
    looked_for = {os.path.normpath(path) for path in wanted}
    walk = _Walk(package, looked_for)
    walk.follow(certain=True)
    certain = set(walk.found)
    walk.follow(certain=False)
    return certain, walk.found - certain


class _Walk:
    """The modules that an import has come to, and the wanted files among them."""

    def __init__(self, package: str, looked_for: set[str]) -> None:
        self._root, self._name = os.path.split(package)
        self._looked_for = looked_for
        self._seen = {self._name: True}
        self.found: set[str] = set()
        self._hollow: set[str] = set()

    def _file(self, module: str) -> tuple[str, bool]:
        """The file of a module, and whether it is a package's; that which is looked for if none is there."""
        path, is_package = _file(self._root, module)
        inside = os.path.join(path.removesuffix(".py"), "__init__.py")
        return (inside, False) if not is_package and inside in self._looked_for else (path, is_package)

    def follow(self, *, certain: bool) -> None:
        """Go on from all modules that were come to; conditions count unless ``certain``."""
        queue = list(self._seen)
        while queue and len(self._seen) < _MOST:
            module = queue.pop()
            path, is_package = self._file(module)
            if path in self._looked_for:
                if is_package and module != self._name and not files.is_file(path):
                    self._hollow.add(module)
                else:
                    self.found.add(path)
            for base, names in _imports(path, module, is_package, certain=certain):
                lost = self._file(base)[0]
                if lost in self._looked_for and any(not self._is_there(base, name) for name in names):
                    self.found.add(lost)
                for other in (*_with_parents(base), *(f"{base}.{name}" for name in names)):
                    if other not in self._seen and other.partition(".")[0] == self._name:
                        self._seen[other] = certain
                        queue.append(other)
        if not certain:
            self.found |= {self._file(module)[0] for module in self._hollow}

    def _is_there(self, base: str, name: str) -> bool:
        path, is_package = _file(self._root, f"{base}.{name}")
        return is_package or files.is_file(path)


def _file(root: str, module: str) -> tuple[str, bool]:
    """The file of a module, and whether it is a package's; the file that should be there if none is."""
    base = os.path.normpath(os.path.join(root, *module.split(".")))
    if files.is_folder(base):
        return os.path.join(base, "__init__.py"), True
    return base + ".py", False


def _imports(path: str, module: str, is_package: bool, *, certain: bool) -> Iterator[tuple[str, list[str]]]:
    """The modules that a module imports, each with the names that are taken from it, which may be modules."""
    tree = parsed(path)
    for node in _unguarded(tree.body, certain=certain) if tree else ():
        if isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (base := _absolute(node, module, is_package)):
            yield base, [alias.name for alias in node.names]


def _unguarded(body: list[ast.stmt], *, certain: bool) -> Iterator[ast.stmt]:
    """The statements at the left margin, and those of ``with`` blocks there; unless ``certain`` also of ``if``."""
    left = body[::-1]
    while left:
        node = left.pop()
        yield node
        if isinstance(node, ast.With):
            left += node.body[::-1]
        elif isinstance(node, ast.If) and not certain and not _is_for_types(node.test):
            left += [*node.body, *node.orelse][::-1]


def _is_for_types(test: ast.expr) -> bool:
    return any(getattr(node, "id", getattr(node, "attr", "")) == "TYPE_CHECKING" for node in ast.walk(test))


def _absolute(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    parts = parts[: len(parts) - node.level + (1 if is_package else 0)]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[: end + 1]) for end in range(len(parts)))
