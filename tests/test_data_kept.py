"""What ``torchlock data update`` takes over from the bundled tables.

The new tables are those that a whole computation gives. Two releases are not judged again if the data say of them
what they said before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from support import future
from support.amount import THOROUGH
from support.refresh_index import started
from torchlock.gathering import compatibility, pairs, update
from torchlock.gathering.asking import Asker
from torchlock.gathering.storage import Cache
from torchlock.index import IndexSettings
from torchlock.knowledge import tables
from torchlock.knowledge.releases import Catalogue
from torchlock.knowledge.rules import Matrix
from torchlock.knowledge.unchanged import State
from torchlock.proving import compiling, keeping
from torchlock.proving.rendering import cells_text
from torchlock.proving.tables import Store, read_store

PLACE = "linux-x86_64"


def named(pins: Any) -> tuple[str, ...]:
    return tuple(f"{name} {pin.text}" for name, pin in pins.items())


class Both:
    """Computes a table with what is known; a thorough run compares it with the whole computation.

    ``asked`` are the pairs that were judged for the first. The tests below compare smaller tables in every run.
    """

    def __init__(self, compute: Callable[..., str], judged: set[tuple[str, ...]]) -> None:
        self._compute = compute
        self._judged = judged
        self.asked: set[tuple[str, ...]] = set()

    def __call__(self, *arguments: Any) -> str:
        self._judged.clear()
        found = self._compute(*arguments)
        self.asked = set(self._judged)
        assert not THOROUGH or found == self._compute(*arguments[:-1])
        return found


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, ...]]:
    """The pairs that the judge, and the code that decides by symbols, were asked about."""
    judged: set[tuple[str, ...]] = set()
    judge, decide = compatibility.violations, compiling.decide

    def by_judge(pins: Any, *rest: Any, **more: Any) -> Any:
        judged.add(named(pins))
        return judge(pins, *rest, **more)

    def by_symbols(companion: Any, torch: Any, *rest: Any) -> Any:
        judged.add(tuple(f"{each.wheel.package} {each.wheel.version}" for each in (torch, companion)))
        return decide(companion, torch, *rest)

    monkeypatch.setattr(compatibility, "violations", by_judge)
    monkeypatch.setattr(compiling, "decide", by_symbols)
    return judged


@pytest.mark.sampled
def test_an_update_judges_the_new_releases_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: set[tuple[str, ...]]
) -> None:
    table, cells = Both(compatibility.text_of, counted), Both(cells_text, counted)
    monkeypatch.setattr(compatibility, "text_of", table)
    monkeypatch.setattr(update, "cells_text", cells)
    with started() as index:
        future.fill(index)
        asker, cache = Asker(IndexSettings(index.url), tmp_path), Cache(tmp_path / "gathered")
        made = update.update(
            asker, cache, tmp_path / "data", source=index.url, public=False, everything=False, day="2027-01-20"
        )
    assert made is not None
    assert {"compiled/compatibility.json", "compiled/proofs.json"} <= set(made.files)
    new = {"torch 2.16.0", "torchaudio 2.12.0", "torchcodec 0.18.0"}
    assert table.asked
    assert cells.asked
    for pair in table.asked | cells.asked:
        assert new & set(pair), pair


@cache
def bundled() -> State:
    return State(Catalogue(tables.ROOT / "releases"), Matrix(tables.ROOT / "compiled" / "rules.json"))


def with_statement(folder: Path, package: str, **row: Any) -> State:
    """The bundled data with one statement more."""
    table = json.loads((tables.ROOT / "compiled" / "rules.json").read_bytes())
    table["statements"].setdefault(package, []).append({"rule": "TL101", **row})
    path = folder / "rules.json"
    path.write_text(json.dumps(table))
    return State(bundled().catalogue, Matrix(path))


def with_release(folder: Path, name: str, change: Callable[[str], str]) -> State:
    """The bundled data with another release file of a project."""
    for path in (tables.ROOT / "releases").iterdir():
        (folder / path.name).symlink_to(path)
    path = folder / f"{name}.json"
    text = path.read_text()
    path.unlink()
    path.write_text(change(text))
    assert path.read_text() != text
    return State(Catalogue(folder), bundled().matrix)


def without_release(version: str) -> Callable[[str], str]:
    return lambda text: re.sub(rf'^"{re.escape(version)}": .*\n', "", text, flags=re.MULTILINE)


def for_python(version: str, python: str) -> Callable[[str], str]:
    line = re.compile(rf'^"{re.escape(version)}": \{{"wheels".*\}}', re.MULTILINE)

    def changed(found: re.Match[str]) -> str:
        name, _, record = found[0].partition(": ")
        return f"{name}: {json.dumps({**json.loads(record), 'python': python})}"

    return lambda text: line.sub(changed, text)


CHANGES: dict[str, tuple[Callable[[Path], State], str]] = {
    "a statement about an old release": (
        lambda folder: with_statement(
            folder, "torchaudio", when=["torchaudio", "==2.8.0"], needs=[["torch", "<2"]]
        ),
        "torchaudio 2.8.0",
    ),
    "a statement about an old torch": (
        lambda folder: with_statement(folder, "torch", when=["torch", "==2.8.0"], forbids=[["torchaudio"]]),
        "torch 2.8.0",
    ),
    "a statement about CUDA": (
        lambda folder: with_statement(
            folder, "build-cuda", when=["build-cuda", ">=12.8"], forbids=[["torchaudio", "==2.8.0"]]
        ),
        "",
    ),
    "a release that needs another Python": (
        lambda folder: with_release(folder, "torchaudio", for_python("2.8.0", ">=3.13")),
        "torchaudio 2.8.0",
    ),
    "a torch that needs another Python": (
        lambda folder: with_release(folder, "torch", for_python("2.8.0", ">=3.13")),
        "torch 2.8.0",
    ),
    "a torch that is gone": (lambda folder: with_release(folder, "torch", without_release("2.0.0")), "nothing"),
    "a companion that is gone": (
        lambda folder: with_release(folder, "torchaudio", without_release("2.0.1")),
        "nothing",
    ),
    "nothing": (lambda folder: bundled(), "nothing"),
}


@pytest.fixture
def small_table(monkeypatch: pytest.MonkeyPatch) -> Iterator[pairs.Known]:
    """The table for two Pythons and two companions alone: a whole one takes little time then."""
    for module in (compatibility, pairs):
        monkeypatch.setattr(module, "PYTHONS", [12, 13])
        monkeypatch.setattr(module, "PARTNERS", ["torchaudio", "torchcodec"])
    yield pairs.Known(bundled(), _digest())


_TABLES: list[dict[str, Any]] = []


def _digest() -> dict[str, Any]:
    if not _TABLES:
        _TABLES.append(compatibility.digest(*_parts(bundled())))
    return _TABLES[0]


def _parts(state: State) -> tuple[Catalogue, Matrix]:
    return state.catalogue, state.matrix


@pytest.mark.parametrize("change", CHANGES)
def test_pairs_are_kept_by_what_the_data_say(
    change: str, tmp_path: Path, small_table: pairs.Known, counted: set[tuple[str, ...]]
) -> None:
    changed, about = CHANGES[change]
    state = changed(tmp_path)
    counted.clear()
    found = compatibility.digest(*_parts(state), small_table)
    judged = set(counted)
    assert found == compatibility.digest(*_parts(state))
    assert (found == small_table.table) == (change == "nothing")
    if about:
        assert all(about in pair for pair in judged)
        assert bool(judged) == (about != "nothing")
    else:
        everything = set(counted)
        assert judged == everything, "all are judged again"


def part_of(store: Store) -> Store:
    """The evidence for one platform and two companions, in lists of its own."""
    companions = {key: list(store.companions[key]) for key in (("torchaudio", PLACE), ("torchcodec", PLACE))}
    return Store({PLACE: list(store.torches[PLACE])}, companions, {PLACE: store.asked[PLACE]})


@cache
def known_cells() -> keeping.Known:
    store = part_of(read_store(tables.ROOT / "proofs"))
    return keeping.Known(bundled(), store, json.loads(cells_text(store, *_parts(bundled()))))


def at(rows: list[Any], version: str) -> int:
    return next(place for place, row in enumerate(rows) if row.wheel.version == version)


def lose_a_symbol(store: Store) -> None:
    """A torch that lacks what torchaudio 2.8.0 uses."""
    rows, place = store.torches[PLACE], at(store.torches[PLACE], "2.8.0")
    audio = store.companions["torchaudio", PLACE][at(store.companions["torchaudio", PLACE], "2.8.0")]
    rows[place] = rows[place]._replace(exports=rows[place].exports - set(audio.libraries[0].symbols))


def need_a_library(store: Store) -> None:
    """A torchaudio that needs a library that nobody has."""
    rows = store.companions["torchaudio", PLACE]
    place = at(rows, "2.8.0")
    first, *others = rows[place].libraries
    libraries = (first._replace(needed=(*first.needed, "libnobody.so.1")), *others)
    rows[place] = rows[place]._replace(libraries=libraries)


def lose_the_newest_torch(store: Store) -> None:
    """Every sentence that ends with *from … on* may change."""
    del store.torches[PLACE][at(store.torches[PLACE], "2.15.0")]


def lose_an_old_torch(store: Store) -> None:
    del store.torches[PLACE][at(store.torches[PLACE], "2.0.1")]


def stand_for_one_python(store: Store) -> None:
    """A torch of which the wheels for other Pythons are not known to show the same."""
    rows, place = store.torches[PLACE], at(store.torches[PLACE], "2.8.0")
    rows[place] = rows[place]._replace(alike=())


def read_again(store: Store) -> None:
    """A torch that was read on another day, for a symbol that nobody of these uses."""
    rows, place = store.torches[PLACE], at(store.torches[PLACE], "2.8.0")
    wheel, exports = rows[place].wheel._replace(date="2027-01-20"), rows[place].exports | {"nobody_uses_this"}
    rows[place] = rows[place]._replace(wheel=wheel, exports=exports)


@pytest.mark.parametrize(
    ("change", "most"),
    [
        (lose_a_symbol, 700),
        (need_a_library, 60),
        (lose_the_newest_torch, 1200),
        (lose_an_old_torch, 500),
        (stand_for_one_python, 120),
        (read_again, 0),
    ],
)
def test_cells_are_kept_by_what_the_evidence_shows(
    change: Callable[[Store], None], most: int, counted: set[tuple[str, ...]]
) -> None:
    known = known_cells()
    store = part_of(known.store)
    change(store)
    counted.clear()
    found = cells_text(store, *_parts(bundled()), known)
    judged = len(counted)
    assert found == cells_text(store, *_parts(bundled()))
    assert json.loads(found) != known.table
    assert judged <= most < len(counted)


@pytest.mark.parametrize("change", ["a statement about an old release", "a release that needs another Python"])
def test_cells_are_kept_by_what_the_data_say(change: str, tmp_path: Path, counted: set[tuple[str, ...]]) -> None:
    known, state = known_cells(), CHANGES[change][0](tmp_path)
    counted.clear()
    found = cells_text(known.store, *_parts(state), known)
    judged = set(counted)
    assert found == cells_text(known.store, *_parts(state))
    assert judged
    assert {pair[1] for pair in judged} == {"torchaudio 2.8.0"}
