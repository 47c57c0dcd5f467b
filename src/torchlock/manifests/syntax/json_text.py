"""The JSON of a file: its table, or why it is none, with the place."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from torchlock.manifests.merge_conflicts import LEFT, merge_conflict

if TYPE_CHECKING:
    from torchlock.manifests.builder import DocumentBuilder

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]')
# No table of a tool is as deep as this.
_DEEPEST = 200


def value_of(builder: DocumentBuilder) -> Any:
    """The value that a draft's text has; None where it is no JSON, then a problem of the draft."""
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
    except ValueError as error:  # A number too long to be one.
        builder.issue("TL501", "error", f"not valid JSON: {error}", 0)
    return None


def _deep(text: str) -> int:
    """Where a text is nested deeper than any table is."""
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += (token[0] in "[{") - (token[0] in "]}")
        if depth > _DEEPEST:
            return token.start()
    return 0
