"""Parse one Python source file: the names that it defines, and those that it takes from other modules.

Code that ``try``, a condition, a loop or ``contextlib.suppress`` guards is not certain to run.
"""

from __future__ import annotations

import ast
import warnings
from typing import TYPE_CHECKING, NamedTuple

from torchlock.inspect.run_time import at_run_time
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

# No file of the stack is larger than a megabyte.
LARGEST = 4 << 20
# With these a module defines names that its source does not show.
_DYNAMIC = frozenset(("globals", "exec", "setattr", "vars", "__import__", "import_module"))


def parsed(path: str, system: str = "") -> ast.Module | None:
    """The syntax tree of what runs of a file (on a system, see ``at_run_time``); None if it cannot be parsed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(files.read(path, LARGEST))
        tree.body = at_run_time(tree.body, system)
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return None
    return tree


class Import(NamedTuple):
    """One import: the module in full, and the names that ``from module import …`` takes, ``*`` among them."""

    module: str
    names: tuple[str, ...] = ()

    def modules(self) -> Iterator[str]:
        """All modules that it may load: the packages around the module, itself, and names that may be modules."""
        parts = self.module.split(".")
        yield from (".".join(parts[: end + 1]) for end in range(len(parts)))
        yield from (f"{self.module}.{name}" for name in self.names if name != "*")


def imports(
    tree: ast.Module, module: str, *, is_package: bool = False, conditional: bool = False
) -> Iterator[Import]:
    """The imports that run with the module of this name; with ``conditional`` also those under ``if``."""
    for node in _statements(tree.body, conditional=conditional):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (base := _absolute(node, module, is_package=is_package)):
            yield Import(base, tuple(alias.name for alias in node.names))


def fallbacks(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Pairs of modules of which a file imports the second if the first is missing, outside of functions."""
    for node in _statements(tree.body, conditional=False):
        if isinstance(node, ast.Try) and not node.orelse:
            first = [alias.name for each in node.body if isinstance(each, ast.Import) for alias in each.names]
            others = [each.body[0] for each in node.handlers if len(each.body) == 1]
            second = [alias.name for each in others if isinstance(each, ast.Import) for alias in each.names]
            if len(first) == len(second) == len(node.handlers) == len(node.body) == 1:
                yield first[0], second[0]


def _statements(body: list[ast.stmt], *, conditional: bool) -> Iterator[ast.stmt]:
    """Statements outside functions and classes: in ``with`` blocks too, and with ``conditional`` under ``if``."""
    left = body[::-1]
    while left:
        node = left.pop()
        yield node
        if isinstance(node, ast.With) and not _suppresses(node):
            left += node.body[::-1]
        elif isinstance(node, ast.If) and conditional:
            left += [*node.body, *node.orelse][::-1]


def _suppresses(node: ast.With) -> bool:
    return any(_mentions(item.context_expr, "suppress") for item in node.items)


def _mentions(expression: ast.expr, name: str) -> bool:
    return any(getattr(node, "id", getattr(node, "attr", "")) == name for node in ast.walk(expression))


def _absolute(node: ast.ImportFrom, module: str, *, is_package: bool) -> str:
    """The full name of the module that ``from … import`` names."""
    parts = module.split(".")
    parts = parts[: len(parts) - node.level + (1 if is_package else 0)] if node.level else []
    return ".".join([*parts, *([node.module] if node.module else [])])


def defined_names(tree: ast.Module, *, stars: bool = False) -> frozenset[str] | None:
    """The names that a module may define; None if the source does not show all of them.

    ``stars``: the caller follows ``from … import *``, so that such an import hides nothing.
    """
    names: set[str] = set()
    harmless: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _sets_own(node):
            harmless.add(node.func)
        if _hides_names(node) and node not in harmless and not (stars and isinstance(node, ast.ImportFrom)):
            return None
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.MatchAs | ast.MatchStar) and node.name:
            names.add(node.name)
    makes_names = any(
        isinstance(node, ast.FunctionDef) and node.name == "__getattr__"
        for node in _statements(tree.body, conditional=True)
    )
    return None if makes_names else frozenset(names)


