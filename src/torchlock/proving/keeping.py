"""Which cells of a compiled table still follow from the evidence: these are not decided again.

A cell is kept if everything is the same from which it was decided: what the catalogue, the rules and the evidence
say of both releases, and which releases of torch have a symbol that its sentence may name.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from torchlock.knowledge.unchanged import unchanged
from torchlock.proving.deciding import Decision, symbols_of
from torchlock.proving.evidence import by_release
from torchlock.proving.history import Exported

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.knowledge.unchanged import State
    from torchlock.proving.evidence import CompanionWheel, TorchWheel
    from torchlock.proving.tables import Store


class Known(NamedTuple):
    """A compiled table, and what it was compiled from."""

    state: State
    store: Store
    table: dict[str, Any]


class Answer(NamedTuple):
    """The decision about two wheels, by their file names, and the Pythons for which it counts; () for all."""

    mine: str
    its: str
    decision: Decision
    pythons: tuple[str, ...]


class Keeper:
    """Gives the cells of a known table that follow from the evidence as it is now."""

    def __init__(self, known: Known, state: State, store: Store) -> None:
        self._same = cache(lambda name: unchanged(name, known.state, state))
        self._before = {key: by_release(rows) for key, rows in known.store.companions.items()}
        self._answers = _answers_in(known.table)
        self._torches = {
            place: _Torches(known.store.torches.get(place, []), rows) for place, rows in store.torches.items()
        }

    def of_release(self, package: str, place: str, rows: Sequence[CompanionWheel]) -> KeptRelease | None:
        """The cells of a release of a companion on one platform; None if something else is known of it now."""
        version = rows[0].wheel.version
        if version not in self._same(package) or self._before.get((package, place), {}).get(version) != rows:
            return None
        answers = self._answers.get((package, place, version), {})
        return KeptRelease(answers, self._same("torch"), self._torches[place], frozenset(symbols_of(rows)))


class KeptRelease:
    """The cells of one release of a companion, by the release of torch."""

    def __init__(
        self, answers: dict[str, list[Answer]], same: frozenset[str], torches: _Torches, symbols: frozenset[str]
    ) -> None:
        self._answers = answers
        self._same = same
        self._torches = torches
        self._symbols = symbols

    def beside(self, torches: Sequence[TorchWheel]) -> list[Answer] | None:
        """The cells beside one release of torch; None if they have to be decided."""
        version = torches[0].wheel.version
        if version not in self._same or not self._torches.say_the_same(self._symbols, torches):
            return None
        return self._answers.get(version, [])


class _Torches:
    """The wheels of torch on one platform, as they were and as they are."""

    def __init__(self, before: Sequence[TorchWheel], now: Sequence[TorchWheel]) -> None:
        self._before = by_release(before)
        old, new = Exported(before), Exported(now)
        self._is_told_alike = cache(lambda symbol: old(symbol) == new(symbol))
        self._are_alike = list(before) == list(now)

    def say_the_same(self, symbols: frozenset[str], torches: Sequence[TorchWheel]) -> bool:
        """Whether a decision about these wheels is as before, for a companion that uses these symbols."""
        if self._are_alike:
            return True
        before = self._before.get(torches[0].wheel.version, [])
        if len(before) != len(torches):
            return False
        for old, new in zip(before, torches, strict=True):
            if old is not new and not _is_alike(old, new, symbols):
                return False
        return all(self._is_told_alike(each) for torch in torches for each in symbols - torch.exports)


def _is_alike(old: TorchWheel, new: TorchWheel, symbols: frozenset[str]) -> bool:
    """Whether two readings of a wheel show the same of these symbols; the day of a reading decides nothing."""
    return (
        old.wheel._replace(date="") == new.wheel._replace(date="")
        and (old.libraries, old.alike) == (new.libraries, new.alike)
        and symbols.isdisjoint(old.exports ^ new.exports)
    )


def _answers_in(table: dict[str, Any]) -> dict[tuple[str, str, str], dict[str, list[Answer]]]:
    """The cells of a compiled table: by package, platform and release, then by the release of torch."""
    found: dict[tuple[str, str, str], dict[str, list[Answer]]] = {}
    for package, places in table["pairs"].items():
        for place, rows in places.items():
            for version, _, mine, _, _, *spans in rows:
                cells = found.setdefault((package, place, version), {})
                for torch, answer in _answers_of(mine, spans, place, table):
                    cells.setdefault(torch, []).append(answer)
    return found


def _answers_of(
    mine: str, spans: Sequence[Sequence[Any]], place: str, table: dict[str, Any]
) -> Iterator[tuple[str, Answer]]:
    """The cells of one wheel of a companion, each with the release of torch."""
    for first, last, verdict, kind, reason, symbol, *python in spans:
        named = table["symbols"][symbol] if symbol >= 0 else None
        decision = Decision(verdict, kind, table["reasons"][reason], named)
        pythons = tuple(table["pythons"][python[0]]) if python else ()
        for torch in table["torch"][place][first : last + 1]:
            yield torch[0], Answer(mine, torch[2], decision, pythons)
