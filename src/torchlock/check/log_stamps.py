"""The time that the build of an image writes before each line of what its commands print."""

from __future__ import annotations

import re

# BuildKit writes the seconds since the step began, and with plain progress the number of the step before them.
_SECONDS = re.compile(r"^(?:#\d{1,4} )?\d{1,5}\.\d{3} ?", re.MULTILINE)
# Fewer numbers at the beginning of lines are something else.
_LEAST = 3


def without_stamps(text: str) -> str:
    """A text without these times; the lines and their numbers stay."""
    if len(_SECONDS.findall(text)) < _LEAST:
        return text
    return _SECONDS.sub("", text)
