"""JSON that may be shown and kept: without secrets, and with what a terminal would act on escaped."""

from __future__ import annotations

import json
import re
from typing import Any

from torchlock.redaction import masked_values

# Controls beyond ASCII's own, marks that turn or hide text, and halves of characters (file names have them).
_ACTIVE = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


def dumped(table: dict[str, Any]) -> str:
    """One object, indented, keys in their order, with the line's end."""
    text = json.dumps(masked_values(table), indent=2, ensure_ascii=False)
    return _ACTIVE.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"
