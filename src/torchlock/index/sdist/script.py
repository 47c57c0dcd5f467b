"""Decides whether a setup.py states the same requirements on every machine.

The statements that lead to the arguments of setup() are followed backwards through the text (a program slice).
Each may use literals, files of the archive and results that the standard library computes from those, but nothing
that depends on the machine: its platform, its Python, its environment, its installed packages.
"""

from __future__ import annotations

import ast
import builtins
import re
import warnings
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ARGUMENTS = ("install_requires", "extras_require", "python_requires")
# Modules that give the same result on every machine, for the same arguments and files.
_MODULES = frozenset(
    """__future__ ast codecs collections configparser copy datetime distutils enum fnmatch functools glob io
    itertools json math operator os packaging pathlib pkg_resources posixpath re setuptools string sys textwrap
    tokenize tomli tomllib typing warnings""".split()  # noqa: SIM905 - names are easier to read without quotes
)
# Modules of which only these parts give the same result.
_PARTS = {
    "os": {
        "path",
        "getcwd",
        "chdir",
        "listdir",
        "walk",
        "scandir",
        "sep",
        "curdir",
        "pardir",
        "fspath",
        "linesep",
    },
    "sys": {"argv", "path", "exit", "stderr", "stdout"},
    "setuptools": {"setup", "find_packages", "find_namespace_packages", "Extension", "Command", "command"},
    "pkg_resources": {"parse_requirements", "Requirement", "safe_name", "parse_version", "safe_extra", "extern"},
    "packaging": {"requirements", "version", "specifiers", "markers"},
}
_UNSAFE = frozenset(
    {"exec", "eval", "compile", "__import__", "globals", "locals", "vars", "getattr", "setattr", "input"}
)
_ABSOLUTE = re.compile(r"[/~]\w|[A-Za-z]:[/\\]")
_SAFE_CALLS = frozenset({"print", "len", "isinstance", "warn", "exit"})
# Statements that the static reader evaluates only roughly.
_BRANCHES = (ast.If, ast.While, ast.For, ast.Try, ast.IfExp, ast.comprehension, ast.Lambda, ast.FunctionDef)
_LONGEST = 256 << 10
_PLUGINS = ("pbr", "d2to1")


