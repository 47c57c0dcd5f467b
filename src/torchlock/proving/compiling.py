"""From stored evidence to the table of cells that ``knowledge.proofs`` reads."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from torchlock.proving.deciding import decide
from torchlock.proving.evidence import by_release
from torchlock.proving.history import Exported
from torchlock.proving.keeping import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Protocol

    from torchlock.proving.deciding import Decision
    from torchlock.proving.evidence import CompanionWheel, TorchWheel, Wheel
    from torchlock.proving.keeping import Keeper
    from torchlock.proving.pairing import Python
    from torchlock.proving.tables import Store
else:
    Protocol = object

SOURCES: Final = ("proofs-from-wheels",)


class Facts(Protocol):
    """What is known of the wheels beside what was read in them.

    ``read`` are the Pythons for which a wheel, or one that shows the same, was read; ``pythons`` also those for
    which it is assumed; ``installable`` those for which its release has any wheel on its platform. ``series`` is
    that of the torch (``2.8``) that a companion is built for; "" if it is not known.
    """

    def read(self, wheel: Wheel) -> frozenset[Python]: ...

    def pythons(self, wheel: Wheel) -> frozenset[Python]: ...

    def installable(self, wheel: Wheel) -> frozenset[Python]: ...

    def series(self, wheel: Wheel) -> str: ...


def compile_cells(store: Store, date: str, facts: Facts, keeper: Keeper | None = None) -> dict[str, Any]:
    """The content of ``compiled/proofs.json``; ``date`` is the day on which the newest evidence was read.

    Cells that ``keeper`` has are not decided; the content is the same without it.
    """
    table = _Table(store, facts, keeper)
    for (package, place), rows in sorted(store.companions.items()):
        for some in by_release(rows).values() if place in table.torches else ():
            table.add_release(package, place, some)
    return {
        "date": date,
        "sources": list(SOURCES),
        "compared": _compared(store),
        "reasons": list(table.reasons),
        "symbols": list(table.symbols),
        "pythons": [list(each) for each in table.pythons],
        "torch": {place: [_wheel_row(each.wheel) for each in rows] for place, rows in table.torches.items()},
        "pairs": table.pairs,
    }


def _compared(store: Store) -> dict[str, dict[str, list[int]]]:
    """How many wheels of each project and platform were read, and how many show something else than another one.

    The other one is a wheel for another Python of their release.
    """
    found: dict[str, dict[str, list[int]]] = {}
    tables = {("torch", place): rows for place, rows in store.torches.items()} | dict(store.companions)
    for (package, place), rows in sorted(tables.items()):
        read = sum(1 + len(each.alike) for each in rows)
        found.setdefault(package, {})[place] = [read, len(rows) - len({each.wheel.version for each in rows})]
    return found


def _wheel_row(wheel: Wheel) -> list[Any]:
    return [wheel.version, wheel.build, wheel.file, wheel.sha256, wheel.date]


class _Table:
    """The sentences and symbols, each once, and spans of neighbouring cells with one answer."""

    def __init__(self, store: Store, facts: Facts, keeper: Keeper | None) -> None:
        self._facts = facts
        self._keeper = keeper
        self.reasons: dict[str, int] = {}
        self.symbols: dict[str, int] = {}
        self.pythons: dict[tuple[str, ...], int] = {}
        self.pairs: dict[str, dict[str, list[Any]]] = {}
        self.torches: dict[str, list[TorchWheel]] = {}
        self._releases: dict[str, list[list[TorchWheel]]] = {}
        self._places: dict[str, dict[str, int]] = {}
        for place, rows in sorted(store.torches.items()):
            releases = list(by_release(rows).values())
            # Those that differ from another wheel of their release come last, so that spans go on.
            order = [each[0] for each in releases] + [row for each in releases for row in each[1:]]
            self._places[place] = {row.wheel.file: at for at, row in enumerate(order)}
            self.torches[place] = order
            self._releases[place] = releases
        self._histories = {place: Exported(rows) for place, rows in self.torches.items()}

    def add_release(self, package: str, place: str, rows: Sequence[CompanionWheel]) -> None:
        """The cells of one release of a companion on one platform."""
        spans: dict[str, list[list[Any]]] = {row.wheel.file: [] for row in rows}
        kept = self._keeper.of_release(package, place, rows) if self._keeper is not None else None
        for torches in self._releases[place]:
            answers = kept.beside(torches) if kept is not None else None
            for answer in self._decided(place, rows, torches) if answers is None else answers:
                self._add(spans[answer.mine], self._places[place][answer.its], answer)
        found = self.pairs.setdefault(package, {}).setdefault(place, [])
        found += [[*_wheel_row(row.wheel), *mine] for row in rows if (mine := spans[row.wheel.file])]

    def _decided(
        self, place: str, rows: Sequence[CompanionWheel], torches: Sequence[TorchWheel]
    ) -> Iterator[Answer]:
        """The cells of two releases, decided from the evidence."""
        # Of wheels that are made for different torches it is said which Pythons each is about.
        differ = len({self._facts.series(row.wheel) for row in rows}) > 1
        parts = self._parts(place, rows, torches)
        every = self._facts.installable(rows[0].wheel) & self._facts.installable(torches[0].wheel)
        is_one = not differ and [each.pythons for each in parts] == [every]
        for part in parts:
            pythons = () if is_one else tuple(map(str, sorted(part.pythons)))
            yield Answer(part.mine, part.its, part.decision, pythons)

    def _parts(self, place: str, rows: Sequence[CompanionWheel], torches: Sequence[TorchWheel]) -> list[_Part]:
        """The decisions about two releases; wheels that show other things and give one verdict are one part."""
        parts: dict[tuple[Any, ...], _Part] = {}
        for row, torch in product(rows, torches):
            # A wheel that differs from the first one may be built for a torch that differs, too: the wheel of
            # torch for its Python must have been read.
            theirs = self._facts.pythons(torch.wheel) if row is rows[0] else self._facts.read(torch.wheel)
            common = self._facts.pythons(row.wheel) & theirs
            if common:
                found = decide(row, torch, self._facts.series(row.wheel), self._histories[place])
                key = found.verdict, found.kind, row.wheel.build, torch.wheel.build
                parts.setdefault(key, _Part(row.wheel.file, torch.wheel.file, found, set())).pythons.update(common)
        return list(parts.values())

    def _add(self, spans: list[list[Any]], its: int, answer: Answer) -> None:
        """Add a cell to the spans of a wheel; ``its`` is the place of the wheel of torch."""
        verdict, kind, reason, symbol = answer.decision
        row = [
            verdict,
            kind,
            self.reasons.setdefault(reason, len(self.reasons)),
            -1 if symbol is None else self.symbols.setdefault(symbol, len(self.symbols)),
        ]
        if answer.pythons:
            row.append(self.pythons.setdefault(answer.pythons, len(self.pythons)))
        if spans and spans[-1][1] == its - 1 and spans[-1][2:] == row:
            spans[-1][1] = its
        else:
            spans.append([its, its, *row])


class _Part(NamedTuple):
    """The file names of two wheels, the decision about them, and the Pythons for which it is the same."""

    mine: str
    its: str
    decision: Decision
    pythons: set[Python]


def text_of(table: dict[str, Any]) -> str:
    """The compiled table as JSON, with one wheel and one sentence in a line."""
    dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

    def lines(rows: list[Any]) -> str:
        return "[\n" + ",\n".join(map(dump, rows)) + "\n]"

    parts = [f'"date":{dump(table["date"])}', f'"sources":{dump(table["sources"])}']
    parts.append(f'"compared":{dump(table["compared"])}')
    parts += [f'"{key}":{lines(table[key])}' for key in ("reasons", "symbols", "pythons")]
    torch = ",\n".join(f"{dump(place)}:{lines(rows)}" for place, rows in table["torch"].items())
    pairs = ",\n".join(
        f"{dump(package)}:{{" + ",\n".join(f"{dump(place)}:{lines(rows)}" for place, rows in places.items()) + "}"
        for package, places in table["pairs"].items()
    )
    return "{" + ",\n".join([*parts, f'"torch":{{{torch}}}', f'"pairs":{{{pairs}}}']) + "}\n"
