"""What the installed xformers was built for, by its own description."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from torchlock.runtime import files

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext

_LARGEST = 1 << 16


def built_for(context: CheckContext) -> str:
    """The torch that its library was compiled against (``2.5.1+cu121``); "" if it does not say."""
    record = context.installed.get("xformers")
    path = os.path.join(record.entry.path, "xformers", "cpp_lib.json") if record is not None else ""
    text = files.text(path, _LARGEST) if path else None
    try:
        found: Any = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return ""
    version = found.get("version") if isinstance(found, dict) else None
    torch = version.get("torch") if isinstance(version, dict) else None
    return torch if isinstance(torch, str) and torch.isprintable() and len(torch) < 80 else ""
