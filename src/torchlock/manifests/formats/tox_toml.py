"""tox.toml, and ``[tool.tox]`` of pyproject.toml: environments of tox 4 in TOML, or the INI text in a string."""

from __future__ import annotations

import ast
import re
from itertools import product
from typing import TYPE_CHECKING, Any

from torchlock.manifests.embedded_code import EmbeddedBuilder
from torchlock.manifests.formats import tox
from torchlock.manifests.formats.tox import Piece
from torchlock.manifests.install_parts import scoped_parts
from torchlock.manifests.syntax.shell import Word
from torchlock.manifests.toml_builder import TomlBuilder
from torchlock.patterns import pattern
from torchlock.records import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.manifests.document import Document
    from torchlock.manifests.syntax.toml_tokens import Key, Path

_BASE, _TEMPLATES = "env_run_base", "env_base"
_KEYS = ("deps", "commands_pre", "commands", "base_python", "basepython")
_FIELD = pattern(r"\{[^{}]*\}")
_DEEPEST = 10
# The limit of the combinations of factors in one table.
_MANY = 100


def read(text: str, path: str) -> Document:
    """Read a tox.toml: every environment separately."""
    builder = TomlBuilder(text, path, "tox")
    builder.add(scoped_parts(tox.environments(builder, _Tables(builder, ()).values())))
    return builder.document


def read_table(builder: TomlBuilder) -> None:
    """Read ``[tool.tox]``: every environment is a group ``tox-NAME``, because tox installs the project in it."""
    legacy = builder.tree.string("tool", "tox", "legacy_tox_ini")
    if legacy:
        at, exact = _written(builder, ("tool", "tox", "legacy_tox_ini"), legacy)
        inner = EmbeddedBuilder(builder, legacy, [(0, at)], exact=exact)
        found = tox.environments(inner, tox.values_of(legacy))
    else:
        inner = None
        found = tox.environments(builder, _Tables(builder, ("tool", "tox")).values())
    table = builder.tree.offset("tool", "tox")
    for name, entries in found.items():
        scope = builder.declare_group(f"tox-{name}", table) if entries else ""
        builder.add(replace(inner.entry(entry) if inner else entry, scope=scope) for entry in entries)


class _Tables:
    """The tables of tox, turned into what an INI file of tox has: values by section and key."""

    def __init__(self, builder: TomlBuilder, root: Path) -> None:
        self._builder = builder
        self._tree = builder.tree
        self._root = root

    def values(self) -> dict[tuple[str, str], list[Piece]]:
        """The lines of every value by section and key."""
        found: dict[tuple[str, str], list[Piece]] = {}
        names = [Piece(name, self._builder.tree.offset(*self._root, "env_list") or 0) for name in self._listed()]
        if names:
            found["tox", "env_list"] = names
        self._table(found, "testenv", (*self._root, _BASE))
        for name, _ in self._tree.items(*self._root, "env"):
            own = (*self._root, "env", name)
            for base in self._tree.array(*own, "base") or ():
                self._table(found, f"testenv:{name}", (*self._root, *str(base).split(".")))
            self._table(found, f"testenv:{name}", own)
            found.setdefault((f"testenv:{name}", "description"), [])
        for name, _ in self._tree.items(*self._root, _TEMPLATES):
            own = (*self._root, _TEMPLATES, name)
            for parts in product(*map(_group, self._tree.array(*own, "factors"))):
                self._table(found, f"testenv:{'-'.join((name, *parts))}", own)
        return found

    def _listed(self) -> Iterator[str]:
        """The names in ``env_list``: texts, and tables with the factors of which all combinations count."""
        for item in [item for key in ("env_list", "envlist") for item in self._tree.array(*self._root, key)]:
            if isinstance(item, str):
                yield item
            elif isinstance(item, dict):
                left_out = item.get("exclude") or ()
                names = ("-".join(parts) for parts in product(*map(_group, item.get("product") or ())))
                yield from [name for name in names if name and name not in left_out][:_MANY]

    def _table(self, found: dict[tuple[str, str], list[Piece]], section: str, path: Path) -> None:
        for key, _ in self._tree.items(*path):
            if key == "install_command":
                words = [word for word in self._tree.array(*path, key) if isinstance(word, str)]
                found[section, key] = [Piece(" ".join(words), self._tree.offset(*path, key) or 0)]
            elif key in _KEYS:
                found[section, key] = list(self._pieces((*path, key), (), _DEEPEST))
            elif key in ("set_env", "setenv"):
                found[section, key] = [
                    Piece(f"{name}={value}", self._tree.offset(*path, key, name) or 0)
                    for name, value in self._tree.items(*path, key)
                    if isinstance(value, str)
                ]

    def _pieces(self, path: Path, conditions: tuple[tuple[str, bool], ...], depth: int) -> Iterator[Piece]:
        """The lines of a value. ``conditions`` are expressions, and whether they must be true."""
        value = self._tree.get(*path)
        if isinstance(value, str):
            yield from self._text(path, value, conditions)
        elif isinstance(value, list) and value and _is_command(value, path):
            words = tuple(self._word(path, number) for number in range(len(value)))
            yield Piece("", self._tree.offset(*path) or 0, conditions=conditions, words=words)
        elif isinstance(value, list):
            for number in range(len(value)):
                yield from self._pieces((*path, number), conditions, depth)
        elif isinstance(value, dict) and depth:
            yield from self._replaced(path, value, conditions, depth - 1)

    def _replaced(
        self, path: Path, value: dict[str, Any], conditions: tuple[tuple[str, bool], ...], depth: int
    ) -> Iterator[Piece]:
        """What a table with ``replace`` stands for."""
        kind = value.get("replace")
        if kind == "if":
            expression = str(value.get("condition", ""))
            yield from self._pieces((*path, "then"), (*conditions, (expression, True)), depth)
            yield from self._pieces((*path, "else"), (*conditions, (expression, False)), depth)
        elif kind == "ref":
            where = self._referred(value)
            if where:
                yield from self._pieces(where, conditions, depth)
        elif kind in ("env", "posargs"):
            yield from self._pieces((*path, "default"), conditions, depth)
        elif kind is None and "value" in value:
            yield from self._pieces((*path, "value"), conditions, depth)

    def _referred(self, value: dict[str, Any]) -> Path:
        if isinstance(value.get("of"), list):
            return tuple(map(str, value["of"]))
        own = (*self._root, "env", str(value.get("env")), str(value.get("key")))
        return own if self._tree.get(*own) is not None else (*self._root, _BASE, str(value.get("key")))

    def _text(self, path: Path, value: str, conditions: tuple[tuple[str, bool], ...]) -> Iterator[Piece]:
        """The lines of a text."""
        start, exact = _written(self._builder, path, value)
        for match in re.finditer(r"[^\s][^\r\n]*", value):
            at = start + match.start() if exact else start
            yield Piece(match[0].rstrip(), at, conditions=conditions, exact=exact)

    def _word(self, path: Path, number: Key) -> Word:
        """A word of a command; what tox or a table puts there is unknown."""
        value = self._tree.get(*path, number)
        at = self._tree.offset(*path, number) or 0
        if not isinstance(value, str):
            return Word("{posargs}", at, at, None, ("{posargs}",))
        content = self._tree.content(*path, number)
        return Word(value, at, at + len(value), content, tuple(_FIELD.findall(value)))