def _sets_own(node: ast.Call) -> bool:
    """Whether a call is ``setattr(self, …)``, which sets no name of the module."""
    first = node.args[0] if node.args else None
    is_own = isinstance(first, ast.Name) and first.id in ("self", "cls")
    return is_own and isinstance(node.func, ast.Name) and node.func.id == "setattr"


def bound_names(tree: ast.Module) -> frozenset[str]:
    """The names that the import of a module binds in it, also where a condition or ``try`` guards that."""
    names: set[str] = set()
    for node in _module_scope(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names} - {"*"}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return frozenset(names)


def exported_names(tree: ast.Module) -> frozenset[str] | None:
    """What ``__all__`` lists, if it is written out; None if there is none, or the source does not show it all."""
    found: set[str] = set()
    is_there = False
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AugAssign | ast.AnnAssign) else targets
        if not any(isinstance(each, ast.Name) and each.id == "__all__" for each in targets):
            continue
        listed = getattr(node, "value", None)
        if not isinstance(listed, ast.List | ast.Tuple):
            return None
        is_there = True
        found |= {
            each.value for each in listed.elts if isinstance(each, ast.Constant) and str(each.value) == each.value
        }
    return frozenset(found) if is_there else None


def _module_scope(tree: ast.Module) -> Iterator[ast.AST]:
    """The nodes in the scope of the module: outside of functions and classes, but with their definitions."""
    left: list[ast.AST] = [tree]
    while left:
        node = left.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            left += ast.iter_child_nodes(node)


def _hides_names(node: ast.AST) -> bool:
    if isinstance(node, ast.Import | ast.ImportFrom):
        return any(alias.name == "*" for alias in node.names)
    if isinstance(node, ast.Attribute):
        is_of_sys = isinstance(node.value, ast.Name) and node.value.id == "sys"
        return node.attr in _DYNAMIC or (node.attr == "modules" and is_of_sys)  # sys.modules[__name__] = …
    return isinstance(node, ast.Name) and (
        node.id in _DYNAMIC or (node.id == "__getattr__" and isinstance(node.ctx, ast.Store))
    )


class Use(NamedTuple):
    """A name that a file takes from another package (``torchaudio.io.StreamReader``).

    ``at_import``: the import of the file certainly takes it. ``is_import``: an import statement names it.
    """

    path: str
    line: int
    name: str
    at_import: bool
    is_import: bool = False


def uses(
    tree: ast.Module,
    path: str,
    packages: Collection[str],
    *,
    lazy_annotations: bool = False,
    in_functions: bool = True,
) -> list[Use]:
    """What a file takes from some packages, in its order; what is guarded is left out.

    ``lazy_annotations``: the Python evaluates no annotation at import (3.14 and later). Without
    ``in_functions`` only what the import of the file takes is looked for.
    """
    finder = _UseFinder(tree, path, packages, lazy_annotations=lazy_annotations, in_functions=in_functions)
    try:
        for node in tree.body:
            finder.visit(node, at_import=True)
    except RecursionError:  # an expression of a thousand parts
        return []
    return finder.found


