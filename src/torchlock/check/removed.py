"""TL701 and TL702 of packages that no rule speaks of: names of torchaudio that they use and that it has not.

Read from the source of both. What is guarded, by ``try``, ``if`` or ``hasattr``, is left alone.
"""

from __future__ import annotations

import ast
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock.check.reached import parsed, reached
from torchlock.check.scene import STACK
from torchlock.inspect import files
from torchlock.inspect.record import read_record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.scene import Scene
    from torchlock.finding import Finding
    from torchlock.inspect.distributions import Distribution

_RULES = frozenset({"TL701", "TL702"})
_MOST, _LARGEST = 2000, 1 << 20
_DOTTED = re.compile(rb"\btorchaudio(?:\.\w+)+")
_FROM = re.compile(rb"\bfrom\s+(torchaudio[\w.]*)\s+import\s+(\([^)]*\)|[^\n(]*)")
_RENAMED = re.compile(rb"\bimport\s+torchaudio[\w.]*\s+as\b")


class Use(NamedTuple):
    """A name that a file takes from torchaudio (``torchaudio.io.StreamReader``), and whether its import does."""

    path: str
    line: int
    name: str
    at_import: bool


def removed(scene: Scene) -> Iterator[Finding]:
    """The first use in each package, of one that its import makes if there is any."""
    copy = scene.copy("torchaudio")
    if copy is None or copy.kind != "package":
        return
    has = _Names(copy.path)
    if has.is_open:
        return
    for distribution in scene.installed.distributions:
        if (
            distribution.name not in STACK
            and _asks_for_it(distribution)
            and not _is_spoken_of(scene, distribution)
        ):
            found = _uses(distribution, has)
            uses = [use._replace(name=lost) for use in found if (lost := has.lost(use.name))]
            if uses:
                yield _told(scene, distribution, uses)


def _asks_for_it(distribution: Distribution) -> bool:
    return any(re.match(r"torchaudio\b", line) for line in distribution.metadata.requires)


def _is_spoken_of(scene: Scene, distribution: Distribution) -> bool:
    """Whether this very release was tried, and a rule says what came of it."""
    pin = scene.pins.get(distribution.name)
    if pin is None or scene.target is None:
        return True
    return any(statement.rule in _RULES for statement in scene.matrix.about(distribution.name))


def _told(scene: Scene, distribution: Distribution, uses: list[Use]) -> Finding:
    early = {use.path: use for use in reversed(uses) if use.at_import}
    certain = {
        path for package in {_package(distribution, path) for path in early} for path in reached(package, early)[0]
    }
    first = next((use for use in uses if use.at_import and use.path in certain), uses[0])
    at_import = first.path in certain and first.at_import
    torchaudio = scene.named("torchaudio")
    what = "the import of " if at_import else ""
    verb = "uses" if at_import else "calls"
    return scene.finding(
        "TL701" if at_import else "TL702",
        "warning" if at_import else "note",
        f"{what}{scene.named(distribution.name)} {verb} {first.name}, which {torchaudio} has not",
        distribution.name,
        "torchaudio",
        path=first.path,
        because=f"line {first.line} of {os.path.basename(first.path)} names it, and torchaudio does not define it",
        says=_says(first.name),
        sources=("torchaudio-init",),
    )


def _package(distribution: Distribution, path: str) -> str:
    inner = os.path.relpath(path, distribution.entry.path).split(os.sep)
    return os.path.join(distribution.entry.path, inner[0])


def _says(name: str) -> str:
    module, _, attribute = name.rpartition(".")
    return f"AttributeError: module '{module}' has no attribute '{attribute}'"


def _uses(distribution: Distribution, has: _Names) -> Iterator[Use]:
    record = read_record(distribution)
    for number, row in enumerate(() if isinstance(record, str) else record):
        if number > _MOST:
            return
        if row.path.endswith(".py") and not row.path.startswith(("/", "..")) and "test" not in row.path.split("/"):
            path = os.path.join(distribution.entry.path, *row.path.split("/"))
            try:
                content = files.read(path, _LARGEST)
            except (OSError, ValueError):
                continue
            tree = parsed(path) if _may_lack(content, has) else None
            if tree is not None:
                yield from _Uses(path).of(tree)


def _may_lack(content: bytes, has: _Names) -> bool:
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


class _Names:
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
