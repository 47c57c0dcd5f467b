"""Requirements that installed packages already satisfy, so that pip changes nothing."""

from __future__ import annotations

import re
from itertools import chain, islice
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

from torchlock.knowledge.stack import FAMILY
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from torchlock.manifests.document import Entry

_ANEW = {
    "-U",
    "--upgrade",
    "--force-reinstall",
    "--reinstall",
    "-I",
    "--ignore-installed",
    "-t",
    "--target",
    "--root",
}
_EXACT = pattern(r"===?\s*([^\s,*]+)")


def reinstalls(options: Iterable[str]) -> bool:
    """Whether ``pip install`` or ``uv pip install`` with these options replaces installed packages."""
    names = {option.partition("=")[0] for option in options}
    short = any(re.fullmatch(r"-[a-zA-HJ-TV-Z]*[UI][a-zA-Z]*", name) for name in names)
    return short or bool(names & _ANEW)


class EarlierEntries:
    """The entries of earlier commands by package, equal ones only once."""

    def __init__(self) -> None:
        self._entries: Sequence[Entry] = ()
        self._count = 0
        self._named: dict[str, dict[tuple[str, str, bool], Entry]] = {}

    def by_package(self, entries: Sequence[Entry]) -> Mapping[str, Collection[Entry]]:
        """Package → its entries, from a list that has grown since the last call, or from another list."""
        if entries is not self._entries or self._count > len(entries):
            self._entries, self._count, self._named = entries, 0, {}
        for entry in islice(entries, self._count, None):
            there = self._named.setdefault(entry.name, {})
            there.setdefault((entry.specifier, entry.scope, entry.constraint), entry)
        self._count = len(entries)
        return {name: there.values() for name, there in self._named.items()}


def drop_satisfied(
    asked: Sequence[Entry], there: Mapping[str, Collection[Entry]], held: Mapping[str, str]
) -> Iterator[Entry]:
    """The requirements of a command, without those that installed packages already satisfy.

    ``there`` are the entries of earlier commands by package; ``held`` maps torch and its companions in the base
    image to their versions ("": unknown); companions stay if torch stays. Exact pins of torch without a label, and
    exact pins that only earlier commands satisfy, are always yielded: they determine the result.
    """
    torches = [entry for entry in chain(there.get("torch", ()), asked) if entry.name == "torch"]
    renews = _renews_torch(asked, there)
    stays = all(_meets(held.get("torch"), _public(entry)) for entry in torches if not entry.constraint)
    for entry in asked:
        apart = entry.constraint or entry.url is not None
        pin = pinned_version(entry.specifier)
        decides = entry.name == "torch" and pin is not None and "+" not in pin
        kept = stays and not apart and not decides
        if kept and _meets(held.get(entry.name), entry.specifier):
            continue
        again = renews and entry.name in FAMILY
        if apart or pin is not None or again or not _is_there(entry, there.get(entry.name, ())):
            yield entry


def _public(torch: Entry) -> str:
    """The specifier of an entry of torch, of which a pin accepts any build of its release."""
    pin = pinned_version(torch.specifier)
    return torch.specifier if pin is None else f"=={pin}"


def _renews_torch(asked: Sequence[Entry], there: Mapping[str, Collection[Entry]]) -> bool:
    """Whether a command pins another torch than earlier ones: pip chooses the companions that it names anew."""
    mine = {entry.specifier for entry in asked if entry.name == "torch" and pinned_version(entry.specifier)}
    return bool(mine) and not mine <= {entry.specifier for entry in there.get("torch", ())}


def pinned_version(specifier: str) -> str | None:
    """The version of an exact pin; None for any other specifier."""
    match = _EXACT.fullmatch(specifier.strip())
    return match[1] if match else None


def _is_there(entry: Entry, there: Collection[Entry]) -> bool:
    for other in there:
        if other.constraint or other.scope not in ("", entry.scope):
            continue
        if not entry.specifier:
            return True
        version = _EXACT.fullmatch(other.specifier.strip())
        if version and _meets(version[1], entry.specifier):
            return True
    return False


def _meets(version: str | None, specifier: str) -> bool:
    if not version:
        # Of an unknown release that is there, a lower bound says too little to replace it.
        bounds = [clause.strip() for clause in specifier.split(",") if clause.strip()]
        return version is not None and all(clause.startswith(">") for clause in bounds)
    try:
        return SpecifierSet(specifier, prereleases=True).contains(version)
    except ValueError:
        return False
