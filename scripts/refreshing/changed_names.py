"""What the releases of one project define: modules, names of modules, members of classes, arguments of functions.

Read from unpacked wheels. Only what some releases have and others lack is kept.
"""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from torchlock.inspect.source import bound_names, exported_names, parsed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_NAME = re.compile(r"[A-Za-z_]\w*")
_LAZY = re.compile(r"__getattr__|LazyModule|attach_stub|_attach\(|lazy_loader")
_OPEN = re.compile(r"^def __getattr__|\bglobals\(\)|\bexec\(", re.MULTILINE)
_SETS = re.compile(r"\bself\.(\w+)(?:, self\.\w+){0,9}(?: ?:[^=\n]{1,200})? = ")
_WORD = re.compile(r"\w+")
_ALL = re.compile(r"^__all__ = \[([^\]=]*)\]", re.MULTILINE)
# Folders whose modules are too many to read each, and those that nobody imports from.
_SKIPPED = frozenset({"models", "pipelines", "tests", "test", "docs", "examples", "benchmarks"})
# Decorators after which a function still has its own arguments.
_PLAIN = frozenset({"staticmethod", "classmethod", "abstractmethod", "no_grad", "inference_mode", "override"}) | {
    "_defaults_from_env_vars"  # That of Lightning's Trainer passes all on.
}
_DEEPEST = 3
# The deepest level of a project with very many modules, and of one inside of a namespace.
_DEEPEST_OF = {"pyannote": 4} | dict.fromkeys(
    ("datasets", "lhotse", "numba", "scipy", "timm", "transformers", "trl"), 2
)
_DEEPEST_STAR = 8
# Modules of diffusers with placeholders for what a missing package would bring.
_PLACEHOLDERS = re.compile(r"dummy_\w+_objects")


class _Class(NamedTuple):
    """What a class itself has: names that it sets, all words in it, its bases; ``is_open``: it may have more."""

    sets: frozenset[str]
    words: frozenset[str]
    bases: tuple[str, ...]
    is_open: bool


class Release(NamedTuple):
    """One release: its dotted names, its modules that hide names, its classes, and arguments by function.

    ``main`` are the names that the import of a main module binds: not the modules that it does not load.
    ``members`` has by class what it sets, and all words of it and its bases. A class or a function that is defined
    several times under one name, or that may have more, is None. Where a namespace beside a package has a class of
    the same name, that of the package counts (``Axes`` of matplotlib, not of mpl_toolkits).
    """

    names: set[str]
    main: set[str]
    hidden: set[str]
    members: dict[str, tuple[frozenset[str], frozenset[str]] | None]
    arguments: dict[str, frozenset[str] | None]


def read_release(folder: Path) -> Release:
    """Read the packages in a folder of one release, as ``pip install --no-deps --target`` leaves it."""
    found = ((dotted, parsed(str(path))) for dotted, path in _modules(folder))
    trees = {dotted: tree for dotted, tree in found if tree is not None}
    files = dict(_modules(folder))
    names, main, hidden = set(_module_names(folder)), set[str](), set[str]()
    classes: dict[str, list[_Class]] = {}
    of_namespaces: dict[str, list[_Class]] = {}
    arguments: dict[str, list[frozenset[str] | None]] = {}
    for dotted, tree in trees.items():
        is_package = files[dotted].name == "__init__.py"
        lazy = _lazy(files[dotted]) if is_package else frozenset()
        mine = (
            lazy
            | (bound_names(tree) - _imported(tree, only_of_python=is_package))
            | _by_stars(dotted, trees, files)
        )
        names |= {f"{dotted}.{name}" for name in mine if not name.startswith("_")}
        main |= {f"{dotted}.{name}" for name in mine if "." not in dotted}
        if not lazy and _hides(dotted, trees, files):
            hidden.add(dotted)
        top = dotted.partition(".")[0]
        is_main = (folder / top / "__init__.py").is_file() or (folder / f"{top}.py").is_file()
        _read_classes(tree, _text(files[dotted]), classes if is_main else of_namespaces)
        _read_arguments(tree, arguments)
    classes = {**of_namespaces, **classes}
    members = {name: _all_members(name, classes) for name in classes if not name.startswith("_")}
    merged = {name: rows[0] if len(set(rows)) == 1 else None for name, rows in arguments.items()}
    return Release(names, main, hidden, members, merged)


def _single(folder: Path) -> Iterator[Path]:
    """The modules that are a file beside the packages, such as typing_extensions.py."""
    yield from (path for path in sorted(folder.glob("*.py")) if path.stem not in _SKIPPED)


