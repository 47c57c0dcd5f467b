"""The arguments that a setup.py passes to setup(), as far as its text shows: nothing is run.

Literals, names in the order of their assignments, joined lists, and the usual ways to read a requirements file are
evaluated. A doubtful value (changed under a condition, computed) is known in part or not at all.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchlock.manifests.syntax.setup_values import (
    LONGEST,
    Items,
    Lines,
    Table,
    Text,
    Value,
    copied,
    doubt,
    doubtful,
    filled,
    joined,
    listed,
    strung,
    summed,
)
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterable

_FILE = pattern(r"[\w./\\-]+\.(?:txt|in|pip)")
# Calls that return the same lines, or the same text.
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
_GUARDS = pattern(r"exists|isfile|is_file|__main__")
_DEEPEST = 200
# Methods that change a list or a dictionary.
_CHANGES = {"append", "extend", "insert", "update", "setdefault", "remove", "discard", "pop", "popitem", "clear"}
_BRINGING = ("install_requires", "extras_require")


@dataclass(slots=True)
class Argument:
    """One argument of setup(), and its place."""

    value: Value
    node: ast.expr


def setup_arguments(tree: ast.Module) -> dict[str, Argument]:
    """The arguments of the first call of setup(), by name; empty if there is no call.

    A value that another call of setup() passes differently is in doubt.
    """
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    run = _Run(functions)
    run.block(tree.body, certain=True)
    for function in functions.values():
        if run.found is None:
            run.block(function.body, certain=True)
    found = run.found or {}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node) == "setup"]
    for key in _BRINGING if len(calls) > 1 else ():
        if len({_spelled(call, key) for call in calls}) > 1:
            known = found.get(key)
            found[key] = Argument(doubtful(known.value if known else None), known.node if known else calls[0])
    return found


def _spelled(call: ast.Call, key: str) -> str:
    """The text of an argument, as a call passes it."""
    return next((ast.dump(keyword.value) for keyword in call.keywords if keyword.arg == key), "")


class Values:
    """The values of expressions, with the names that a module and the current function set."""

    def __init__(self, tree: ast.Module) -> None:
        self._module = _Run({})
        self._module.block(tree.body, certain=True)
        self._run = self._module

    def enter(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """The names inside a function, whose parameters are unknown."""
        self._run = self._module.inner(function)

    def leave(self) -> None:
        """Continue in the module."""
        self._run = self._module

    def of(self, node: ast.expr) -> Value:
        """The value of an expression; None if it is unknown."""
        return self._run.value(node)


class _Run:
    """The statements of a module in order, and the values of its names."""

    def __init__(self, functions: dict[str, ast.FunctionDef]) -> None:
        self._functions = functions
        # Changes of the module's names by other functions: it is unknown whether and when they happen.
        self._changed_elsewhere = {name for function in functions.values() for name in _changed_outside(function)}
        self._names: dict[str, Value] = {}
        self._depth = 0
        self.found: dict[str, Argument] | None = None

    def inner(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> _Run:
        """A run of a function's body, which knows the names of this one."""
        run = _Run(self._functions)
        parameters = {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}
        run._names = {name: copied(value) for name, value in self._names.items() if name not in parameters}
        run.block(function.body, certain=True)
        return run

    def block(self, body: Iterable[ast.stmt], *, certain: bool) -> None:
        for statement in body:
            if self.found is None:
                self._statement(statement, certain)

    def _statement(self, node: ast.stmt, certain: bool) -> None:
        self._changes_within(node)
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self._assign(target, self.value(node.value), certain)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            self._assign(node.target, self.value(node.value), certain)
        elif isinstance(node, ast.AugAssign):
            self._add(node, certain)
        elif isinstance(node, ast.Delete):
            for target in node.targets:
                self._delete(target, certain)
        elif isinstance(node, ast.Expr | ast.Return) and isinstance(node.value, ast.Call):
            self._call(node.value, certain)
        else:
            self._compound(node, certain)

    def _compound(self, node: ast.stmt, certain: bool) -> None:
        """A statement that contains others, which may run never, once or many times."""
        if isinstance(node, ast.With):
            for item in node.items:
                if item.optional_vars is not None:
                    self._assign(item.optional_vars, self.value(item.context_expr), certain)
            self.block(node.body, certain=certain)
        elif isinstance(node, ast.If):
            self.block(node.body, certain=certain and bool(_GUARDS.search(ast.dump(node.test))))
            self.block(node.orelse, certain=False)
        elif isinstance(node, ast.Try):
            self._try(node, certain)
        elif isinstance(node, ast.For):
            source = self.value(node.iter)
            self._assign(node.target, source, certain)
            self.block(node.body, certain=certain and isinstance(source, Lines))
            self.block(node.orelse, certain=False)
        elif isinstance(node, ast.While):
            self.block([*node.body, *node.orelse], certain=False)
        elif isinstance(node, ast.Match):
            for case in node.cases:
                self.block(case.body, certain=False)

    def _try(self, node: ast.Try, certain: bool) -> None:
        """The body of try counts.

        Values that only a handler sets are in doubt; its values of names that the body also sets are ignored.
        """
        self.block(node.body, certain=certain)
        tried = {ast.dump(target) for statement in node.body for target in _targets(statement)}
        for handler in node.handlers:
            for statement in handler.body:
                if not any(ast.dump(target) in tried for target in _targets(statement)):
                    self.block([statement], certain=False)
        self.block([*node.orelse, *node.finalbody], certain=certain)

    def _assign(self, target: ast.expr, value: Value, certain: bool) -> None:
        if isinstance(target, ast.Name):
            known = self._names.get(target.id)
            firm = certain and target.id not in self._changed_elsewhere
            self._names[target.id] = value if firm else doubtful(value if certain else known)
        elif isinstance(target, ast.Subscript):
            table, key = self.value(target.value), self.value(target.slice)
            if isinstance(table, Table) and isinstance(key, Text) and certain:
                table.items[key.value] = value
            else:
                doubt(table)
        elif isinstance(target, ast.Tuple | ast.List):
            for element in target.elts:
                self._assign(element, None, certain)

    def _add(self, node: ast.AugAssign, certain: bool) -> None:
        """``name += value``, which changes a list in place: all its names see the change."""
        held, given = self.value(node.target), self.value(node.value)
        if isinstance(held, Items):
            held.grow(given, certain and isinstance(node.op, ast.Add))
        else:
            self._assign(node.target, summed(held, given, certain), True)

    def _delete(self, target: ast.expr, certain: bool) -> None:
        if isinstance(target, ast.Subscript):
            table, key = self.value(target.value), self.value(target.slice)
            if isinstance(table, Table) and isinstance(key, Text) and certain:
                table.items.pop(key.value, None)
            else:
                doubt(table)
        elif isinstance(target, ast.Name):
            self._names.pop(target.id, None)

    def _call(self, node: ast.Call, certain: bool) -> None:
        function = node.func
        if _called(node) == "setup":
            self.found = self._arguments(node)
        elif isinstance(function, ast.Attribute) and function.attr in _CHANGES:
            held = self.value(function.value)
            given = [self.value(argument) for argument in node.args]
            if isinstance(held, Items):
                added = listed(given[-1:]) if function.attr in ("append", "insert") else (given or [None])[0]
                held.grow(added, certain and function.attr in ("append", "insert", "extend"))
            elif isinstance(held, Table):
                self._change(held, node, certain)
            elif isinstance(function.value, ast.Name):
                added = given[0] if function.attr == "extend" and given else listed(given[-1:])
                self._names[function.value.id] = joined(held, added, certain)

    def _change(self, table: Table, node: ast.Call, certain: bool) -> None:
        """A method that changes a dictionary."""
        given = [self.value(argument) for argument in node.args]
        name = _called(node)
        if certain and name == "update" and all(isinstance(item, Table) for item in given):
            for item in given:
                if isinstance(item, Table):
                    table.items |= item.items
                    table.complete = table.complete and item.complete
            for keyword in node.keywords:
                self._assign_key(table, keyword)
        elif certain and name == "setdefault" and given and isinstance(given[0], Text):
            table.items.setdefault(given[0].value, given[1] if len(given) > 1 else None)
        else:
            table.complete = False

    def _assign_key(self, table: Table, keyword: ast.keyword) -> None:
        if keyword.arg is None:
            table.complete = False
        else:
            table.items[keyword.arg] = self.value(keyword.value)

    def _changes_within(self, statement: ast.stmt) -> None:
        """Doubt the values that a part of a statement changes.

        A method in an expression, or a function of this file, can change them.
        """
        whole = statement.value if isinstance(statement, ast.Expr | ast.Return) else None
        for part in ast.iter_child_nodes(statement):
            for node in ast.walk(part) if isinstance(part, ast.expr) else ():
                if not isinstance(node, ast.Call):
                    continue
                function = node.func
                if isinstance(function, ast.Attribute) and function.attr in _CHANGES and node is not whole:
                    if function.attr != "setdefault":
                        doubt(self.value(function.value))
                elif _changes_parameters(self._functions.get(_called(node))):
                    for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
                        doubt(self.value(argument))

    def _arguments(self, node: ast.Call) -> dict[str, Argument]:
        found: dict[str, Argument] = {}
        for keyword in node.keywords:
            value = self.value(keyword.value)
            if keyword.arg is not None:
                found[keyword.arg] = Argument(value, keyword.value)
            elif isinstance(value, Table):
                found |= {key: Argument(item, keyword.value) for key, item in value.items.items()}
        for keyword in node.keywords:
            value = self.value(keyword.value) if keyword.arg is None else Table()
            if not isinstance(value, Table) or not value.complete:
                for key in _BRINGING:
                    found.setdefault(key, Argument(None, keyword.value))
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
            return listed([self._element(element) for element in node.elts])
        if isinstance(node, ast.Dict):
            return self._table(node)
        if isinstance(node, ast.JoinedStr):
            parts = [
                self.value(part.value if isinstance(part, ast.FormattedValue) else part) for part in node.values
            ]
            texts = [part.value for part in parts if isinstance(part, Text)]
            known = len(texts) == len(parts) and sum(map(len, texts)) <= LONGEST
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
            return summed(left, right, certain=True)
        if isinstance(node.op, ast.Div):
            return right if isinstance(right, Text) else None
        if isinstance(node.op, ast.Mod) and isinstance(left, Text):
            several = isinstance(right, Items) and right.complete
            return filled(left.value, "%s", right.items if several and isinstance(right, Items) else [right])
        return None

    def _result(self, node: ast.Call) -> Value:
        """The result of a call, for the calls with which setup scripts read their requirements."""
        name = _called(node)
        if isinstance(node.func, ast.Attribute):
            held = self.value(node.func.value)
            if name == "format" and isinstance(held, Text):
                return filled(held.value, "{}", [self.value(argument) for argument in node.args])
            if name == "join" and isinstance(held, Text) and held.value not in ("/", "\\"):
                return strung(held.value, [self.value(argument) for argument in node.args])
            if name in _SAME_METHODS and isinstance(held, Lines):
                return held
            if name == "read_text" and isinstance(held, Text):
                return Lines(held.value)
            if name in ("splitlines", "split") and isinstance(held, Text):
                return self._split(held.value, node)
            if name == "setdefault" and isinstance(held, Table):
                self._change(held, node, certain=True)
                return self.value(ast.Subscript(node.func.value, node.args[0])) if node.args else None
            if name in ("strip", "copy", "resolve", "absolute") and held is not None:
                return copied(held)
        if name in _PATHS:
            return self._path(node)
        if name == "dict" and not node.args:
            return Table({key.arg: self.value(key.value) for key in node.keywords if key.arg})
        arguments = [self.value(argument) for argument in node.args]
        if name in _SAME:
            return self._same(node, arguments[-1]) if arguments else Items()
        named = [
            argument for argument in arguments if isinstance(argument, Text) and _FILE.fullmatch(argument.value)
        ]
        if named and isinstance(named[0], Text):
            return Lines(named[0].value)
        lines = [argument for argument in arguments if isinstance(argument, Lines)]
        if lines and name not in self._functions:
            return lines[0]
        return self._within(name)

    def _split(self, text: str, node: ast.Call) -> Value:
        """The parts of a text, each without surrounding spaces."""
        separators = [self.value(argument) for argument in node.args]
        if _called(node) == "splitlines":
            parts = text.splitlines()
        elif not separators:
            parts = text.split()
        elif len(separators) == 1 and isinstance(separators[0], Text) and separators[0].value:
            parts = text.split(separators[0].value)
        else:
            return None
        return listed([Text(part.strip()) for part in parts if part.strip()])

    def _same(self, node: ast.Call, value: Value) -> Value:
        """The result of a function that changes no item; a function passed to it may remove some."""
        given = node.args[0]
        harmless = isinstance(given, ast.Constant) or getattr(given, "id", "") == "str"
        if _called(node) in ("filter", "map") and not harmless and isinstance(value, Items):
            return doubtful(value)
        return copied(value)

    def _path(self, node: ast.Call) -> Value:
        """The last parts of a path, which are texts; the parts before them are the folder of the file."""
        parts = [self.value(argument) for argument in node.args]
        texts = [part.value for part in parts if isinstance(part, Text)]
        return Text("/".join(texts)) if texts and isinstance(parts[-1], Text) else None

    def _within(self, name: str) -> Value:
        """The content that a function of this file reads, if it names just one requirements file."""
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


