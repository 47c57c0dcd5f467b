"""From stored evidence to the table of cells that ``knowledge.proofs`` reads."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from packaging.version import Version

from torchlock.inspect.binaries.cxx_names import is_form
from torchlock.knowledge.spans import in_words
from torchlock.proving.deciding import decide
from torchlock.proving.evidence import CompanionWheel, TorchWheel

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Protocol

    from torchlock.proving.deciding import Decision
    from torchlock.proving.evidence import Wheel
    from torchlock.proving.pairing import Python
    from torchlock.proving.tables import Store
else:
    Protocol = object

_Read = TypeVar("_Read", TorchWheel, CompanionWheel)

SOURCES: Final = ("proofs-from-wheels",)


class Exported:
    """Which releases of torch on one platform have a symbol, in words.

    On macOS and Windows a symbol is looked for in one library, and another library may have it: *there*.
    """

    def __init__(self, torches: Sequence[TorchWheel]) -> None:
        self._torches = torches
        self._versions = sorted({each.wheel.version for each in torches}, key=Version)
        self._told: dict[str, str] = {}

    def __call__(self, symbol: str) -> str:
        if symbol not in self._told:
            having = {each.wheel.version for each in self._torches if symbol in each.exports}
            words = in_words(self._versions, [each in having for each in self._versions])
            library, _, name = symbol.rpartition("!")
            what = ("this form" if is_form(name) else "it") + (" there" if library else "")
            known = f"torch has {what} {words}" if words else f"other builds of torch have {what}"
            self._told[symbol] = known if having else ""
        return self._told[symbol]


class Facts(Protocol):
    """What is known of the wheels beside what was read in them.

    ``read`` are the Pythons for which a wheel, or one that shows the same, was read; ``pythons`` also those for
    which it is assumed; ``installable`` those for which its release has any wheel on its platform. ``series`` is
    that of the torch (``2.8``) that a companion is made for; "" if it is not known.
    """

    def read(self, wheel: Wheel) -> frozenset[Python]: ...

    def pythons(self, wheel: Wheel) -> frozenset[Python]: ...

    def installable(self, wheel: Wheel) -> frozenset[Python]: ...

    def series(self, wheel: Wheel) -> str: ...


def compile_cells(store: Store, date: str, facts: Facts) -> dict[str, Any]:
    """The content of ``compiled/proofs.json``; ``date`` is the day on which the newest evidence was read."""
    table = _Table(store, facts)
    for (package, place), rows in sorted(store.companions.items()):
        for some in _by_release(rows).values() if place in table.torches else ():
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


def _by_release(rows: Iterable[_Read]) -> dict[str, list[_Read]]:
    """The wheels of each release, oldest first; of one release that for most Pythons first."""
    found: dict[str, list[_Read]] = {}
    for row in sorted(rows, key=lambda each: (Version(each.wheel.version), -len(each.alike), each.wheel.file)):
        found.setdefault(row.wheel.version, []).append(row)
    return found


def _wheel_row(wheel: Wheel) -> list[Any]:
    return [wheel.version, wheel.build, wheel.file, wheel.sha256, wheel.date]


class _Table:
    """The sentences and symbols, each once, and spans of neighbouring cells with one answer."""

    def __init__(self, store: Store, facts: Facts) -> None:
        self._facts = facts
        self.reasons: dict[str, int] = {}
        self.symbols: dict[str, int] = {}
        self.pythons: dict[tuple[str, ...], int] = {}
        self.pairs: dict[str, dict[str, list[Any]]] = {}
        self.torches: dict[str, list[TorchWheel]] = {}
        self._releases: dict[str, list[list[int]]] = {}
        for place, rows in sorted(store.torches.items()):
            releases = list(_by_release(rows).values())
            # Those that differ from another wheel of their release come last, so that spans go on.
            order = [each[0] for each in releases] + [row for each in releases for row in each[1:]]
            places = {id(row): at for at, row in enumerate(order)}
            self.torches[place] = order
            self._releases[place] = [[places[id(row)] for row in each] for each in releases]
        self._histories = {place: Exported(rows) for place, rows in self.torches.items()}

    def add_release(self, package: str, place: str, rows: Sequence[CompanionWheel]) -> None:
        """The cells of one release of a companion on one platform."""
        spans: list[list[list[Any]]] = [[] for _ in rows]
        # Of wheels that are made for different torches it is said which Pythons each is about.
        differ = len({self._facts.series(row.wheel) for row in rows}) > 1
        for torches in self._releases[place]:
            parts = self._parts(place, rows, torches)
            first = self.torches[place][torches[0]].wheel
            every = self._facts.installable(rows[0].wheel) & self._facts.installable(first)
            is_one = not differ and [each.pythons for each in parts] == [every]
            for part in parts:
                pythons = () if is_one else tuple(map(str, sorted(part.pythons)))
                self._add(spans[part.mine], part, pythons)
        found = self.pairs.setdefault(package, {}).setdefault(place, [])
        found += [[*_wheel_row(row.wheel), *mine] for row, mine in zip(rows, spans, strict=True) if mine]

    def _parts(self, place: str, rows: Sequence[CompanionWheel], torches: Sequence[int]) -> list[_Part]:
        """The decisions about two releases; wheels that show other things and give one verdict are one part."""
        parts: dict[tuple[Any, ...], _Part] = {}
        for (mine, row), its in product(enumerate(rows), torches):
            torch = self.torches[place][its]
            # A wheel that differs from the first one may be built for a torch that differs, too: the wheel of
            # torch for its Python must have been read.
            theirs = self._facts.pythons(torch.wheel) if mine == 0 else self._facts.read(torch.wheel)
            common = self._facts.pythons(row.wheel) & theirs
            if common:
                found = decide(row, torch, self._facts.series(row.wheel), self._histories[place])
                key = found.verdict, found.kind, row.wheel.build, torch.wheel.build
                parts.setdefault(key, _Part(mine, its, found, set())).pythons.update(common)
        return list(parts.values())

    def _add(self, spans: list[list[Any]], part: _Part, pythons: tuple[str, ...]) -> None:
        reason = self.reasons.setdefault(part.decision.reason, len(self.reasons))
        symbol = part.decision.symbol
        answer = [
            part.decision.verdict,
            part.decision.kind,
            reason,
            -1 if symbol is None else self.symbols.setdefault(symbol, len(self.symbols)),
        ]
        if pythons:
            answer.append(self.pythons.setdefault(pythons, len(self.pythons)))
        if spans and spans[-1][1] == part.its - 1 and spans[-1][2:] == answer:
            spans[-1][1] = part.its
        else:
            spans.append([part.its, part.its, *answer])


class _Part(NamedTuple):
    """The places of two wheels, the decision about them, and the Pythons for which it is the same."""

    mine: int
    its: int
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
