"""Limits on expanded variables: a value that names another one twice doubles with every line."""

from __future__ import annotations

# No useful value is longer.
_LONGEST = 10_000
# The limit of characters from the variables in one block of commands.
_MOST = 200_000


def bounded(value: str | None) -> str | None:
    """The value of a variable; None (unknown) if it is too long."""
    return None if value is not None and len(value) > _LONGEST else value


class Expansion:
    """The values put into one text, or into ``times`` texts."""

    def __init__(self, times: int = 1) -> None:
        self._left = times * _MOST

    def take(self, value: str | None) -> str | None:
        """The value; None (unknown) if the values together are too long."""
        self._left -= len(value or "")
        return value if self._left >= 0 else None