def _packages(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        is_code = (path / "__init__.py").is_file() or any(path.glob("*/__init__.py"))  # A namespace has none.
        if is_code and path.name not in _SKIPPED:
            yield path


def _modules(folder: Path) -> Iterator[tuple[str, Path]]:
    """The modules that are read: not those of the deepest folders."""
    yield from ((path.stem, path) for path in _single(folder))
    for package in _packages(folder):
        for path in package.rglob("*.py"):
            parts = path.relative_to(folder).with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            is_shallow = len(parts) <= _DEEPEST_OF.get(package.name, _DEEPEST)
            if is_shallow and not _SKIPPED & set(parts[:-1]) and not _PLACEHOLDERS.fullmatch(path.stem):
                yield ".".join(parts), path


def _module_names(folder: Path) -> Iterator[str]:
    """All modules, also those that are not read, and compiled ones."""
    yield from (path.stem for path in _single(folder))
    for package in _packages(folder):
        for path in package.rglob("*"):
            parts = (*path.relative_to(folder).parent.parts, path.name.partition(".")[0])
            if path.suffix in (".py", ".so", ".pyd") and not {"tests", "test"} & set(parts):
                yield ".".join(parts).removesuffix(".__init__")


def _scope(tree: ast.Module, *, handlers: bool = True) -> Iterator[ast.AST]:
    """The nodes outside of functions and classes; ``handlers``: also those that run after a failure."""
    left: list[ast.AST] = list(tree.body)
    while left:
        node = left.pop()
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With) or (handlers and isinstance(node, ast.ExceptHandler)):
            left += ast.iter_child_nodes(node)


def _imported(tree: ast.Module, *, only_of_python: bool = False) -> frozenset[str]:
    """The names that a module binds by importing other packages, or only modules of Python."""
    return frozenset(
        (alias.asname or alias.name).partition(".")[0]
        for node in _scope(tree)
        if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and not node.level)
        for alias in node.names
        if not only_of_python
        or (alias.name if isinstance(node, ast.Import) else node.module or "").partition(".")[0]
        in sys.stdlib_module_names
    )


def _by_stars(dotted: str, trees: dict[str, ast.Module], files: dict[str, Path], depth: int = 0) -> set[str]:
    """What ``from … import *`` brings into a module, from modules of the same release."""
    found: set[str] = set()
    for inner in _stars(dotted, trees, files) if depth < _DEEPEST_STAR else ():
        if inner in trees:
            listed = exported_names(trees[inner])
            found |= (
                (bound_names(trees[inner]) | _by_stars(inner, trees, files, depth + 1))
                if listed is None
                else listed
            )
    return found


def _stars(dotted: str, trees: dict[str, ast.Module], files: dict[str, Path]) -> Iterator[str]:
    """The modules of which a module takes all names, if nothing that it imports is missing."""
    for node in _scope(trees[dotted], handlers=False):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            here = dotted.split(".") if files[dotted].name == "__init__.py" else dotted.split(".")[:-1]
            here = here[: len(here) - node.level + 1] if node.level else []
            yield ".".join([*here, *filter(None, [node.module])])


def _hides(dotted: str, trees: dict[str, ast.Module], files: dict[str, Path]) -> bool:
    """Whether a module may have names that its source does not show."""
    text = _text(files[dotted])
    return bool(_OPEN.search(text)) or any(inner not in trees for inner in _stars(dotted, trees, files))


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _lazy(path: Path) -> frozenset[str]:
    """The names that a package loads when they are used: those that its source lists as texts or for types."""
    text = _text(path)
    if not _LAZY.search(text):
        return frozenset()
    found = set()
    for source in (path, path.with_suffix(".pyi")):
        tree = parsed(str(source)) if source.is_file() else None
        for node in ast.walk(tree) if tree is not None else ():
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _NAME.fullmatch(node.value):
                found.add(node.value)
            elif isinstance(node, ast.ImportFrom):
                found |= {alias.asname or alias.name for alias in node.names} - {"*"}
    if "define_import_structure" in text:
        for inner in path.parent.rglob("*.py"):
            for match in _ALL.finditer(inner.read_text(encoding="utf-8", errors="replace")):
                found |= set(re.findall(r"\w+", match[1]))
    return frozenset(found)