def setup_calls(tree: ast.Module) -> list[ast.Call]:
    """Every call of setup(), however it was imported."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _name(node.func) == "setup"]


class Verdict(NamedTuple):
    """``depends`` says what makes the requirements depend on the machine, empty if nothing does.

    ``plain``: no branch, loop or function leads to them, so that they can be copied from the text.
    """

    depends: str
    plain: bool = False


def judge_script(text: str) -> Verdict:
    """Whether the requirements that this setup.py passes to setup() are the same on every machine."""
    if len(text) > _LONGEST:
        return Verdict("it is too long to analyse")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
        return _judge_tree(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Verdict("it is not Python 3")


def _judge_tree(tree: ast.Module) -> Verdict:
    calls = setup_calls(tree)
    if not calls:
        return Verdict("it does not call setup()")
    keywords = [keyword for call in calls for keyword in call.keywords]
    if len({_given(call) for call in calls}) > 1:
        return Verdict("it calls setup() in several ways")
    part = _Slice(tree, calls)
    reason = part.verdict()
    copied = all(
        (keyword.arg is not None or isinstance(keyword.value, ast.Name)) and keyword.arg not in _PLUGINS
        for keyword in keywords
    )
    return Verdict(reason, not reason and part.plain and copied)


def _given(call: ast.Call) -> str:
    return "\n".join(sorted(f"{word.arg}={ast.dump(word.value)}" for word in call.keywords if _speaks(word)))


def _speaks(keyword: ast.keyword) -> bool:
    return keyword.arg is None or keyword.arg in _ARGUMENTS


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


_SCOPES = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.Lambda,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)


class _Slice:
    """The statements that lead to the arguments of setup()."""

    def __init__(self, tree: ast.Module, calls: list[ast.Call]) -> None:
        self._parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        self._writers: dict[tuple[ast.AST | None, str], list[ast.AST]] = {}
        self._collect(tree)
        self._waiting: list[ast.AST] = []
        self._met: set[int] = set()
        self._followed: set[tuple[int, str]] = set()
        self._tried: set[int] = set()
        self.plain = True
        for call in calls:
            for keyword in call.keywords:
                if _speaks(keyword):
                    self._meet(*self._given(keyword))
            self._meet(*self._around(call))

    def _collect(self, tree: ast.Module) -> None:
        """The statements that give values to names, by the scope of the name."""
        modules = set(_modules(tree))
        shared = {name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names}
        for node in ast.walk(tree):
            for name in _written(node):
                if isinstance(node, ast.Expr) and name in modules:
                    continue
                scope = None if name in shared else self._scope(node)
                self._writers.setdefault((scope, name), []).append(node)

    def _scope(self, node: ast.AST) -> ast.AST | None:
        """The function or comprehension that contains a node; None for the module."""
        parent = self._parents.get(node)
        while parent is not None and not isinstance(parent, _SCOPES):
            parent = self._parents.get(parent)
        return parent

    def _giving(self, name: ast.Name) -> list[ast.AST]:
        """The statements that give a name its value, of the innermost scope that has any."""
        scope: ast.AST | None = self._scope(name)
        while scope is not None:
            if found := self._writers.get((scope, name.id)):
                return found
            scope = self._scope(scope)
        return self._writers.get((None, name.id), [])

    def _given(self, keyword: ast.keyword) -> list[ast.AST]:
        """The sources of an argument; for a dictionary after ``**`` only those of requirements."""
        if keyword.arg is not None or not isinstance(keyword.value, ast.Name):
            return [keyword.value]
        found: list[ast.AST] = []
        for writer in self._giving(keyword.value):
            values = _of_dictionary(writer)
            if values is None:
                return [keyword.value]
            found += values
            found += self._around(writer) if values else ()
        return found

    def verdict(self) -> str:
        """The facts about the machine that the slice needs."""
        while self._waiting:
            for node in ast.walk(self._waiting.pop()):
                if reason := _asks(node):
                    return reason
                self.plain = self.plain and not isinstance(node, _BRANCHES)
                if isinstance(node, ast.Name) and (reason := self._follow(node)):
                    return reason
        return ""

    def _follow(self, name: ast.Name) -> str:
        """Add the statements that set a name; returns what is wrong with them, if that is already clear."""
        key = id(self._scope(name)), name.id
        if key in self._followed:
            return ""
        self._followed.add(key)
        writers = self._giving(name)
        if not writers and not hasattr(builtins, name.id) and name.id not in ("__file__", "__name__"):
            return f"{name.id} is not set in its text"
        for writer in writers:
            if reason := _imports(writer, name.id):
                return reason
            self._meet(writer, *self._around(writer))
        return ""

    def _meet(self, *nodes: ast.AST) -> None:
        for node in nodes:
            if id(node) not in self._met and not isinstance(node, ast.Import | ast.ImportFrom):
                self._met.add(id(node))
                self._waiting.append(node)

    def _around(self, node: ast.AST) -> Iterator[ast.AST]:
        """The code that decides whether a statement runs: tests, iterables, earlier statements that may fail."""
        child, parent = node, self._parents.get(node)
        while parent is not None:
            if isinstance(parent, ast.If | ast.While | ast.IfExp) and child is not parent.test:
                yield parent.test
                self.plain = False
            elif isinstance(parent, ast.For):
                yield parent.iter
            elif isinstance(parent, ast.With):
                yield from (item.context_expr for item in parent.items)
            elif isinstance(parent, ast.Try) and not _is_setup(node) and id(parent) not in self._tried:
                self._tried.add(id(parent))
                yield from parent.body
                if _imported(parent):
                    yield _Tried(parent)
            child, parent = parent, self._parents.get(parent)


def _is_setup(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and _name(node.func) == "setup"


def _of_dictionary(writer: ast.AST) -> list[ast.AST] | None:
    """The values that a statement puts into a dictionary of requirements; None if unknown."""
    if isinstance(writer, ast.Assign) and len(writer.targets) == 1:
        target, value = writer.targets[0], writer.value
        if isinstance(target, ast.Subscript):
            key = target.slice.value if isinstance(target.slice, ast.Constant) else None
            return None if key is None else [value] if key in _ARGUMENTS else []
        if isinstance(value, ast.Dict):
            keys = [key.value if isinstance(key, ast.Constant) else None for key in value.keys]
            pairs = list(zip(keys, value.values, strict=True))
        elif isinstance(value, ast.Call) and _name(value.func) == "dict" and not value.args:
            pairs = [(keyword.arg, keyword.value) for keyword in value.keywords]
        else:
            return None
        return None if any(key is None for key, _ in pairs) else [item for key, item in pairs if key in _ARGUMENTS]
    if isinstance(writer, ast.Delete):
        parts = [target.slice for target in writer.targets if isinstance(target, ast.Subscript)]
        keys = [part.value for part in parts if isinstance(part, ast.Constant)]
        return [] if len(keys) == len(writer.targets) and not set(keys) & set(_ARGUMENTS) else None
    return None


class _Tried(ast.AST):
    """Stands for the imports that a try statement tries."""

    def __init__(self, node: ast.Try) -> None:
        super().__init__()
        self.tried = _imported(node)


def _imported(node: ast.Try) -> list[str]:
    """Modules that a try statement imports and that not every machine has."""
    return [
        reason.removeprefix("it imports ")
        for statement in node.body
        for part in ast.walk(statement)
        if isinstance(part, ast.Import | ast.ImportFrom)
        for reason in [_imports(part, "")]
        if reason
    ]


def _written(node: ast.AST) -> Iterator[str]:
    """The names that a statement sets or may change."""
    targets: Iterable[ast.AST] = ()
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign | ast.AugAssign | ast.For | ast.NamedExpr | ast.comprehension):
        targets = [node.target]
    elif isinstance(node, ast.With):
        targets = [item.optional_vars for item in node.items if item.optional_vars]
    elif isinstance(node, ast.Delete):
        targets = node.targets
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        call = node.value
        if isinstance(call.func, ast.Attribute) and call.func.attr not in _SAFE_CALLS:
            yield from _bases(call.func.value)
        if _name(call.func) not in (*_SAFE_CALLS, "setup"):
            for argument in call.args:
                yield from _bases(argument)
    elif isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            yield (alias.asname or alias.name).partition(".")[0]
    elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
        yield node.name
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.ExceptHandler) and node.name:
        yield node.name
    for target in targets:
        yield from _bases(target)


def _modules(tree: ast.Module) -> Iterator[str]:
    """The names of imported modules, which calls of their functions do not change."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.asname or alias.name).partition(".")[0] for alias in node.names)


