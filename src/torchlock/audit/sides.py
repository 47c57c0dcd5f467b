"""The other entries of a document, by scope; collected once for the file, not for each install set."""

from __future__ import annotations

from functools import cached_property

from torchlock.audit.install_sets import ALONE, effective, pinned
from torchlock.typed import TYPE_CHECKING

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
        return any(name in self._names.get(one, ()) for one in _with(scope))

    def channels(self, name: str, scope: str) -> set[str]:
        """The channels that a scope takes a package from, without commands that may find it there."""
        return {channel for one in _with(scope) for channel in self._channels.get((one, name), ())}

    def pins(self, scope: str) -> Iterator[Entry]:
        """The entries with versions that count in a scope, without constraints and duplicates."""
        for one in _with(scope):
            for entries in self._pins.get(one, {}).values():
                yield from entries

    def pins_of(self, name: str, scope: str) -> Iterator[Entry]:
        """The entries of one package with versions in a scope."""
        for one in _with(scope):
            yield from self._pins.get(one, {}).get(name, ())

    def of_pip(self, scope: str) -> list[Entry]:
        """The entries of pip that one scope installs, with the constraints, in the order of the file.

        Equal entries of one scope count once.
        """
        numbered = self._of_pip.get(scope, [])
        if scope and not scope.startswith(ALONE):
            numbered = sorted([*self._of_pip.get("", ()), *numbered], key=lambda one: one[0])
        return [entry for _, entry in numbered]

    def scopes(self) -> Iterator[str]:
        """The scopes that install different packages, the one without a name first: equal ones count once."""
        seen: set[tuple[object, ...]] = set()
        for scope in dict.fromkeys(("", *self._of_pip)):
            entries = [entry for _, entry in self._of_pip.get(scope, ())]
            written = ((*key_of(entry), entry.path, entry.place) for entry in entries)
            key = (scope.startswith(ALONE), *written)
            if not scope or key not in seen:
                seen.add(key)
                yield scope

    @cached_property
    def _of_pip(self) -> dict[str, list[tuple[int, Entry]]]:
        """Scope → its different entries of pip, with their numbers in the file."""
        found: dict[str, dict[tuple[object, ...], tuple[int, Entry]]] = {}
        for number, entry in enumerate(effective(self._entries)):
            if entry.channel == "pip":
                found.setdefault(entry.scope, {}).setdefault(key_of(entry), (number, entry))
        return {scope: list(entries.values()) for scope, entries in found.items()}

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


def _with(scope: str) -> tuple[str, ...]:
    """The scopes that are installed together with a scope, and itself."""
    return (scope,) if not scope or scope.startswith(ALONE) else ("", scope)


def key_of(entry: Entry) -> tuple[object, ...]:
    """What two equal entries of one scope have in common."""
    return (
        *(entry.name, entry.specifier, entry.marker, tuple(entry.extras), entry.constraint),
        *(entry.url, entry.index, entry.step, entry.keeps),
    )