def _read_classes(tree: ast.Module, text: str, found: dict[str, list[_Class]]) -> None:
    lines = text.split("\n")
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            bases = tuple(_last(base) for base in node.bases)
            own = "\n".join(lines[node.lineno - 1 : node.end_lineno])
            methods = {each.name for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
            sets = methods | {name for name in _SETS.findall(own) if not name.startswith("_")}
            is_open = not all(bases) or "__getattr__" in methods or "__getattribute__" in methods
            row = _Class(frozenset(sets), frozenset(_WORD.findall(own)), bases, is_open)
            found.setdefault(node.name, []).append(row)


def _last(base: ast.expr) -> str:
    """The name of a base class; "" for anything else than a name."""
    if isinstance(base, ast.Subscript):
        base = base.value
    return base.id if isinstance(base, ast.Name) else base.attr if isinstance(base, ast.Attribute) else ""


def _all_members(
    name: str, classes: dict[str, list[_Class]], seen: tuple[str, ...] = ()
) -> tuple[frozenset[str], frozenset[str]] | None:
    """What a class and its bases set, and their words; None if the source does not show them all."""
    if name in ("object", "ABC", "Enum", "Exception", "Generic", "Protocol"):
        return frozenset(), frozenset()
    rows = classes.get(name)
    if rows is None or len(rows) > 1 or name in seen or rows[0].is_open:
        return None
    sets, words = rows[0].sets, rows[0].words
    for base in rows[0].bases:
        inner = _all_members(base, classes, (*seen, name))
        if inner is None:
            return None
        sets, words = sets | inner[0], words | inner[1]
    return sets, words


def _read_arguments(tree: ast.Module, found: dict[str, list[frozenset[str] | None]]) -> None:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found.setdefault(node.name, []).append(_arguments(node))
        elif isinstance(node, ast.ClassDef):
            for each in node.body:
                if isinstance(each, ast.FunctionDef):
                    found.setdefault(f"{node.name}.{each.name}", []).append(_arguments(each))


def _arguments(node: ast.FunctionDef) -> frozenset[str] | None:
    """The names of a function's arguments; None if it takes any, or if a decorator may change them."""
    decorators = {_last(each.func if isinstance(each, ast.Call) else each) for each in node.decorator_list}
    if node.args.kwarg is not None or not decorators <= _PLAIN:
        return None
    return frozenset(each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs))


def spans(there: Iterable[bool]) -> list[list[int]]:
    """Runs of True, each as its first and last index."""
    found: list[list[int]] = []
    for index, is_there in enumerate(there):
        if is_there and found and found[-1][1] == index - 1:
            found[-1][1] = index
        elif is_there:
            found.append([index, index])
    return found


def changed(read: list[Release]) -> dict[str, Any]:
    """The table: ``names``, ``members`` and ``arguments`` that not all releases have, each with its spans.

    ``modules``: the modules of the main ones that all releases have. ``hidden``: the spans of releases in which a
    module may have more names. ``always``: the names of the main modules that all releases have.
    """
    every = set().union(*(each.names for each in read))
    names = {name: there for name in sorted(every) if not all(there := [name in each.names for each in read])}
    kept = {name: spans(there) for name, there in names.items() if _stands_alone(name, names)}
    parents = {name.rpartition(".")[0] for name in kept}
    hides = {name: spans(name in each.hidden for each in read) for name in sorted(parents)}
    return {
        "names": kept,
        "hidden": {name: row for name, row in hides.items() if row},
        "always": sorted(set.intersection(*(each.main for each in read)) & every),
        "modules": sorted(name for name in every if name.count(".") == 1 and name not in names),
        "members": _changed_members([each.members for each in read]),
        "arguments": _changed_arguments([each.arguments for each in read]),
    }


def _stands_alone(name: str, names: dict[str, list[bool]]) -> bool:
    """Whether a name is gone from a module that is still there; parts of a module that is gone are left out."""
    parent = name.rpartition(".")[0]
    return parent not in names or names[parent] != names[name]


def _changed_members(read: list[dict[str, tuple[frozenset[str], frozenset[str]] | None]]) -> dict[str, Any]:
    """By class, what it set in some releases and does not mention in the last one: [spans with, spans without]."""
    found: dict[str, Any] = {}
    for name in sorted(name for name, row in read[-1].items() if row is not None):
        rows = [each.get(name) for each in read]
        last = rows[-1]
        sets = frozenset().union(*(row[0] for row in rows if row is not None))
        for part in sorted(each for each in sets - (last[1] if last else sets) if not each.startswith("__")):
            having = spans(row is not None and part in row[0] for row in rows)
            lacking = spans(row is not None and part not in row[1] for row in rows)
            found.setdefault(name, {})[part] = [having, lacking]
    return found


def _changed_arguments(read: list[dict[str, frozenset[str] | None]]) -> dict[str, Any]:
    """By function, the arguments that some releases lack: [spans with, spans without]."""
    found: dict[str, Any] = {}
    for name in sorted(set().union(*read)):
        rows = [each.get(name) for each in read]
        known = [row for row in rows if row is not None]
        lost = frozenset().union(*known) - frozenset.intersection(*known) if len(known) > 1 else frozenset()
        for part in sorted(each for each in lost if each not in ("self", "cls") and not name.startswith("_")):
            having = spans(row is not None and part in row for row in rows)
            lacking = spans(row is not None and part not in row for row in rows)
            found.setdefault(name, {})[part] = [having, lacking]
    return found
