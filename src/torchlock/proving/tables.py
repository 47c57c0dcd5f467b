"""The stored evidence: ``compat_data/proofs/``, one table for torch and one for each companion, on each platform.

Only what decides a cell is stored: of the exports of torch those that some companion uses, and its stable ABI. A
span of releases is written ``2.13.0-`` (to the newest release of the table), ``1.8.0-2.3.1`` or ``2.4.0``, so that
a new release changes few lines.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from packaging.version import Version

from torchlock.errors import DataError
from torchlock.knowledge.spans import in_span, span_text
from torchlock.knowledge.tables import load_json
from torchlock.proving.deciding import is_stable, is_torchs, symbols_of
from torchlock.proving.evidence import CompanionWheel, Library, TorchWheel, Wheel
from torchlock.proving.grouping import tags_in, without_python

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path


class Store(NamedTuple):
    """All evidence. ``torches`` has a list for each platform, ``companions`` for each package and platform.

    ``asked`` are the symbols of which it is known for every torch of the platform whether it exports them.
    """

    torches: dict[str, list[TorchWheel]]
    companions: dict[tuple[str, str], list[CompanionWheel]]
    asked: dict[str, frozenset[str]]

    def wheels(self) -> list[Wheel]:
        """All wheels that were read."""
        return [each.wheel for rows in self.tables() for each in rows]

    def copy(self) -> Store:
        """The evidence as it is now: wheels that are added to this one are not in the copy."""
        torches = {place: list(rows) for place, rows in self.torches.items()}
        return Store(torches, {key: list(rows) for key, rows in self.companions.items()}, dict(self.asked))

    def tables(self) -> list[list[Any]]:
        """The list of each platform: of wheels of torch, and of those of each companion."""
        return [*self.torches.values(), *self.companions.values()]

    def lacks(self, platform: str) -> set[str]:
        """Symbols that companions use, and of which the stored exports do not say whether torch has them."""
        used = symbols_of(
            each for (_, place), rows in self.companions.items() if place == platform for each in rows
        )
        return {name for name in used - self.asked.get(platform, frozenset()) if not is_stable(name)}

    def unread(self, companion: CompanionWheel) -> set[str]:
        """The same, of one companion: symbols of which it was not read which torch has them."""
        used = symbols_of([companion])
        return {
            name
            for name in used - self.asked.get(companion.wheel.platform, frozenset())
            if not is_stable(name) and is_torchs(name)
        }


def read_store(root: Path) -> Store:
    """The evidence in a folder; empty if the folder is missing.

    Raises:
        DataError: a table is damaged.
    """
    store = Store({}, {}, {})
    for path in sorted(root.glob("*/*.json")):
        table = load_json(path)
        try:
            package, platform = table["package"], table["platform"]
            if package == "torch":
                store.torches[platform] = _torches(table)
                store.asked[platform] = frozenset(table["exports"])
            else:
                store.companions[package, platform] = _companions(table)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise DataError(f"damaged ({error})", path=str(path)) from error
    return store


def write_store(root: Path, store: Store) -> dict[Path, str]:
    """The text of each table by its path; nothing is written."""
    found = {}
    for platform, torches in store.torches.items():
        rows = (each for (_, place), some in store.companions.items() if place == platform for each in some)
        path = root / "exports" / f"torch-{platform}.json"
        found[path] = _text(_torch_table(platform, _sorted(torches), symbols_of(rows)))
    for (package, platform), companions in store.companions.items():
        path = root / "needs" / f"{package}-{platform}.json"
        found[path] = _text(_companion_table(package, platform, _sorted(companions)))
    return found


def _sorted(wheels: Iterable[Any]) -> list[Any]:
    return sorted(wheels, key=lambda each: (Version(each.wheel.version), each.wheel.file))


def _labels(wheels: Sequence[Wheel]) -> list[str]:
    """What spans call each wheel: its release, with its Python where a release has several."""
    versions = [each.version for each in wheels]
    return [
        each.version if versions.count(each.version) == 1 else f"{each.version}@{_python_in(each.file)}"
        for each in wheels
    ]


def _python_in(file: str) -> str:
    """The Python of a wheel, as spans write it: ``cp312``, ``cp313t``."""
    python, abi = tags_in(file).split("-")[-2:]
    return f"{python}t" if abi.endswith("t") else python


def _torch_table(platform: str, torches: Sequence[TorchWheel], used: Iterable[str]) -> dict[str, Any]:
    versions = _labels([each.wheel for each in torches])
    stable = {name for each in torches for name in each.exports if is_stable(name)}
    return {
        "package": "torch",
        "platform": platform,
        "wheels": [[*_wheel_row(each.wheel), " ".join(each.alike)] for each in torches],
        "libraries": _histories(versions, [each.libraries for each in torches]),
        "exports": _histories(versions, [each.exports for each in torches], {*used, *stable}),
    }


def _companion_table(package: str, platform: str, companions: Sequence[CompanionWheel]) -> dict[str, Any]:
    versions = _labels([each.wheel for each in companions])
    # In the order in which the newest release opens them: the first that fails is the one that is named.
    opened = [each for row in reversed(companions) for each in row.libraries]
    names = dict.fromkeys((without_python(each.name), each.role, each.group) for each in opened)
    symbols = {name: index for index, name in enumerate(sorted(symbols_of(companions)))}
    libraries = []
    for key in names:
        mine = [_find(row, key) for row in companions]
        used = [frozenset(each.symbols) if each else frozenset() for each in mine]
        row = {
            "name": key[0],
            "role": key[1],
            "group": key[2],
            "spans": span_text(versions, [each is not None for each in mine]),
            "needed": _histories(versions, [frozenset(each.needed) if each else frozenset() for each in mine]),
            "symbols": _grouped(_histories(versions, used), symbols),
        }
        libraries.append({name: value for name, value in row.items() if value})
    return {
        "package": package,
        "platform": platform,
        "wheels": [
            [*_wheel_row(each.wheel), each.compares, dict(each.floors), " ".join(each.alike)]
            for each in companions
        ],
        "libraries": libraries,
        "symbols": list(symbols),
    }


def _grouped(histories: Mapping[str, str], places: Mapping[str, int]) -> dict[str, list[int]]:
    """The symbols of each span, by their numbers: most symbols of a library share few spans."""
    found: dict[str, list[int]] = {}
    for name, span in histories.items():
        found.setdefault(span, []).append(places[name])
    return dict(sorted(found.items()))


def _find(row: CompanionWheel, key: tuple[str, str, str]) -> Library | None:
    return next(
        (each for each in row.libraries if (without_python(each.name), each.role, each.group) == key), None
    )


def _wheel_row(wheel: Wheel) -> list[Any]:
    return [wheel.version, wheel.build, wheel.file, wheel.sha256, wheel.date]


def _histories(
    versions: Sequence[str], sets: Sequence[frozenset[str]], names: Iterable[str] | None = None
) -> dict[str, str]:
    """For each name the spans of releases that have it; with ``names`` for these alone, even if none has one."""
    wanted = set().union(*sets) if names is None else set(names)
    return {name: span_text(versions, [name in each for each in sets]) for name in sorted(wanted)}


def _sets(versions: Sequence[str], histories: Mapping[str, str]) -> list[frozenset[str]]:
    """For each release the names that it has."""
    found: list[set[str]] = [set() for _ in versions]
    known: dict[str, list[bool]] = {}
    for name, text in histories.items():
        there = known.get(text)
        if there is None:
            there = known[text] = in_span(versions, text)
        for index, is_there in enumerate(there):
            if is_there:
                found[index].add(name)
    return [frozenset(each) for each in found]


def _torches(table: dict[str, Any]) -> list[TorchWheel]:
    versions = _labels([_wheel(table, row) for row in table["wheels"]])
    libraries, exports = _sets(versions, table["libraries"]), _sets(versions, table["exports"])
    return [
        TorchWheel(_wheel(table, row), libraries[index], exports[index], tuple(row[5].split()))
        for index, row in enumerate(table["wheels"])
    ]


def _companions(table: dict[str, Any]) -> list[CompanionWheel]:
    versions = _labels([_wheel(table, row) for row in table["wheels"]])
    found: list[list[Library]] = [[] for _ in versions]
    names = table["symbols"]
    for row in table["libraries"]:
        needed = _sets(versions, row.get("needed", {}))
        groups = row.get("symbols", {}).items()
        symbols = _sets(versions, {names[number]: span for span, group in groups for number in group})
        for index, is_there in enumerate(in_span(versions, row["spans"])):
            if is_there:
                parts = tuple(sorted(needed[index])), tuple(sorted(symbols[index]))
                found[index].append(Library(row["name"], row["role"], *parts, row.get("group", "")))
    return [
        CompanionWheel(_wheel(table, row), tuple(found[index]), row[5], row[6], tuple(row[7].split()))
        for index, row in enumerate(table["wheels"])
    ]


def _wheel(table: dict[str, Any], row: Sequence[Any]) -> Wheel:
    version, build, file, sha256, date = row[:5]
    return Wheel(table["package"], version, table["platform"], build, file, sha256, date)


def _text(table: dict[str, Any]) -> str:
    """JSON with one wheel, one library and one symbol in a line."""
    lines = []
    for key, value in table.items():
        if isinstance(value, list):
            inner = ",\n".join(_library_text(each) if isinstance(each, dict) else _dump(each) for each in value)
            lines.append(f"{_dump(key)}:[\n{inner}\n]")
        elif isinstance(value, dict):
            lines.append(f"{_dump(key)}:{_lines(value)}")
        else:
            lines.append(f"{_dump(key)}:{_dump(value)}")
    return "{" + ",\n".join(lines) + "}\n"


def _library_text(row: dict[str, Any]) -> str:
    return "{" + ",".join(f"{_dump(key)}:{_of_library(value)}" for key, value in row.items()) + "}"


def _of_library(value: Any) -> str:
    return _lines(value) if isinstance(value, dict) else _dump(value)


def _lines(value: dict[str, Any]) -> str:
    return "{\n" + ",\n".join(f"{_dump(name)}:{_dump(each)}" for name, each in value.items()) + "\n}"


_dump: Callable[[Any], str] = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
