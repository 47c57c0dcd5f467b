"""The stories of the rules: what ``explain`` and the rule pages say about each rule."""

from __future__ import annotations

from torchlock.knowledge import tables
from torchlock.records import NamedTuple

_DOCUMENTATION = "https://github.com/torchlock/torchlock/blob/main/docs/rules"


class Story(NamedTuple):
    """A rule for its reader: what it does, why this is bad, an example, and how to fix it."""

    title: str
    what: str
    why: str
    example: str
    fix: str


def story(identifier: str) -> Story:
    """What a rule says to its reader.

    Raises:
        KeyError: no rule has this identifier.
    """
    return Story(**tables.load_compiled("stories.json")[identifier])


def help_uri(identifier: str) -> str:
    """The address of the page of a rule."""
    return f"{_DOCUMENTATION}/{identifier}.md"
