"""Read a wheel for a proof, once: what it showed is kept in the cache by its hash."""

from __future__ import annotations

import hashlib
import sys
from functools import partial
from typing import IO, TYPE_CHECKING, Any

from torchlock.proving.deciding import symbols_of
from torchlock.proving.evidence import CompanionWheel, Library, TorchWheel, Wheel
from torchlock.proving.reading import read_companion, read_torch

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from torchlock.gathering.storage import Cache
    from torchlock.index import Index
    from torchlock.proving.choosing import Chosen
    from torchlock.proving.tables import Store
    from torchlock.standards.index_file import File

# The most bytes that are fetched of one wheel.
_BUDGET = 192 << 20


def wheel_of(chosen: Chosen, day: str) -> Wheel:
    """A wheel that is read on a day."""
    return Wheel(chosen.package, chosen.version, chosen.platform, chosen.build, chosen.file, chosen.sha256, day)


def used_on(store: Store, platform: str) -> frozenset[str]:
    """The symbols of torch that some companion uses on a platform."""
    rows = (each for (_, place), some in store.companions.items() if place == platform for each in some)
    return frozenset(symbols_of(rows))


class WheelReader:
    """Reads wheels of a project on an index, those that the cache lacks.

    ``used``: the symbols of torch that decide something; only these are read of a wheel of torch.
    """

    def __init__(self, cache: Cache, used: Collection[str] = ()) -> None:
        self._cache = cache
        self._used = used
        self._exports = f"exports-{hashlib.sha256(repr(sorted(used)).encode()).hexdigest()[:16]}"

    def known(self, wheel: Wheel) -> TorchWheel | CompanionWheel | None:
        """What a wheel showed that was read before."""
        row = self._cache.load(self._kind(wheel), wheel.sha256)
        return None if row is None else _of_row(row, wheel)

    def read(self, wheel: Wheel, file: File, index: Index) -> TorchWheel | CompanionWheel:
        """What a wheel shows.

        Raises:
            UnreadableWheel: it shows nothing; the message says why.
            NetworkError: the index fails.
        """
        row = _row(index.within(file, partial(self._in, wheel=wheel), _BUDGET))
        self._cache.store(self._kind(wheel), wheel.sha256, row)
        return _of_row(row, wheel)

    def _in(self, content: IO[bytes], wheel: Wheel) -> TorchWheel | CompanionWheel:
        if wheel.package == "torch":
            return read_torch(content, wheel, self._used)
        return read_companion(content, wheel)

    def _kind(self, wheel: Wheel) -> str:
        return self._exports if wheel.package == "torch" else "needs"


def _row(found: TorchWheel | CompanionWheel) -> dict[str, Any]:
    if isinstance(found, TorchWheel):
        return {"libraries": sorted(found.libraries), "exports": sorted(found.exports)}
    libraries = [list(each) for each in found.libraries]
    return {"libraries": libraries, "compares": found.compares, "floors": dict(found.floors)}


def _of_row(row: Mapping[str, Any], wheel: Wheel) -> TorchWheel | CompanionWheel:
    """The evidence; the wheels share their names, of which hundreds of wheels have thousands."""
    if wheel.package == "torch":
        return TorchWheel(wheel, _shared(row["libraries"]), _shared(row["exports"]))
    libraries = (
        Library(name, role, tuple(needed), tuple(map(sys.intern, symbols)), group)
        for name, role, needed, symbols, group in row["libraries"]
    )
    return CompanionWheel(wheel, tuple(libraries), row["compares"], row["floors"])


def _shared(names: list[str]) -> frozenset[str]:
    return frozenset(map(sys.intern, names))
