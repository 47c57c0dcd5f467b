"""What of a module runs: without what stands under ``if TYPE_CHECKING``, which only checkers of types read.

For a known operating system, conditions about it are decided, too: ``if sys.platform == "win32"``.
"""

from __future__ import annotations

import ast

from torchlock.records import NamedTuple

# The parts of a statement that hold statements.
_BLOCKS = ("body", "orelse", "finalbody")


class System(NamedTuple):
    """An operating system as Python names it: in ``sys.platform``, ``os.name`` and ``platform.system()``."""

    platform: str
    name: str
    title: str


_SYSTEMS = {
    "linux": System("linux", "posix", "Linux"),
    "macos": System("darwin", "posix", "Darwin"),
    "windows": System("win32", "nt", "Windows"),
}


def at_run_time(body: list[ast.stmt], system: str = "") -> list[ast.stmt]:
    """The statements of a module that may run. Conditions inside of functions and classes are left as they are.

    ``system`` is ``linux``, ``macos`` or ``windows``; "" if it is unknown, and conditions about it are left.
    """
    found: list[ast.stmt] = []
    for node in body:
        branch = _branch(node, _SYSTEMS.get(system)) if isinstance(node, ast.If) else None
        if branch is not None:
            found += at_run_time(branch, system)
            continue
        if isinstance(node, ast.If | ast.Try | ast.With):
            for part in [node, *getattr(node, "handlers", ())]:
                for name in _BLOCKS:
                    setattr(part, name, at_run_time(getattr(part, name, []), system))
        found.append(node)
    return found


def _branch(node: ast.If, system: System | None) -> list[ast.stmt] | None:
    """The branch of a condition that runs, if it asks for checkers of types or for the system; else None."""
    holds = _holds(node.test, system)
    return None if holds is None else node.body if holds else node.orelse


def _holds(test: ast.expr, system: System | None) -> bool | None:
    """Whether a condition is true at run time; None if that is not known."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        holds = _holds(test.operand, system)
        return None if holds is None else not holds
    if isinstance(test, ast.BoolOp):
        settles = isinstance(test.op, ast.Or)
        parts = [_holds(each, system) for each in test.values]
        return settles if settles in parts else None if None in parts else not settles
    if getattr(test, "id", getattr(test, "attr", "")) == "TYPE_CHECKING":
        return False
    return _is_on(test, system) if system is not None else None


def _is_on(test: ast.expr, system: System) -> bool | None:
    """Whether a comparison with the name of the system is true; None if it is none."""
    if isinstance(test, ast.Call) and isinstance(test.func, ast.Attribute) and test.func.attr == "startswith":
        here, starts = _named(test.func.value, system), [_texts(each) for each in test.args]
        return here.startswith(starts[0]) if here and len(starts) == 1 and starts[0] else None
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return None
    here, others, (operator,) = _named(test.left, system), _texts(test.comparators[0]), test.ops
    if not here or not others:
        return None
    if isinstance(operator, ast.Eq | ast.In):
        return here in others
    return here not in others if isinstance(operator, ast.NotEq | ast.NotIn) else None


def _named(node: ast.expr, system: System) -> str:
    """The value of ``sys.platform``, ``os.name`` or ``platform.system()``; "" for other expressions."""
    written = ast.unparse(node)
    return {"sys.platform": system.platform, "os.name": system.name, "platform.system()": system.title}.get(
        written, ""
    )


def _texts(node: ast.expr) -> tuple[str, ...]:
    """The literal texts of an expression: one, or those of a tuple, list or set; none if it has other parts."""
    parts = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]
    values = [each.value if isinstance(each, ast.Constant) else None for each in parts]
    texts = tuple(value for value in values if isinstance(value, str))
    return texts if len(texts) == len(parts) else ()
