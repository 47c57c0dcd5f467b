"""Truncated locks: programs end the last line that they write, and never stop in the middle of a word."""

from __future__ import annotations

import re

from torchlock.location import Place
from torchlock.manifests.document import ParseIssue
from torchlock.patterns import pattern

_ADDRESS = pattern(r"\S+\.(?:conda|tar\.bz2)(?:#[0-9a-f]{32,})?")


def truncated_line(text: str) -> list[ParseIssue]:
    """The last line of a lock as an issue, if the file ends in the middle of it."""
    last = re.split(r"[\r\n]", text[-2000:])[-1].strip()
    if not last or last.startswith("#") or _is_whole(last):
        return []
    line = len(re.findall(r"\r\n|\r|\n", text)) + 1
    return [
        ParseIssue("TL501", "error", "the file ends in the middle of this line: it was truncated", Place(line))
    ]


def _is_whole(line: str) -> bool:
    """Whether a line may be the last one: a YAML key or item with its value, or an address."""
    if "://" in line and not line.startswith("- ") and ": " not in line:
        return _ADDRESS.fullmatch(line) is not None
    key, colon, value = line.removeprefix("- ").partition(":")
    value = value.strip() if colon and not key.startswith(("'", '"')) else line.removeprefix("- ")
    if value[:1] in ("'", '"'):
        return len(value) > 1 and value.endswith(value[0])
    return bool(colon) or line.startswith("- ")
