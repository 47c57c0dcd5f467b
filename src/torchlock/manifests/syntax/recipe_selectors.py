"""Selectors and conditions of conda recipes as markers: ``[linux and py<310]``, ``if: not win``."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from torchlock.manifests.syntax.markers import both, either, negated

if TYPE_CHECKING:
    from collections.abc import Callable

_LINUX, _MAC, _WINDOWS = "sys_platform == 'linux'", "sys_platform == 'darwin'", "sys_platform == 'win32'"
_NAMES = {
    "linux": _LINUX,
    "osx": _MAC,
    "win": _WINDOWS,
    "unix": "sys_platform != 'win32'",
    "linux64": both(_LINUX, "platform_machine == 'x86_64'"),
    "win64": _WINDOWS,
    "aarch64": both(_LINUX, "platform_machine == 'aarch64'"),
    "arm64": both(_MAC, "platform_machine == 'arm64'"),
}
_X86 = either("platform_machine == 'x86_64'", "platform_machine == 'AMD64'")
_OPERATORS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
# A file has no longer condition.
_LONGEST = 300


def marker_of(condition: str) -> str | None:
    """The marker of a selector or a condition; None if it depends on anything but the platform and the Python."""
    if len(condition) > _LONGEST:
        return None
    try:
        return _marker(ast.parse(condition.strip(), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _marker(node: ast.expr) -> str | None:
    if isinstance(node, ast.BoolOp):
        parts = [_marker(part) for part in node.values]
        known = [part for part in parts if part]
        join: Callable[..., str] = both if isinstance(node.op, ast.And) else either
        return join(*known) if len(known) == len(parts) else None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = _marker(node.operand)
        return negated(inner) if inner else None
    if isinstance(node, ast.Name):
        return _X86 if node.id == "x86_64" else _NAMES.get(node.id)
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        return _compared(node)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "match":
        return _matched(node.args)
    return None


def _compared(node: ast.Compare) -> str | None:
    """``py < 310``, ``target_platform == "linux-64"``."""
    left, right, operator = node.left, node.comparators[0], _OPERATORS.get(type(node.ops[0]))
    if not isinstance(left, ast.Name) or not isinstance(right, ast.Constant) or operator is None:
        return None
    digits = str(right.value)
    if left.id == "py" and re.fullmatch(r"[23]\d{1,2}", digits):
        return f"python_version {operator} '{digits[0]}.{digits[1:]}'"
    return None


def _matched(arguments: list[ast.expr]) -> str | None:
    """``match(python, ">=3.9,<3.12")``."""
    if len(arguments) != 2 or not isinstance(arguments[0], ast.Name) or arguments[0].id != "python":
        return None
    versions = arguments[1].value if isinstance(arguments[1], ast.Constant) else ""
    found = []
    for part in str(versions).split(","):
        match = re.fullmatch(r"\s*(<=?|>=?|==|!=)\s*(3\.\d+)(?:\.\*|\.0)?\s*", part)
        if match is None:
            return None
        found.append(f"python_version {match[1]} '{match[2]}'")
    return both(*found)
