"""The other entries of a document, by scope; collected once for the file, not for each install set."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from torchlock.audit.install_sets import effective, pinned

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.manifests.document import Entry

# The limit on pins of one package in one scope. More than this conflict in any case.
_MOST = 100


class Sides:
    """The entries of a document, by scope."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries

    @cached_property
    def names(self) -> frozenset[str]:
        """All packages that the document names."""
        return frozenset(entry.name for entry in self._entries)

    def has(self, name: str, scope: str) -> bool:
        """Whether a scope names a package, or the entries without a scope do."""
        return any(name in self._names.get(one, ()) for one in ("", scope))

    def channels(self, name: str, scope: str) -> set[str]:
        """The channels that a scope takes a package from, without commands that may find it there."""
        return {channel for one in ("", scope) for channel in self._channels.get((one, name), ())}

    def pins(self, scope: str) -> Iterator[Entry]:
        """The entries with versions that count in a scope, without constraints and duplicates."""
        for one in dict.fromkeys(("", scope)):
            for entries in self._pins.get(one, {}).values():
                yield from entries

    def pins_of(self, name: str, scope: str) -> Iterator[Entry]:
        """The entries of one package with versions in a scope."""
        for one in dict.fromkeys(("", scope)):
            yield from self._pins.get(one, {}).get(name, ())

    @cached_property
    def _channels(self) -> dict[tuple[str, str], set[str]]:
        found: dict[tuple[str, str], set[str]] = {}
        for entry in self._entries:
            if not entry.keeps or pinned(entry.specifier):
                found.setdefault((entry.scope, entry.name), set()).add(entry.channel)
        return found

    @cached_property
    def _names(self) -> dict[str, set[str]]:
        """Scope → its packages."""
        found: dict[str, set[str]] = {}
        for entry in self._entries:
            found.setdefault(entry.scope, set()).add(entry.name)
        return found

    @cached_property
    def _pins(self) -> dict[str, dict[str, list[Entry]]]:
        """Scope → package → its entries with different specifiers or markers."""
        found: dict[str, dict[str, dict[str, Entry]]] = {}
        for entry in effective(self._entries):
            if entry.specifier and not entry.constraint:
                pins = found.setdefault(entry.scope, {}).setdefault(entry.name, {})
                if len(pins) < _MOST:
                    pins.setdefault(f"{entry.specifier};{entry.marker}", entry)
        return {
            scope: {name: list(pins.values()) for name, pins in by_name.items()}
            for scope, by_name in found.items()
        }