def _targets(statement: ast.stmt) -> list[ast.expr]:
    """The targets to which a statement assigns a value."""
    if isinstance(statement, ast.With):
        return [target for inner in statement.body for target in _targets(inner)]
    return statement.targets if isinstance(statement, ast.Assign) else []


def _changed(function: ast.FunctionDef) -> set[str]:
    """The names whose values the body of a function changes in place."""
    found = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGES:
            found.add(_root(node.func.value))
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            found.add(_root(node.value))
        elif isinstance(node, ast.AugAssign):
            found.add(_root(node.target))
    return found


def _root(node: ast.expr) -> str:
    """The name at the start of an expression."""
    while isinstance(node, ast.Subscript | ast.Attribute | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _parameters(function: ast.FunctionDef) -> set[str]:
    return {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}


def _changes_parameters(function: ast.FunctionDef | None) -> bool:
    return function is not None and not _changed(function).isdisjoint(_parameters(function))


def _changed_outside(function: ast.FunctionDef) -> set[str]:
    """The names of the module that a function changes; empty for the function that calls setup()."""
    nodes = list(ast.walk(function))
    if any(isinstance(node, ast.Call) and _called(node) == "setup" for node in nodes):
        return set()
    declared = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
    stored = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return (_changed(function) - stored - _parameters(function)) | declared
