"""What a document names beside a set of demands, by scope: looked up once for the file, not once for each set."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from torchlock.audit.install_sets import effective

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.manifests.document import Entry

# So many pins of one package in one scope are looked at: what has more contradicts itself.
_MOST = 100


class Sides:
    """The entries of a document, by the scope that they stand in."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries

    @cached_property
    def names(self) -> frozenset[str]:
        """Every package that is named anywhere."""
        return frozenset(entry.name for entry in self._entries)

    def has(self, name: str, scope: str) -> bool:
        """Whether a package is named in a scope, or in what is installed with every scope."""
        return any(name in self._names.get(one, ()) for one in ("", scope))

    def channels(self, name: str, scope: str) -> set[str]:
        """The channels that a package is taken from in a scope."""
        return {channel for one in ("", scope) for channel in self._names.get(one, {}).get(name, ())}

    def pins(self, scope: str) -> Iterator[Entry]:
        """The entries with versions that count in a scope, without constraints; the same pin once."""
        for one in dict.fromkeys(("", scope)):
            for entries in self._pins.get(one, {}).values():
                yield from entries

    def pins_of(self, name: str, scope: str) -> Iterator[Entry]:
        """Those of one package."""
        for one in dict.fromkeys(("", scope)):
            yield from self._pins.get(one, {}).get(name, ())

    @cached_property
    def _names(self) -> dict[str, dict[str, set[str]]]:
        """Scope → package → the channels that it is taken from."""
        found: dict[str, dict[str, set[str]]] = {}
        for entry in self._entries:
            found.setdefault(entry.scope, {}).setdefault(entry.name, set()).add(entry.channel)
        return found

    @cached_property
    def _pins(self) -> dict[str, dict[str, list[Entry]]]:
        """Scope → package → its entries with different specifiers."""
        found: dict[str, dict[str, dict[str, Entry]]] = {}
        for entry in effective(self._entries):
            if entry.specifier and not entry.constraint:
                pins = found.setdefault(entry.scope, {}).setdefault(entry.name, {})
                if len(pins) < _MOST:
                    pins.setdefault(entry.specifier, entry)
        return {
            scope: {name: list(pins.values()) for name, pins in by_name.items()}
            for scope, by_name in found.items()
        }
