"""Every regular expression of the package and of its scripts, and how it is used.

Two ways find them: the calls of `re` in the source, evaluated where they are constant, and the compiled objects
that the modules hold. A call whose pattern is made at run time has its instances in a table of the test.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from torchlock.patterns import Later

ROOT = Path(__file__).parents[3]
_CALLS = {
    "compile": ("all", 1),
    "match": ("match", 2),
    "fullmatch": ("fullmatch", 2),
    "search": ("all", 2),
    "findall": ("all", 2),
    "finditer": ("all", 2),
    "split": ("all", 3),
    "sub": ("all", 4),
    "subn": ("all", 4),
}  # how the pattern is tried, and where the flags stand


@dataclass(frozen=True)
class Use:
    """A pattern, where it is used, and how: ``match``, ``fullmatch`` or ``all`` (tried at every place)."""

    pattern: str | bytes
    flags: int
    how: str
    where: str


Given = dict[tuple[str, str], Callable[[ModuleType], Iterable[str | bytes]]]


@dataclass(frozen=True)
class _Source:
    """A module with its path, and the nodes of its source, each with the function that it stands in."""

    path: str
    module: ModuleType
    nodes: list[tuple[ast.AST, str]]


def _sources() -> Iterator[_Source]:
    """The modules of the package and its scripts that may have patterns."""
    for path in sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "scripts").rglob("*.py")]):
        name = path.relative_to(ROOT).as_posix()
        text = path.read_text(encoding="utf-8")
        imported = {word for line in text.splitlines() if "import" in line for word in re.findall(r"\w+", line)}
        if not imported & {"re", "patterns"}:
            continue
        yield _Source(name, _module(path), list(_walk(ast.parse(text))))


def uses(given: Given) -> tuple[list[Use], list[str]]:
    """All patterns, each once for each way of use, and the calls whose pattern is not known."""
    found: dict[tuple[str | bytes, int, str], Use] = {}
    unknown: list[str] = []
    everything = [(source, _ways([node for node, _ in source.nodes])) for source in _sources()]
    shared: dict[str, set[str]] = {}
    for _, own in everything:
        for name, some in own.items():
            if name[0] != "_":
                shared.setdefault(name, set()).update(some)
    public = {name: _widest(some) for name, some in shared.items()}
    for source, own in everything:
        ways = {name: _widest(some) for name, some in own.items()} | public
        for use in [*_called(source, given, ways, unknown), *_held(source.path, source.module, ways)]:
            found.setdefault((use.pattern, use.flags & ~re.DEBUG, use.how), use)
    return list(found.values()), unknown


def _module(path: Path) -> ModuleType:
    if path.is_relative_to(ROOT / "src"):
        parts = path.relative_to(ROOT / "src").with_suffix("").parts
        return importlib.import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    spec = importlib.util.spec_from_file_location(f"_patterns_of_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module


def _ways(nodes: list[ast.AST]) -> dict[str, set[str]]:
    """How a module uses each name of a compiled pattern; one that is handed on may be used in all ways."""
    ways: dict[str, set[str]] = {}
    called = set()
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            held = node.func.value
            name = held.id if isinstance(held, ast.Name) else held.attr if isinstance(held, ast.Attribute) else ""
            if name and node.func.attr in _CALLS:
                alone = node.func.attr in ("match", "fullmatch") and len(node.args) == 1
                ways.setdefault(name, set()).add(node.func.attr if alone else "all")
                called.add(id(held))
    for node in nodes:
        if isinstance(node, ast.Attribute) and id(node.value) not in called and isinstance(node.value, ast.Name):
            if node.attr in ("match", "fullmatch"):  # handed on, as to map
                ways.setdefault(node.value.id, set()).add(node.attr)
            if node.attr in ("match", "fullmatch", "pattern"):
                called.add(id(node.value))
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and id(node) not in called:
            ways.setdefault(node.id, set()).add("all")
    return ways


def _widest(ways: set[str]) -> str:
    return next(iter(ways)) if len(ways) == 1 else "all" if "all" in ways else "match"


def _called(source: _Source, given: Given, ways: dict[str, str], unknown: list[str]) -> Iterator[Use]:
    path, module = source.path, source.module
    names = {id(node.value): node.targets[0].id for node, _ in source.nodes if _is_named(node)}  # type: ignore[attr-defined]
    for node, function in source.nodes:
        how, flags_at = _called_how(node)
        if not how:
            continue
        assert isinstance(node, ast.Call)
        where = f"{path}: {function or names.get(id(node), f'line {node.lineno}')}"
        if not isinstance(node.func, ast.Attribute) or node.func.attr == "compile":
            how = ways.get(names.get(id(node), ""), "all")
        flags = _flags(node, flags_at, module)
        patterns = _values(node.args[0], module)
        if not patterns:
            key = (path, f"{function}: {ast.unparse(node.args[0])}")
            if key in given:
                patterns = list(given[key](module))
            elif function:
                unknown.append(f"{path}: {key[1]}")
        for pattern in patterns:
            if isinstance(pattern, (str, bytes)):
                yield Use(pattern, flags, how, where)


def _is_named(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)


def _walk(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """All nodes in the order of the source, each with the function that it stands in."""
    stack: list[tuple[ast.AST, str]] = [(tree, "")]
    while stack:
        node, function = stack.pop()
        yield node, function
        inside = node.name if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) else function
        stack += [(child, inside) for child in ast.iter_child_nodes(node)][::-1]


def _called_how(node: ast.AST) -> tuple[str, int]:
    if not isinstance(node, ast.Call) or not node.args:
        return "", 0
    if isinstance(node.func, ast.Name) and node.func.id == "pattern":
        return _CALLS["compile"]
    if not isinstance(node.func, ast.Attribute):
        return "", 0
    of_re = isinstance(node.func.value, ast.Name) and node.func.value.id == "re"
    return _CALLS.get(node.func.attr, ("", 0)) if of_re else ("", 0)


def _flags(node: ast.Call, at: int, module: ModuleType) -> int:
    given = [keyword.value for keyword in node.keywords if keyword.arg == "flags"]
    given += node.args[at : at + 1]
    try:
        return int(_value(given[0], module)) if given else 0
    except NameError:  # Those that a caller gives.
        return 0


def _values(node: ast.expr, module: ModuleType) -> list[Any]:
    """What a pattern is; in an f-string, a word stands for what is known at run time only."""
    try:
        return [_value(node, module)]
    except (NameError, AttributeError, KeyError, IndexError, TypeError):
        pass
    if not isinstance(node, ast.JoinedStr):
        return []
    parts = []
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(part.value)
        else:
            assert isinstance(part, ast.FormattedValue)
            try:
                parts.append(str(_value(part.value, module)))
            except (NameError, AttributeError, KeyError, IndexError, TypeError):
                parts.append("word")
    return ["".join(parts)]


def _value(node: ast.expr, module: ModuleType) -> Any:
    return eval(compile(ast.Expression(node), "<pattern>", "eval"), {"re": re, **vars(module)})  # noqa: S307 - our own source


def _held(path: str, module: ModuleType, ways: dict[str, str]) -> Iterator[Use]:
    """The compiled patterns that a module holds, in containers and classes too."""
    for name, value in list(vars(module).items()):
        if isinstance(value, (re.Pattern, Later)):
            yield Use(value.pattern, _given_flags(value), ways.get(name, "all"), f"{path}: {name}")
        else:
            for pattern in _inside(value, module, 0):
                yield Use(pattern.pattern, _given_flags(pattern), "all", f"{path}: {name}")


def _given_flags(pattern: re.Pattern[Any]) -> int:
    return pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, str) else pattern.flags


def _inside(value: object, module: ModuleType, depth: int) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, (re.Pattern, Later)):
        yield value
    elif depth > 4:
        return
    elif isinstance(value, dict):
        for item in [*value, *value.values()]:
            yield from _inside(item, module, depth + 1)
    elif isinstance(value, (tuple, list, set, frozenset)):
        for item in value:
            yield from _inside(item, module, depth + 1)
    elif isinstance(value, type) and value.__module__ == module.__name__:
        for item in list(vars(value).values()):
            yield from _inside(item, module, depth + 1)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for item in list(vars(value).values()) if hasattr(value, "__dict__") else []:
            yield from _inside(item, module, depth + 1)
