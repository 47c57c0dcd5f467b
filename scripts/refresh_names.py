#!/usr/bin/env python3
"""Write compat_data/names/: the names that each release of the stack defines, read from its wheels.

    refresh_names.py FOLDER [PACKAGE ...]

FOLDER has one wheel of each release (any platform: the Python files are the same), as ``pip download --no-deps``
leaves them. The table has all names of all releases, and for each the releases that have it.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from packaging.utils import parse_wheel_filename
from packaging.version import Version

from torchlock.inspect.module_names import ModuleNames

DATA = Path(__file__).parents[1] / "compat_data" / "names"
PACKAGES = ("torchaudio", "torchvision", "torchcodec", "torchtext", "soundfile")


def names_of(wheel: Path, package: str) -> tuple[set[str], set[str]]:
    """The dotted names in a wheel, and its modules whose source hides names.

    Private names count only in modules that are public, since only those are used from outside.
    """
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.endswith(".py")])
        place = Path(folder, package)
        modules = list(ModuleNames(str(place if place.is_dir() else place.with_suffix(".py"))).every_name())
        names = {f"{package}.{name}" for name in _set_by_backend(place / "backend" / "utils.py")}
        names |= _compiled(archive.namelist(), package)
    hidden = set()
    for module, bound, hides in modules:
        is_private = "._" in module
        names |= {module, *(f"{module}.{name}" for name in bound if not (is_private and name.startswith("_")))}
        if hides:
            hidden.add(module)
    return {name for name in names if ".__" not in name}, hidden


def _compiled(files: list[str], package: str) -> set[str]:
    """The extension modules of a package; their names are the same on every platform."""
    found = (re.fullmatch(rf"({package}/[\w/]+)(\.[\w-]+)*\.(so|pyd)", name) for name in files)
    return {match[1].replace("/", ".") for match in found if match}


def _set_by_backend(path: Path) -> set[str]:
    """The functions that torchaudio 0.6 to 2.1 sets in itself when it chooses its backend (``load``, ``info``)."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    loop = re.search(r"for func in \[([^\][]+)\]:\s+setattr\(torchaudio, func", text)
    return set(re.findall(r"\w+", loop[1])) if loop else set()


def table_of(package: str, wheels: dict[Version, Path]) -> dict[str, Any]:
    """The table of one package: its releases; for each module its own spans of releases, those in which it hides
    names, and its names, each with the spans of releases that have it (0: whenever the module is there).
    """
    releases = sorted(wheels)
    read = [names_of(wheels[each], package) for each in releases]
    spans = {
        name: _spans([name in names for names, _ in read]) for name in set().union(*(each for each, _ in read))
    }
    modules: dict[str, Any] = {package: {"spans": spans[package], "names": {}}}
    for name in sorted(spans.keys() - {package}):
        parent, _, last = name.rpartition(".")
        row = modules.setdefault(parent, {"spans": spans.get(parent, []), "names": {}})
        row["names"][last] = 0 if spans[name] == row["spans"] else spans[name]
    for name, row in modules.items():
        if hides := _spans([name in hidden for _, hidden in read]):
            row["hidden"] = hides
    return {"releases": [str(each) for each in releases], "modules": modules}


def _spans(there: list[bool]) -> list[list[int]]:
    """Runs of True, each as its first and last index."""
    spans: list[list[int]] = []
    for index, is_there in enumerate(there):
        if is_there and spans and spans[-1][1] == index - 1:
            spans[-1][1] = index
        elif is_there:
            spans.append([index, index])
    return spans


def main(arguments: list[str]) -> int:
    folder, *wanted = arguments
    wheels: defaultdict[str, dict[Version, Path]] = defaultdict(dict)
    for path in sorted(Path(folder).glob("*.whl")):
        name, version, _, _ = parse_wheel_filename(path.name)
        wheels[str(name)][version] = path
    for package in wanted or PACKAGES:
        DATA.mkdir(exist_ok=True)
        text = json.dumps(table_of(package, wheels[package]), separators=(",", ":"), sort_keys=True)
        (DATA / f"{package}.json").write_text(text.replace('}},"', '}},\n"') + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