def _bases(target: ast.AST) -> Iterator[str]:
    """The names at the root of ``a``, ``a.b``, ``a[0]`` and ``(a, b)``."""
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, ast.Attribute | ast.Subscript | ast.Starred):
        yield from _bases(target.value)
    elif isinstance(target, ast.Tuple | ast.List):
        for element in target.elts:
            yield from _bases(element)


def _imports(node: ast.AST, name: str) -> str:
    """Why an import matters; empty for other statements and harmless modules."""
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        if node.level or not _harmless(module):
            return f"it imports {module or 'a module of its own'}"
        parts = _PARTS.get(module)
        wrong = [alias.name for alias in node.names if parts is not None and alias.name not in parts]
        return f"it uses {module}.{wrong[0]}" if wrong else ""
    if isinstance(node, ast.Import):
        wrong = [
            alias.name
            for alias in node.names
            if not _harmless(alias.name) and name in ("", (alias.asname or alias.name).partition(".")[0])
        ]
        return f"it imports {wrong[0]}" if wrong else ""
    return ""


def _harmless(module: str) -> bool:
    return module.partition(".")[0] in _MODULES


def _asks(node: ast.AST) -> str:
    """The facts about the machine that an expression needs."""
    if isinstance(node, _Tried):
        return f"it tries to import {node.tried[0]}"
    if isinstance(node, ast.Import | ast.ImportFrom):
        return _imports(node, "")
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        parts = _PARTS.get(node.value.id)
        if parts is not None and node.attr not in parts:
            return f"it uses {node.value.id}.{node.attr}"
    if isinstance(node, ast.Name) and node.id in _UNSAFE:
        return f"it calls {node.id}()"
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and _ABSOLUTE.match(node.value):
        return f"it reads {node.value[:40]}" if "\n" not in node.value and " " not in node.value else ""
    return ""
