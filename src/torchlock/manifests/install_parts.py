"""The parts of a file that are installed separately: jobs, sessions, targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.records import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torchlock.manifests.document import Entry


def scoped_parts(parts: Mapping[str, Sequence[Entry]]) -> Iterator[Entry]:
    """The entries of all parts, each in the scope of its part; a single part needs no scope.

    The part named "" belongs to every other part.
    """
    held = {name: entries for name, entries in parts.items() if entries}
    alone = len(held.keys() - {""}) == 1
    for name, entries in held.items():
        for entry in entries:
            yield entry if alone or not name else replace(entry, scope=_scope(name, entry.scope))


def _scope(part: str, scope: str) -> str:
    """The scope of an entry within a part: its branches and separate environments stay distinct."""
    kind, _, inner = scope.partition(":")
    return f"{kind or 'group'}:{'-'.join(filter(None, (part, inner)))}"
