"""Which files ``import torch`` reads, found in the source without running it: what is not read harms nobody."""

from __future__ import annotations

import ast
import os
import warnings
from typing import TYPE_CHECKING

from torchlock.inspect import files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# torch itself comes to some 900 modules; no file of it is larger than a megabyte.
_MOST = 4000
_LARGEST = 4 << 20


def reached(package: str, wanted: Iterable[str]) -> set[str]:
    """Those of some files of a package that its import certainly reads.

    ``package`` is its folder, ``wanted`` paths of ``.py`` files in it, which need not exist. Imports that are
    guarded by ``try``, by a condition or by a function are not followed.
    """
    looked_for = {os.path.normpath(path) for path in wanted}
    root, name = os.path.split(package)
    found: set[str] = set()
    queue, seen = [name], {name}
    while queue and len(seen) < _MOST and found != looked_for:
        module = queue.pop()
        path, is_package = _file(root, module)
        if path in looked_for:
            found.add(path)
        for other in _imports(path, module, is_package):
            if other not in seen and other.partition(".")[0] == name:
                seen.add(other)
                queue.append(other)
    # A folder whose __init__ is gone is a namespace package to Python, and what it defined is missed.
    return found


def _file(root: str, module: str) -> tuple[str, bool]:
    """The file of a module, and whether it is a package's; the file that should be there if none is."""
    base = os.path.normpath(os.path.join(root, *module.split(".")))
    if files.is_folder(base):
        return os.path.join(base, "__init__.py"), True
    return base + ".py", False


def parsed(path: str) -> ast.Module | None:
    """The syntax tree of a file; None where it cannot be read or is no Python that we know."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(files.read(path, _LARGEST))
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return None


def _imports(path: str, module: str, is_package: bool) -> Iterator[str]:
    """The modules that a module imports, whatever happens; parents before children."""
    tree = parsed(path)
    for node in _unguarded(tree.body) if tree else ():
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _with_parents(alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, module, is_package)
            if base:
                yield from _with_parents(base)
                # What is no module has no file, and leads nowhere.
                yield from (f"{base}.{alias.name}" for alias in node.names)


def _unguarded(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements at the left margin, and those of ``with`` blocks there."""
    for node in body:
        yield node
        if isinstance(node, ast.With):
            yield from _unguarded(node.body)


def _absolute(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    parts = parts[: len(parts) - node.level + (1 if is_package else 0)]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[: end + 1]) for end in range(len(parts)))
