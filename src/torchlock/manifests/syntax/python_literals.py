"""Python that is parsed and never run: its syntax tree, and the positions of its strings."""

from __future__ import annotations

import ast
import re
import warnings
from typing import TYPE_CHECKING

from torchlock.location import Span
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from torchlock.manifests.builder import DocumentBuilder

# Errors of the parser, also for nesting and numbers beyond Python's limits.
UNPARSED = (SyntaxError, ValueError, RecursionError, MemoryError)
_LITERAL = pattern(r"[rRuU]?('''|\"\"\"|'|\")(.*)\1", re.DOTALL)


def parsed(text: str) -> ast.Module:
    """The syntax tree of a module.

    Raises:
        UNPARSED: it is not Python 3, or nested too deeply.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def span_of(builder: DocumentBuilder, node: ast.Constant) -> Span | None:
    """The span of the characters of a string, if it is one literal without escapes."""
    if node.end_lineno is None or node.end_col_offset is None:
        return None
    start = builder.offset(node.lineno, node.col_offset)
    raw = builder.text[start : builder.offset(node.end_lineno, node.end_col_offset)]
    literal = _LITERAL.fullmatch(raw)
    if literal is None or literal[2] != node.value:
        return None
    return Span(start + literal.start(2), start + literal.end(2))
