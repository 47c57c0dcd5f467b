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


def modules() -> Iterator[tuple[str, ModuleType, ast.Module]]:
    """The modules of the package and its scripts, each with its path and its tree."""
    for path in sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "scripts").rglob("*.py")]):
        name = path.relative_to(ROOT).as_posix()
        text = path.read_text(encoding="utf-8")
        imported = {word for line in text.splitlines() if "import" in line for word in re.findall(r"\w+", line)}
        if not imported & {"re", "patterns"}:
            continue
        yield name, _module(path), ast.parse(text)


def uses(given: Given) -> tuple[list[Use], list[str]]:
    """All patterns, each once for each way of use, and the calls whose pattern is not known."""
    found: dict[tuple[str | bytes, int, str], Use] = {}
    unknown: list[str] = []
    everything = list(modules())
    public = _ways(tree for _, _, tree in everything)
    for path, module, tree in everything:
        ways = _ways([tree]) | {name: way for name, way in public.items() if name[0] != "_"}
        for use in [*_called(path, module, tree, given, ways, unknown), *_held(path, module, ways)]:
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


def _ways(trees: Iterable[ast.Module]) -> dict[str, str]:
    """How each name of a compiled pattern is used, the widest way; one that is handed on may be used in all."""
    ways: dict[str, set[str]] = {}
    for tree in trees:
        called = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                held = node.func.value
                name = (
                    held.id if isinstance(held, ast.Name) else held.attr if isinstance(held, ast.Attribute) else ""
                )
                if name and node.func.attr in _CALLS:
                    alone = node.func.attr in ("match", "fullmatch") and len(node.args) == 1
                    ways.setdefault(name, set()).add(node.func.attr if alone else "all")
                    called.add(id(held))
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Attribute)
                and id(node.value) not in called
                and isinstance(node.value, ast.Name)
            ):
                if node.attr in ("match", "fullmatch"):  # handed on, as to map
                    ways.setdefault(node.value.id, set()).add(node.attr)
                if node.attr in ("match", "fullmatch", "pattern"):
                    called.add(id(node.value))
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and id(node) not in called:
                ways.setdefault(node.id, set()).add("all")
    return {name: next(iter(ways)) if len(ways) == 1 else _widest(ways) for name, ways in ways.items()}


def _widest(ways: set[str]) -> str:
    return "all" if "all" in ways else "match"


def _called(
    path: str, module: ModuleType, tree: ast.Module, given: Given, ways: dict[str, str], unknown: list[str]
) -> Iterator[Use]:
    names = {id(node.value): node.targets[0].id for node in ast.walk(tree) if _is_named(node)}  # type: ignore[attr-defined]
    for node, function in _walk(tree, ""):
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


def _walk(node: ast.AST, function: str) -> Iterator[tuple[ast.AST, str]]:
    """All nodes, each with the function that it stands in."""
    for child in ast.iter_child_nodes(node):
        inside = child.name if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)) else function
        yield child, inside
        yield from _walk(child, inside)


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
