"""From stored evidence to the table of cells that ``knowledge.proofs`` reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from packaging.version import Version

from torchlock.inspect.binaries.cxx_names import is_form
from torchlock.knowledge.spans import in_words
from torchlock.proving.deciding import decide

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torchlock.proving.deciding import Decision
    from torchlock.proving.evidence import CompanionWheel, TorchWheel, Wheel
    from torchlock.proving.tables import Store

SOURCES: Final = ("proofs-from-wheels",)


class Exported:
    """Where the releases of torch on one platform have a symbol, in words."""

    def __init__(self, torches: Sequence[TorchWheel]) -> None:
        self._torches = torches
        self._told: dict[str, str] = {}

    def __call__(self, symbol: str) -> str:
        if symbol not in self._told:
            there = [symbol in each.exports for each in self._torches]
            words = in_words([each.wheel.version for each in self._torches], there)
            what = "this form" if is_form(symbol.rpartition("!")[2]) else "it"
            known = f"torch has {what} {words}" if words else f"other builds of torch have {what}"
            self._told[symbol] = known if any(there) else ""
        return self._told[symbol]


def compile_cells(
    store: Store,
    date: str,
    together: Callable[[Wheel, Wheel], bool],
    series: Callable[[Wheel], str],
    pythons: Callable[[Wheel], tuple[str, ...]] = lambda wheel: (),
) -> dict[str, Any]:
    """The content of ``compiled/proofs.json``.

    Args:
        store: the evidence.
        date: the day on which the newest of it was read.
        together: whether some Python can install both releases on their platform.
        series: the series of torch (``2.8``) that a companion is made for; "" if it is not known.
        pythons: those that a wheel of a companion is about, if other wheels of its release are about others.
    """
    table = _Table()
    torches = {place: sorted(rows, key=_release) for place, rows in sorted(store.torches.items())}
    histories = {place: Exported(rows) for place, rows in torches.items()}
    pairs: dict[str, dict[str, list[Any]]] = {}
    for (package, place), rows in sorted(store.companions.items()):
        if place not in torches:
            continue
        for row in sorted(rows, key=_release):
            spans: list[list[Any]] = []
            made = series(row.wheel)
            for index, torch in enumerate(torches[place]):
                if together(row.wheel, torch.wheel):
                    table.add(spans, index, decide(row, torch, made, histories[place]))
            mine = list(pythons(row.wheel))
            pairs.setdefault(package, {}).setdefault(place, []).append([*_wheel_row(row.wheel), mine, *spans])
    return {
        "date": date,
        "sources": list(SOURCES),
        "reasons": list(table.reasons),
        "symbols": list(table.symbols),
        "torch": {place: [_wheel_row(each.wheel) for each in rows] for place, rows in torches.items()},
        "pairs": pairs,
    }


def _release(each: TorchWheel | CompanionWheel) -> tuple[Version, str]:
    return Version(each.wheel.version), each.wheel.file


def _wheel_row(wheel: Wheel) -> list[Any]:
    return [wheel.version, wheel.build, wheel.file, wheel.sha256, wheel.date]


class _Table:
    """The sentences and symbols, each once, and spans of neighbouring cells with one answer."""

    def __init__(self) -> None:
        self.reasons: dict[str, int] = {}
        self.symbols: dict[str, int] = {}

    def add(self, spans: list[list[Any]], index: int, decision: Decision) -> None:
        reason = self.reasons.setdefault(decision.reason, len(self.reasons))
        symbol = -1 if decision.symbol is None else self.symbols.setdefault(decision.symbol, len(self.symbols))
        answer = [decision.verdict, decision.kind, reason, symbol]
        if spans and spans[-1][1] == index - 1 and spans[-1][2:] == answer:
            spans[-1][1] = index
        else:
            spans.append([index, index, *answer])


def text_of(table: dict[str, Any]) -> str:
    """The compiled table as JSON, with one wheel and one sentence in a line."""
    dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

    def lines(rows: list[Any]) -> str:
        return "[\n" + ",\n".join(map(dump, rows)) + "\n]"

    parts = [f'"date":{dump(table["date"])}', f'"sources":{dump(table["sources"])}']
    parts += [f'"{key}":{lines(table[key])}' for key in ("reasons", "symbols")]
    torch = ",\n".join(f"{dump(place)}:{lines(rows)}" for place, rows in table["torch"].items())
    pairs = ",\n".join(
        f"{dump(package)}:{{" + ",\n".join(f"{dump(place)}:{lines(rows)}" for place, rows in places.items()) + "}"
        for package, places in table["pairs"].items()
    )
    return "{" + ",\n".join([*parts, f'"torch":{{{torch}}}', f'"pairs":{{{pairs}}}']) + "}\n"