def _written(builder: TomlBuilder, path: Path, value: str) -> tuple[int, bool]:
    """The offset of a text, and whether the file has it character by character."""
    literal = builder.tree.literals.get(path)
    if literal is None:
        return builder.tree.offset(*path) or 0, False
    start, end = literal.content
    start += next((len(newline) for newline in ("\r\n", "\n") if builder.text.startswith(newline, start, end)), 0)
    return start, builder.text[start:end] == value


def _is_command(value: list[Any], path: Path) -> bool:
    """Whether a list holds the words of one command, and not requirements or other commands."""
    inside = any(key in ("commands", "commands_pre") for key in path)
    return inside and isinstance(value[0], str)


def _group(group: Any) -> list[str]:
    """The factors of one group: a list, a range of numbers with a prefix, or a list with a label."""
    if isinstance(group, list):
        return [item for item in group if isinstance(item, str)]
    if not isinstance(group, dict):
        return []
    if "prefix" in group:
        first, last = group.get("start"), group.get("stop")
        if isinstance(first, int) and isinstance(last, int) and last - first < _MANY:
            return [f"{group['prefix']}{number}" for number in range(first, last + 1)]
        return []
    return [str(item) for values in group.values() if isinstance(values, list) for item in values]


def holds(expression: str, name: str) -> bool | None:
    """Whether a condition holds in an environment of this name; None if more than its name decides that."""
    try:
        return _truth(ast.parse(expression, mode="eval").body, name)
    except (SyntaxError, ValueError, RecursionError):
        return None


def _truth(node: ast.expr, name: str) -> bool | None:
    if isinstance(node, ast.BoolOp):
        parts = [_truth(part, name) for part in node.values]
        decisive = isinstance(node.op, ast.Or)
        return decisive if decisive in parts else None if None in parts else not decisive
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = _truth(node.operand, name)
        return None if inner is None else not inner
    if isinstance(node, ast.Compare) and len(node.comparators) == 1:
        sides = [
            name if isinstance(side, ast.Name) and side.id == "env_name" else side
            for side in (node.left, node.comparators[0])
        ]
        texts = [side.value if isinstance(side, ast.Constant) else side for side in sides]
        if all(isinstance(text, str) for text in texts) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
            return (texts[0] == texts[1]) == isinstance(node.ops[0], ast.Eq)
        return None
    factor = _factor(node)
    # Systems and machines are factors, too.
    return None if factor is None or factor in _MACHINES else factor in name.split("-")


_MACHINES = ("linux", "darwin", "win32", "cygwin", "x86_64", "arm64", "aarch64", "amd64")


def _factor(node: ast.expr) -> str | None:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "factor":
        return node.attr
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "factor":
        return str(node.slice.value) if isinstance(node.slice, ast.Constant) else None
    return None
