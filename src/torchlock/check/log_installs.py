"""What an installer did to torch, as its output in a log shows: a CUDA build that it replaced."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.knowledge.build_labels import kind_of

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log

# pip names the release that it removes, and uv marks it with a minus sign.
_REMOVED = re.compile(r"(?:Uninstalling torch-|^ {0,4}- torch==)\d[\w.]{0,30}\+(?P<label>cu\d{2,3})\b", re.M)


def replaced_build(context: CheckContext, log: Log) -> str | None:
    """The CUDA build of torch in whose place an installer put the CPU build that is here; else None."""
    if kind_of(context.label("torch") or "") != "cpu":
        return None
    return next((match["label"] for match in _REMOVED.finditer(log.text)), None)
