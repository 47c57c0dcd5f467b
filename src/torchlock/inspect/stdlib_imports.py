"""What ``import torch`` takes from modules that are not its own, followed through source that is not run."""

from __future__ import annotations

import ast
import os
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from torchlock.inspect.source import parsed
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

# torch and what it imports of Python come to some 1,300 modules.
_MOST = 5000
# Loaded before any folder is searched: a file of the same name hides none of them.
_EARLY = frozenset(
    {"abc", "codecs", "encodings", "genericpath", "io", "ntpath", "os", "posixpath", "site", "stat"}
)
# What may define names that nobody can read in the source.
_HIDDEN = ("globals", "exec", "setattr", "vars", "__getattr__", "__import__", "import_module", "modules")


class MissingName(NamedTuple):
    """A name that ``module`` lacks, and the file whose import takes it; ``is_from`` by ``from … import``."""

    module: str
    name: str
    path: str
    is_from: bool


def first_lack(folders: Sequence[str], start: str, has: Mapping[str, Collection[str]]) -> MissingName | None:
    """The first name that a file takes of a module that lacks it; None where none does.

    ``folders`` is where packages and Python's own modules are looked for, ``start`` the package whose import is
    followed, ``has`` the names that some modules define. Only what is imported and used at the left margin counts,
    and not what stands under a condition, in ``try``, or in a function.
    """
    seen, queue = {start}, deque([start])
    while queue and len(seen) < _MOST:
        module = queue.popleft()
        path, is_package = _file(folders, module)
        tree = parsed(path) if path else None
        if tree is None:
            continue
        imports = list(_imports(tree, module, is_package))
        for base, name, is_from in _uses(tree, imports, has):
            if name not in has[base]:
                return MissingName(base, name, path, is_from)
        for base, names in imports:
            for other in (*_parents(base), *(f"{base}.{name}" for name in names)):
                top = other.partition(".")[0]
                if other not in seen and top not in has and top not in _EARLY:
                    seen.add(other)
                    queue.append(other)
    return None


def defined(path: str) -> frozenset[str] | None:
    """The names that a module defines; None where its source does not tell."""
    tree = parsed(path)
    if tree is None:
        return None
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Attribute):
            names |= {node.attr} & set(_HIDDEN)
    return None if "*" in names or names & set(_HIDDEN) else frozenset(names)


def _file(folders: Iterable[str], module: str) -> tuple[str, bool]:
    """The source of a module, and whether it is a package; "" for one without."""
    parts = module.split(".")
    for folder in folders:
        base = os.path.join(folder, *parts)
        inside = os.path.join(base, "__init__.py")
        if files.is_file(inside):
            return inside, True
        if files.is_file(f"{base}.py"):
            return f"{base}.py", False
    return "", False


def _imports(tree: ast.Module, module: str, is_package: bool) -> Iterator[tuple[str, list[str]]]:
    """The modules that are imported, each with the names that are taken from it."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")
            parts = parts[: len(parts) - node.level + (1 if is_package else 0)] if node.level else []
            base = ".".join([*parts, *([node.module] if node.module else [])])
            if base:
                yield base, [alias.name for alias in node.names if alias.name != "*"]


def _uses(
    tree: ast.Module, imports: Iterable[tuple[str, list[str]]], has: Mapping[str, Collection[str]]
) -> Iterator[tuple[str, str, bool]]:
    """The (module, name, by ``from``) that are taken from the modules in question."""
    for base, names in imports:
        top, _, rest = base.partition(".")
        if top in has:
            yield from ((top, name, True) for name in ([rest.partition(".")[0]] if rest else names))
    bound = {
        alias.asname or alias.name: alias.name
        for node in tree.body
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name in has
    }
    if bound:
        for node in _at_import(tree.body):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in bound:
                yield bound[node.value.id], node.attr, False


def _at_import(body: Iterable[ast.stmt]) -> Iterator[ast.AST]:
    """The parts of statements that are run when a module is imported."""
    left: list[ast.AST] = []
    left += [*body][::-1]
    while left:
        node = left.pop()
        yield node
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            left += [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
        elif isinstance(node, (ast.If, ast.While)):
            left.append(node.test)
        elif not isinstance(node, (ast.Try, ast.Lambda, ast.For, ast.IfExp, ast.BoolOp)):
            left += [child for child in ast.iter_child_nodes(node) if not _is_annotation(node, child)]


def _is_annotation(node: ast.AST, child: ast.AST) -> bool:
    return isinstance(node, ast.AnnAssign) and child is node.annotation


def _parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[: end + 1]) for end in range(len(parts)))
