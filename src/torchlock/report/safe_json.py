"""JSON without secrets, and with control characters escaped."""

from __future__ import annotations

import json
import re
from typing import Any

from torchlock.redaction import masked_values

# Control characters beyond ASCII, marks that reorder or hide text, and lone surrogates (from file names).
_ACTIVE = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


def dump_json(table: dict[str, Any] | list[dict[str, Any]]) -> str:
    """One object, or a list of objects, indented, with keys in their order and a final newline."""
    text = json.dumps(masked_values(table), indent=2, ensure_ascii=False)
    return _ACTIVE.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"
