"""The limits of values in place of variables: one that names another twice doubles with every line."""

from __future__ import annotations

# No value of use is as long.
_LONGEST = 10_000
# So many characters come from the variables of one stretch of commands.
_MOST = 200_000


def bounded(value: str | None) -> str | None:
    """A value that a variable may have; None, which is unknown, for one of excessive length."""
    return None if value is not None and len(value) > _LONGEST else value


class Expansion:
    """The values that are put into one stretch of text, or into ``times`` of them."""

    def __init__(self, times: int = 1) -> None:
        self._left = times * _MOST

    def take(self, value: str | None) -> str | None:
        """The value; None, which is unknown, where the values together are of excessive length."""
        self._left -= len(value or "")
        return value if self._left >= 0 else None
