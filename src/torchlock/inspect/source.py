"""The source of packages: the names that one module takes from another package, and those that this defines.

Read, never run. What is guarded, by ``try``, ``if`` or ``hasattr``, counts as not taken.
"""

from __future__ import annotations

import ast
import os
import re
import warnings
from typing import TYPE_CHECKING, NamedTuple

from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator

# No file of the stack is larger than a megabyte.
_LARGEST = 4 << 20
_DOTTED = re.compile(rb"\btorchaudio(?:\.\w+)+")
_FROM = re.compile(
    rb"\bfrom\s{1,99}(torchaudio[\w.]{0,99})\s{1,99}import\s{1,99}(\([^)]{0,4000}\)|[^\n(]{0,4000})"
)
_RENAMED = re.compile(rb"\bimport\s{1,99}torchaudio[\w.]{0,99}\s{1,99}as\b")


def parsed(path: str) -> ast.Module | None:
    """The syntax tree of a file; None where it cannot be read or is no Python that we know."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(files.read(path, _LARGEST))
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return None


class Use(NamedTuple):
    """A name that a file takes from torchaudio (``torchaudio.io.StreamReader``), and whether its import does."""

    path: str
    line: int
    name: str
    at_import: bool


def lacking(path: str, has: Names) -> list[Use]:
    """What a file takes that is not there, in its order; ``name`` is as much of each as is missing."""
    try:
        content = files.read(path, _LARGEST)
    except (OSError, ValueError):
        return []
    tree = parsed(path) if _may_lack(content, has) else None
    try:
        uses = list(_Uses(path).of(tree)) if tree is not None else []
    except RecursionError:  # an expression of a thousand parts
        return []
    return [use._replace(name=lost) for use in uses if (lost := has.lost(use.name))]


def _may_lack(content: bytes, has: Names) -> bool:
    """Whether a source mentions a name that is not there, or hides it: parsing takes fifty times as long."""
    if b"torchaudio" not in content:
        return False
    names = {match[0].decode() for match in _DOTTED.finditer(content)}
    for match in _FROM.finditer(content):
        words = re.findall(rb"\w+", match[2])
        names |= {f"{match[1].decode()}.{word.decode('utf-8', 'replace')}" for word in words}
    return bool(_RENAMED.search(content)) or any(has.lost(name) for name in names)


class _Uses:
    """What one module takes from torchaudio."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._known: dict[str, str] = {}
        self._lazy = False

    def of(self, tree: ast.Module) -> Iterator[Use]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.name.partition(".")[0] == "torchaudio":
                        self._known[alias.asname or "torchaudio"] = alias.name if alias.asname else "torchaudio"
            elif isinstance(node, ast.ImportFrom) and node.module == "__future__":
                self._lazy |= any(alias.name == "annotations" for alias in node.names)
        for node in tree.body:
            yield from self._in(node, at_import=True)

    def _in(self, node: ast.AST, *, at_import: bool) -> Iterator[Use]:
        if isinstance(node, ast.If | ast.Try | ast.IfExp | ast.BoolOp):
            return  # It may be asked for before, or its absence be seen to.
        if (
            isinstance(node, ast.ImportFrom)
            and not node.level
            and (node.module or "").split(".")[0] == "torchaudio"
        ):
            for alias in node.names:
                if alias.name != "*":
                    yield Use(self._path, node.lineno, f"{node.module}.{alias.name}", at_import)
        elif isinstance(node, ast.Attribute) and (name := self._dotted(node)):
            yield Use(self._path, node.lineno, name, at_import)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from self._function(node, at_import=at_import)
        elif isinstance(node, ast.AnnAssign) and self._lazy:
            yield from self._in(node.value, at_import=at_import) if node.value else ()
        else:
            later = at_import and not isinstance(node, ast.Lambda)
            for child in ast.iter_child_nodes(node):
                yield from self._in(child, at_import=later)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, *, at_import: bool) -> Iterator[Use]:
        """Decorators, defaults and annotations are looked at when it is defined, its body when it is called."""
        arguments = node.args
        now: list[ast.AST | None] = [*node.decorator_list, *arguments.defaults, *arguments.kw_defaults]
        if not self._lazy:
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            now += [each.annotation for each in every] + [node.returns]
        for part in filter(None, now):
            yield from self._in(part, at_import=at_import)
        for part in node.body:
            yield from self._in(part, at_import=False)

    def _dotted(self, node: ast.Attribute) -> str:
        """The whole name, if it begins with torchaudio; "" else."""
        parts: list[str] = []
        here: ast.expr = node
        while isinstance(here, ast.Attribute):
            parts.append(here.attr)
            here = here.value
        if not isinstance(here, ast.Name) or here.id not in self._known:
            return ""
        return ".".join([self._known[here.id], *reversed(parts)])


class Names:
    """What a package defines, by the source of its modules; what one takes from elsewhere is not followed."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._modules: dict[str, set[str] | None] = {}
        self.is_open = self._defined(folder) is None

    def lost(self, dotted: str) -> str:
        """As much of ``torchaudio.io.StreamReader`` as is not there; "" where all is, as far as modules lead."""
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
            is_there = defined is None or part in defined or (part.startswith("__") and part.endswith("__"))
            return "" if is_there else ".".join(parts[:number])
        return ""

    def _defined(self, place: str) -> set[str] | None:
        """The names of a module; None where it makes them as they are asked for, or takes all of another."""
        if place not in self._modules:
            path = os.path.join(place, "__init__.py") if files.is_folder(place) else place
            tree = parsed(path)
            self._modules[place] = None if tree is None else _bound(tree)
        return self._modules[place]


def _bound(tree: ast.Module) -> set[str] | None:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            if node.name == "__getattr__" and node in tree.body:
                return None
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            if any(alias.name == "*" for alias in node.names):
                return None
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("setattr", "globals")
        ):
            return None
    return found