class _UseFinder:
    """Collects the uses in one file."""

    def __init__(
        self,
        tree: ast.Module,
        path: str,
        packages: Collection[str],
        *,
        lazy_annotations: bool,
        in_functions: bool,
    ) -> None:
        self.found: list[Use] = []
        self._path = path
        self._packages = packages
        self._in_functions = in_functions
        self._evaluates_annotations = not (lazy_annotations or _has_lazy_annotations(tree))
        self._global = _bindings(_outside_functions(tree), packages)
        self._everywhere = _bindings(ast.walk(tree), packages) if in_functions else self._global

    def visit(self, node: ast.AST, *, at_import: bool) -> None:
        """Add what this part of the file uses."""
        if isinstance(node, ast.Import | ast.ImportFrom):
            self._add_imported(node, at_import=at_import)
        elif isinstance(node, ast.Attribute) and (name := self._dotted(node, at_import=at_import)):
            self.found.append(Use(self._path, node.lineno, name, at_import))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            self._visit_function(node, at_import=at_import)
        elif isinstance(node, ast.AnnAssign):
            annotation = node.annotation if at_import and self._evaluates_annotations else None
            self._visit_all(filter(None, (annotation, node.value)), at_import=at_import)
        elif isinstance(node, ast.For | ast.AsyncFor | ast.While):
            self.visit(node.test if isinstance(node, ast.While) else node.iter, at_import=at_import)
            self._visit_all([*node.body, *node.orelse], at_import=False)
        elif isinstance(node, ast.If):
            self.visit(node.test, at_import=at_import)
        elif not (_is_guarded(node) or (isinstance(node, ast.Lambda) and not self._in_functions)):
            certain = at_import and not isinstance(node, ast.Lambda)
            self._visit_all(ast.iter_child_nodes(node), at_import=certain)

    def _visit_all(self, nodes: Iterable[ast.AST], *, at_import: bool) -> None:
        for node in nodes:
            self.visit(node, at_import=at_import)

    def _visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, *, at_import: bool) -> None:
        """Its definition evaluates decorators, defaults and annotations; a call runs its body."""
        arguments = node.args
        evaluated: list[ast.expr | None] = [*node.decorator_list, *arguments.defaults, *arguments.kw_defaults]
        if at_import and self._evaluates_annotations:
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            evaluated += [each.annotation for each in every] + [node.returns]
        self._visit_all(filter(None, evaluated), at_import=at_import)
        if self._in_functions:
            self._visit_all(node.body, at_import=False)

    def _add_imported(self, node: ast.Import | ast.ImportFrom, *, at_import: bool) -> None:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if "." in alias.name]
        else:
            names = [f"{node.module}.{alias.name}" for alias in node.names if alias.name != "*"]
        if isinstance(node, ast.Import) or not node.level:
            for name in names:
                if name.partition(".")[0] in self._packages:
                    self.found.append(Use(self._path, node.lineno, name, at_import, is_import=True))

    def _dotted(self, node: ast.Attribute, *, at_import: bool) -> str:
        """The full name, if it begins with a package that is looked for; else ""."""
        parts: list[str] = []
        here: ast.expr = node
        while isinstance(here, ast.Attribute):
            parts.append(here.attr)
            here = here.value
        bindings = self._global if at_import else self._everywhere
        if not isinstance(here, ast.Name) or here.id not in bindings:
            return ""
        return ".".join([bindings[here.id], *reversed(parts)])


def _is_guarded(node: ast.AST) -> bool:
    """Whether code may run only where a name is known to be there, or its absence is handled."""
    return isinstance(node, ast.Try | ast.IfExp | ast.BoolOp) or (isinstance(node, ast.With) and _suppresses(node))


def _has_lazy_annotations(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.ImportFrom) and node.module == "__future__" and node.names[0].name == "annotations"
        for node in tree.body
    )


def _outside_functions(tree: ast.Module) -> Iterator[ast.AST]:
    left: list[ast.AST] = [tree]
    while left:
        node = left.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.expr):
            left += ast.iter_child_nodes(node)


def _bindings(nodes: Iterable[ast.AST], packages: Collection[str]) -> dict[str, str]:
    """The local names that imports bind to modules of the packages, each with that module's full name.

    A name that another import binds to something else is left out.
    """
    bound: dict[str, set[str]] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                bound.setdefault(alias.asname or top, set()).add(alias.name if alias.asname else top)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                bound.setdefault(alias.asname or alias.name, set()).add("")
    return {
        name: module
        for name, (module, *others) in bound.items()
        if not others and module.partition(".")[0] in packages
    }
