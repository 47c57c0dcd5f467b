"""The Python examples of a page of the documentation."""

from __future__ import annotations

import re
from pathlib import Path

_EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples(page: Path) -> list[str]:
    """The blocks marked as Python, in their order."""
    return _EXAMPLE.findall(page.read_text(encoding="utf-8"))
