"""What of a module runs: without what stands under ``if TYPE_CHECKING``, which only checkers of types read."""

from __future__ import annotations

import ast

# The parts of a statement that hold statements.
_BLOCKS = ("body", "orelse", "finalbody")


def at_run_time(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements of a module that may run. Conditions inside of functions and classes are left as they are."""
    found: list[ast.stmt] = []
    for node in body:
        branch = _branch(node) if isinstance(node, ast.If) else None
        if branch is not None:
            found += at_run_time(branch)
            continue
        if isinstance(node, ast.If | ast.Try | ast.With):
            for part in [node, *getattr(node, "handlers", ())]:
                for name in _BLOCKS:
                    setattr(part, name, at_run_time(getattr(part, name, [])))
        found.append(node)
    return found


def _branch(node: ast.If) -> list[ast.stmt] | None:
    """The branch of a condition that runs, if the condition is one of checkers of types; else None."""
    if isinstance(node.test, ast.UnaryOp) and isinstance(node.test.op, ast.Not):
        return node.body if _is_for_types(node.test.operand) else None
    return node.orelse if _is_for_types(node.test) else None


def _is_for_types(test: ast.expr) -> bool:
    """Whether a condition is never true at run time: ``TYPE_CHECKING``, also with ``and``."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return any(map(_is_for_types, test.values))
    return getattr(test, "id", getattr(test, "attr", "")) == "TYPE_CHECKING"
