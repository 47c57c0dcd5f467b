"""The JSON of a file: its table, or an issue with the position of the fault."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from torchlock.manifests.merge_conflicts import LEFT, merge_conflict
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from torchlock.manifests.builder import DocumentBuilder

_TOKEN = pattern(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]')
# No table of a tool is nested deeper.
_DEEPEST = 200


def value_of(builder: DocumentBuilder) -> Any:
    """The value of a builder's JSON text; None and an issue if it is invalid."""
    try:
        return json.loads(builder.text)
    except RecursionError:
        builder.issue("TL501", "error", "not valid JSON: nested too deeply", _deep(builder.text))
    except json.JSONDecodeError as error:
        conflict = merge_conflict(builder.text)
        if conflict is not None:
            builder.issue("TL501", "error", LEFT, conflict)
        else:
            reason = error.msg[:1].lower() + error.msg[1:]
            builder.issue("TL501", "error", f"not valid JSON: {reason}", min(error.pos, len(builder.text)))
    except ValueError as error:  # A number that is too long.
        builder.issue("TL501", "error", f"not valid JSON: {error}", 0)
    return None


def _deep(text: str) -> int:
    """The offset at which a text is nested too deeply."""
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += (token[0] in "[{") - (token[0] in "]}")
        if depth > _DEEPEST:
            return token.start()
    return 0
