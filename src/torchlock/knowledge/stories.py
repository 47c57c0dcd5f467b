"""The stories of the rules: what ``explain`` and the rule pages say about each rule."""

from __future__ import annotations

from torchlock.knowledge import tables
from torchlock.records import NamedTuple

SITE = "https://torchlock.github.io/torchlock/"  # also in mkdocs.yml


class Story(NamedTuple):
    """A rule for its reader: what it does, why this is bad, an example, and how to fix it.

    ``shown`` are texts that Python, the loader or an installer prints if the rule is broken, the best known first.
    """

    title: str
    what: str
    why: str
    example: str
    fix: str
    shown: tuple[str, ...] = ()


def story(identifier: str) -> Story:
    """What a rule says to its reader.

    Raises:
        KeyError: no rule has this identifier.
    """
    table = tables.load_compiled("stories.json")[identifier]
    return Story(**{**table, "shown": tuple(table.get("shown", ()))})


def help_uri(identifier: str) -> str:
    """The address of the page of a rule on the documentation site."""
    return f"{SITE}rules/{identifier}/"
