"""Regular expressions that are compiled when they are first used: compiling is the dearest part of many imports.

A lock imports 160 of them and uses 30. Compiled at import, they cost a fifth of its instructions (callgrind).
"""

from __future__ import annotations

import re

from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, AnyStr


class Later:
    """What ``pattern`` returns: it has the methods of ``re.Pattern``, bound at their first use."""

    def __init__(self, text: Any, flags: int) -> None:
        self._source = text, flags

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_source" not in self.__dict__:
            raise AttributeError(name)
        text, flags = self._source
        value = getattr(re.compile(text, flags), name)
        setattr(self, name, value)
        return value

    def __repr__(self) -> str:
        return f"pattern{self._source!r}"


def pattern(text: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """A regular expression that is compiled at its first use. An error in it appears there, as ``re.error``."""
    return Later(text, flags)  # type: ignore[return-value]
