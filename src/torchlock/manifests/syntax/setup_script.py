"""What a setup.py passes to setup(), as far as its text alone tells: nothing is ever run.

Literals, names given a value in the order of the text, joined lists, and the usual ways to read a file of
requirements. A value in doubt (changed under a condition, computed) is known in part or not at all.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_FILE = re.compile(r"[\w./\\-]+\.(?:txt|in|pip)")
_OPENERS = {"open", "Path", "read_text", "StringIO"}
# What gives back the same lines, or the same text.
_SAME = {"list", "tuple", "set", "sorted", "filter", "map", "str", "iter", "frozenset"}
_SAME_METHODS = {
    "read",
    "readlines",
    "read_text",
    "splitlines",
    "split",
    "strip",
    "rstrip",
    "decode",
    "copy",
    "open",
}
_PATHS = {"join", "abspath", "resolve", "Path", "PurePath", "joinpath"}
_GUARDS = re.compile(r"exists|isfile|is_file|__main__")
_DEEPEST = 200
# Placeholders in a text.
_LEFT = {"%s": re.compile(r"%[(a-z]"), "{}": re.compile(r"\{[^{}]*\}")}
# No project asks for as much; what grows beyond is not looked at.
_LONGEST = 10_000


@dataclass(slots=True)
class Text:
    """A string; ``node`` is the literal that it is, None for one put together."""

    value: str
    node: ast.Constant | None = None


@dataclass(slots=True)
class Lines:
    """The lines of a file."""

    name: str


@dataclass(slots=True)
class Items:
    """A list; ``complete`` is false where there may be more in it, or less."""

    items: list[Text | Lines] = field(default_factory=list)
    complete: bool = True


@dataclass(slots=True)
class Table:
    """A dictionary."""

    items: dict[str, Value] = field(default_factory=dict)
    complete: bool = True


Value = Text | Lines | Items | Table | None


@dataclass(slots=True)
class Argument:
    """What setup() is given by one name, and where."""

    value: Value
    node: ast.expr


def setup_arguments(tree: ast.Module) -> dict[str, Argument]:
    """The arguments of the first call of setup(), by name; nothing where there is none."""
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    run = _Run(functions)
    run.block(tree.body, certain=True)
    for function in functions.values():
        if run.found is None:
            run.block(function.body, certain=True)
    return run.found or {}


class Values:
    """What expressions stand for, with the names that a module and the function at hand give values to."""

    def __init__(self, tree: ast.Module) -> None:
        self._module = _Run({})
        self._module.block(tree.body, certain=True)
        self._run = self._module

    def enter(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """The names inside a function, whose parameters are unknown."""
        self._run = self._module.inner(function)

    def leave(self) -> None:
        """Go on in the module."""
        self._run = self._module

    def of(self, node: ast.expr) -> Value:
        """The value of an expression; None if it is unknown."""
        return self._run.value(node)


class _Run:
    """The module's statements in order, and what its names stand for."""

    def __init__(self, functions: dict[str, ast.FunctionDef]) -> None:
        self._functions = functions
        self._names: dict[str, Value] = {}
        self._depth = 0
        self.found: dict[str, Argument] | None = None

    def inner(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> _Run:
        """A run of a function's body, which knows the names of this one."""
        run = _Run(self._functions)
        parameters = {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}
        run._names = {name: value for name, value in self._names.items() if name not in parameters}
        run.block(function.body, certain=True)
        return run

    def block(self, body: Iterable[ast.stmt], *, certain: bool) -> None:
        for statement in body:
            if self.found is None:
                self._statement(statement, certain)

    def _statement(self, node: ast.stmt, certain: bool) -> None:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self._assign(target, self.value(node.value), certain)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            self._assign(node.target, self.value(node.value), certain)
        elif isinstance(node, ast.AugAssign):
            self._assign(node.target, _added(self.value(node.target), self.value(node.value), certain), True)
        elif isinstance(node, ast.With):
            for item in node.items:
                if item.optional_vars is not None:
                    self._assign(item.optional_vars, self.value(item.context_expr), certain)
            self.block(node.body, certain=certain)
        elif isinstance(node, ast.If):
            self.block(node.body, certain=certain and bool(_GUARDS.search(ast.dump(node.test))))
            self.block(node.orelse, certain=False)
        elif isinstance(node, ast.Try):
            self.block(node.body, certain=certain)
            self.block([*node.orelse, *node.finalbody], certain=certain)
        elif isinstance(node, ast.For):
            self._assign(node.target, self.value(node.iter), certain)
            source = self.value(node.iter)
            self.block(node.body, certain=certain and isinstance(source, Lines))
        elif isinstance(node, ast.Expr | ast.Return) and isinstance(node.value, ast.Call):
            self._call(node.value, certain)

    def _assign(self, target: ast.expr, value: Value, certain: bool) -> None:
        if isinstance(target, ast.Name):
            known = self._names.get(target.id)
            self._names[target.id] = value if certain else _doubtful(known)
        elif isinstance(target, ast.Subscript):
            table, key = self.value(target.value), self.value(target.slice)
            if isinstance(table, Table) and isinstance(key, Text) and certain:
                table.items[key.value] = value
            elif isinstance(table, Table):
                table.complete = False

    def _call(self, node: ast.Call, certain: bool) -> None:
        function = node.func
        if _called(node) == "setup":
            self.found = self._arguments(node)
        elif isinstance(function, ast.Attribute) and function.attr in ("append", "extend", "update"):
            held = self.value(function.value)
            given = self.value(node.args[0]) if node.args else None
            if isinstance(held, Table) and isinstance(given, Table) and certain:
                held.items.update(given.items)
            elif isinstance(held, Table):
                held.complete = False
            elif isinstance(function.value, ast.Name):
                added = given if function.attr == "extend" else _listed([given])
                self._names[function.value.id] = _joined(held, added, certain)

    def _arguments(self, node: ast.Call) -> dict[str, Argument]:
        found: dict[str, Argument] = {}
        for keyword in node.keywords:
            value = self.value(keyword.value)
            if keyword.arg is not None:
                found[keyword.arg] = Argument(value, keyword.value)
            elif isinstance(value, Table):
                found |= {key: Argument(item, keyword.value) for key, item in value.items.items()}
        return found

    def value(self, node: ast.expr) -> Value:
        """The value of an expression; None if it is unknown."""
        self._depth += 1
        try:
            return self._value(node) if self._depth < _DEEPEST else None
        finally:
            self._depth -= 1

    def _value(self, node: ast.expr) -> Value:
        if isinstance(node, ast.Constant):
            return Text(node.value, node) if isinstance(node.value, str) else None
        if isinstance(node, ast.Name):
            return self._names.get(node.id)
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            return _listed([self._element(element) for element in node.elts])
        if isinstance(node, ast.Dict):
            return self._table(node)
        if isinstance(node, ast.JoinedStr):
            parts = [
                self.value(part.value if isinstance(part, ast.FormattedValue) else part) for part in node.values
            ]
            texts = [part.value for part in parts if isinstance(part, Text)]
            known = len(texts) == len(parts) and sum(map(len, texts)) <= _LONGEST
            return Text("".join(texts)) if known else None
        if isinstance(node, ast.BinOp):
            return self._operation(node)
        if isinstance(node, ast.Subscript):
            table, key = self.value(node.value), self.value(node.slice)
            return table.items.get(key.value) if isinstance(table, Table) and isinstance(key, Text) else None
        if isinstance(node, ast.ListComp | ast.GeneratorExp | ast.SetComp):
            source = self.value(node.generators[0].iter)
            plain = isinstance(node.elt, ast.Name) and not node.generators[0].ifs
            return source if plain or isinstance(source, Lines) else None
        if isinstance(node, ast.Call):
            return self._result(node)
        return None

    def _element(self, node: ast.expr) -> Value:
        if not isinstance(node, ast.Starred):
            return self.value(node)
        found = self.value(node.value)
        return found if isinstance(found, Items | Lines) else None

    def _table(self, node: ast.Dict) -> Table:
        table = Table()
        for key, value in zip(node.keys, node.values, strict=True):
            name, item = self.value(key) if key is not None else None, self.value(value)
            if isinstance(name, Text):
                table.items[name.value] = item
            elif key is None and isinstance(item, Table):
                table.items |= item.items
            else:
                table.complete = False
        return table

    def _operation(self, node: ast.BinOp) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(node.op, ast.Add):
            return _added(left, right, certain=True)
        if isinstance(node.op, ast.Div):
            return right if isinstance(right, Text) else None
        if isinstance(node.op, ast.Mod) and isinstance(left, Text):
            several = isinstance(right, Items) and right.complete
            return _filled(left.value, "%s", right.items if several and isinstance(right, Items) else [right])
        return None

    def _result(self, node: ast.Call) -> Value:
        """What a call gives back, for the calls that setup scripts read their requirements with."""
        name = _called(node)
        if isinstance(node.func, ast.Attribute):
            held = self.value(node.func.value)
            if name == "format" and isinstance(held, Text):
                return _filled(held.value, "{}", [self.value(argument) for argument in node.args])
            if name == "join" and isinstance(held, Text) and held.value not in ("/", "\\"):
                return _strung(held.value, [self.value(argument) for argument in node.args])
            if name in _SAME_METHODS and isinstance(held, Lines):
                return held
            if name == "read_text" and isinstance(held, Text):
                return Lines(held.value)
            if name in ("splitlines", "split") and isinstance(held, Text):
                return _listed([Text(line) for line in held.value.split()])
            if name in ("strip", "copy", "resolve", "absolute") and held is not None:
                return held
        if name in _PATHS:
            return self._path(node)
        if name == "dict" and not node.args:
            return Table({key.arg: self.value(key.value) for key in node.keywords if key.arg})
        arguments = [self.value(argument) for argument in node.args]
        if name in _SAME:
            return arguments[-1] if arguments else Items()
        named = [
            argument for argument in arguments if isinstance(argument, Text) and _FILE.fullmatch(argument.value)
        ]
        if named and isinstance(named[0], Text):
            return Lines(named[0].value)
        lines = [argument for argument in arguments if isinstance(argument, Lines)]
        if lines and name not in self._functions:
            return lines[0]
        return self._within(name)

    def _path(self, node: ast.Call) -> Value:
        """The last parts of a path, which are texts; what stands before them is where the file is."""
        parts = [self.value(argument) for argument in node.args]
        texts = [part.value for part in parts if isinstance(part, Text)]
        return Text("/".join(texts)) if texts and isinstance(parts[-1], Text) else None

    def _within(self, name: str) -> Value:
        """What a function of this file reads, if it names just one file of requirements."""
        function = self._functions.get(name)
        names = {
            node.value
            for node in (ast.walk(function) if function else ())
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _FILE.fullmatch(node.value)
        }
        return Lines(names.pop()) if len(names) == 1 else None


def _called(node: ast.Call) -> str:
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _listed(values: Sequence[Value]) -> Items:
    found = Items()
    for value in values:
        if isinstance(value, Text | Lines):
            found.items.append(value)
        elif isinstance(value, Items) and len(found.items) + len(value.items) <= _LONGEST:
            found.items += value.items
            found.complete = found.complete and value.complete
        else:
            found.complete = False
    return found


def _added(left: Value, right: Value, certain: bool) -> Value:
    """The sum of two values. A text plus something unknown is unknown."""
    if isinstance(left, Text) and isinstance(right, Text) and certain:
        long = len(left.value) + len(right.value) > _LONGEST
        return None if long else Text(left.value + right.value)
    if (
        any(isinstance(one, Text) for one in (left, right))
        and not isinstance(left, Lines)
        and not isinstance(right, Lines)
    ):
        return None
    return _joined(left, right, certain)


def _strung(between: str, values: Sequence[Value]) -> Value:
    """What ``str.join`` makes of a list, all of which is known."""
    listed = values[0] if len(values) == 1 else None
    if not isinstance(listed, Items) or not listed.complete:
        return None
    texts = [item.value for item in listed.items if isinstance(item, Text)]
    known = len(texts) == len(listed.items) and sum(map(len, texts)) <= _LONGEST
    return Text(between.join(texts)) if known else None


def _joined(left: Value, right: Value, certain: bool) -> Value:
    """Two lists in one; what is added under a condition is left out."""
    if not certain:
        return _doubtful(left)
    return None if left is None and right is None else _listed([left, right])


def _doubtful(known: Value) -> Value:
    """A value that something may change."""
    if isinstance(known, Items):
        return Items(known.items, complete=False)
    return Items([known], complete=False) if isinstance(known, Text | Lines) else known


def _filled(text: str, field: str, values: Sequence[Value]) -> Value:
    for value in values:
        if not isinstance(value, Text) or len(text) + len(value.value) > _LONGEST:
            return None
        text = text.replace(field, value.value, 1)
    return None if _LEFT[field].search(text) else Text(text)
