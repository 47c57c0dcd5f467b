"""The names that a release defines, read from its wheel, and the tables of them (``compat_data/names``)."""

from __future__ import annotations

import json
import re
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from torchlock.inspect.module_names import ModuleNames

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.version import Version


class Names(NamedTuple):
    """The dotted names of one release, and its modules whose source hides names."""

    names: frozenset[str]
    hidden: frozenset[str]


def names_of(wheel: zipfile.ZipFile, package: str) -> Names:
    """The names in a wheel.

    Private names count only in modules that are public, since only those are used from outside.
    """
    with tempfile.TemporaryDirectory() as folder:
        wheel.extractall(folder, [name for name in wheel.namelist() if name.endswith(".py")])
        place = Path(folder, package)
        modules = list(ModuleNames(str(place if place.is_dir() else place.with_suffix(".py"))).every_name())
        names = {f"{package}.{name}" for name in _set_by_backend(place / "backend" / "utils.py")}
        names |= _compiled(wheel.namelist(), package)
    hidden = set()
    for module, bound, hides in modules:
        is_private = "._" in module
        names |= {module, *(f"{module}.{name}" for name in bound if not (is_private and name.startswith("_")))}
        if hides:
            hidden.add(module)
    return Names(frozenset(name for name in names if ".__" not in name), frozenset(hidden))


def _compiled(files: list[str], package: str) -> set[str]:
    """The extension modules of a package; their names are the same on every platform."""
    found = (re.fullmatch(rf"({package}/[\w/]+)(\.[\w-]+)*\.(so|pyd)", name) for name in files)
    return {match[1].replace("/", ".") for match in found if match}


def _set_by_backend(path: Path) -> set[str]:
    """The functions that torchaudio 0.6 to 2.1 sets in itself when it chooses its backend (``load``, ``info``)."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    loop = re.search(r"for func in \[([^\][]+)\]:\s+setattr\(torchaudio, func", text)
    return set(re.findall(r"\w+", loop[1])) if loop else set()


def table_of(package: str, read: Mapping[Version, Names]) -> dict[str, Any]:
    """The table of one package: its releases; for each module its own spans of releases, those in which it hides
    names, and its names, each with the spans of releases that have it (0: whenever the module is there).
    """
    releases = sorted(read)
    every = [read[release] for release in releases]
    runs = {
        name: spans([name in each.names for each in every])
        for name in set().union(*(each.names for each in every))
    }
    modules: dict[str, Any] = {package: {"spans": runs[package], "names": {}}}
    for name in sorted(runs.keys() - {package}):
        parent, _, last = name.rpartition(".")
        row = modules.setdefault(parent, {"spans": runs.get(parent, []), "names": {}})
        row["names"][last] = 0 if runs[name] == row["spans"] else runs[name]
    for name, row in modules.items():
        if hides := spans([name in each.hidden for each in every]):
            row["hidden"] = hides
    return {"releases": [str(each) for each in releases], "modules": modules}


def names_stated(table: Mapping[str, Any], at: int) -> Names:
    """What a table states of its release with this number: the inverse of ``table_of``."""
    names, hidden = set(), set()
    for module, row in table["modules"].items():
        if _holds(row["spans"], at):
            names.add(module)
        if _holds(row.get("hidden", ()), at):
            hidden.add(module)
        for last, spans in row["names"].items():
            if _holds(row["spans"] if spans == 0 else spans, at):
                names.add(f"{module}.{last}")
    return Names(frozenset(names), frozenset(hidden))


def text_of(table: Mapping[str, Any]) -> bytes:
    """The file of a table."""
    text = json.dumps(table, separators=(",", ":"), sort_keys=True)
    return (text.replace('}},"', '}},\n"') + "\n").encode()


def _holds(spans: Any, at: int) -> bool:
    return any(first <= at <= last for first, last in spans)


def spans(there: list[bool]) -> list[list[int]]:
    """Runs of True, each as its first and last index."""
    runs: list[list[int]] = []
    for index, is_there in enumerate(there):
        if is_there and runs and runs[-1][1] == index - 1:
            runs[-1][1] = index
        elif is_there:
            runs.append([index, index])
    return runs
