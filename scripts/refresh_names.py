#!/usr/bin/env python3
"""Write compat_data/names/: the names that each release of the stack defines, read from its wheels.

    refresh_names.py                        add the releases that compat_data/releases has and a table lacks
    refresh_names.py FOLDER [PACKAGE ...]   read all releases anew

A table has the last release of each series (2.8). A new one is read from a wheel of it on the index.
FOLDER has one wheel of each release (any platform: the Python files are the same), as ``pip download --no-deps``
leaves them. The table has all names of all releases, and for each the releases that have it. That of torch
has what its Python files and its stubs show.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from packaging.utils import parse_wheel_filename
from packaging.version import Version
from pypi_simple import PYPI_SIMPLE_ENDPOINT

from refreshing import torch_names
from refreshing.name_tables import Names, names_of, names_stated, table_of, text_of
from torchlock.errors import TorchlockError
from torchlock.gathering.asking import Asker
from torchlock.gathering.pages import read_page
from torchlock.gathering.storage import write_if_changed
from torchlock.index import IndexSettings
from torchlock.index.archives import open_zip

if TYPE_CHECKING:
    from torchlock.gathering.pages import File

DATA = Path(__file__).parents[1] / "compat_data"
PACKAGES = ("torchaudio", "torchvision", "torchcodec", "torchtext", "soundfile")
# The most bytes that are fetched of one wheel.
_WHOLE = 256 << 20


def main(arguments: list[str]) -> int:
    """Exit code: 0, or 2 if the index could not be read."""
    if not arguments:
        asker = Asker(IndexSettings(PYPI_SIMPLE_ENDPOINT), Path(__file__).parents[1] / ".refresh" / "index")
        try:
            add_new(DATA, asker)
        except TorchlockError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        return 0
    folder, *wanted = arguments
    wheels: defaultdict[str, dict[Version, Names]] = defaultdict(dict)
    torch: dict[Version, torch_names.Names] = {}
    for path in sorted(Path(folder).glob("*.whl")):
        name, version, _, _ = parse_wheel_filename(path.name)
        with zipfile.ZipFile(path) as archive:
            if str(name) == "torch":
                torch[version] = torch_names.names_of(archive)
                continue
            wheels[str(name)][version] = names_of(archive, str(name))
    if torch:
        table = torch_names.text_of(torch_names.table_of(torch))
        write_if_changed(DATA / "names" / "torch.json", table, dry=False)
    for package in [each for each in wanted or PACKAGES if each in wheels]:
        text = text_of(table_of(package, wheels[package]))
        write_if_changed(DATA / "names" / f"{package}.json", text, dry=False)
    return 0


def add_new(data: Path, asker: Asker) -> list[str]:
    """Read the releases that are newer than those of the tables; returns a sentence for each.

    ``data`` is like ``compat_data``. The last release of a series stands for the series.

    Raises:
        TorchlockError: the index fails, or a wheel cannot be read.
    """
    said = []
    for package in PACKAGES:
        path = data / "names" / f"{package}.json"
        table = json.loads(path.read_bytes())
        known = {Version(text): names_stated(table, at) for at, text in enumerate(table["releases"])}
        for version in _newer(data / "releases" / f"{package}.json", max(known)):
            wheel = _wheel_of(asker, package, version)
            if wheel is None or wheel.listed is None:
                continue
            asker.count()
            names = asker.index.within(wheel.listed, partial(_names_in, package=package), _WHOLE)
            known = {each: old for each, old in known.items() if each.release[:2] != version.release[:2]}
            known[version] = names
            said.append(f"The names of {package} {version} were read from {wheel.filename}.")
        write_if_changed(path, text_of(table_of(package, known)), dry=False)
    return [*said, *_add_torch(data, asker)]


def _add_torch(data: Path, asker: Asker) -> list[str]:
    path = data / "names" / "torch.json"
    releases = data / "releases" / "torch.json"
    table, said = json.loads(path.read_bytes()), []
    for version in _newer(releases, Version(table["releases"][-1])) if releases.is_file() else ():
        earlier = [each for each in map(Version, table["releases"]) if each.release[:2] != version.release[:2]]
        wheels = [_wheel_of(asker, "torch", each) for each in (version, earlier[-1])]
        found = [each.listed for each in wheels if each is not None and each.listed is not None]
        if len(found) == len(wheels):
            asker.count()
            new, before = (asker.index.within(each, _names_of_torch, _WHOLE) for each in found)
            table = torch_names.with_release(table, version, new, before)
            said.append(f"The names of torch {version} were read from {found[0].filename}.")
    if said:
        write_if_changed(path, torch_names.text_of(table), dry=False)
    return said


def _names_of_torch(content: IO[bytes]) -> torch_names.Names:
    return torch_names.names_of(open_zip(content))


def _names_in(content: IO[bytes], package: str) -> Names:
    return names_of(open_zip(content), package)


def _newer(releases: Path, last: Version) -> list[Version]:
    """The last release of each series of those that are newer, without pre-releases."""
    records = json.loads(releases.read_bytes())["releases"]
    found = sorted(
        version for text, record in records.items() if record["wheels"] and (version := Version(text)) > last
    )
    return list({each.release[:2]: each for each in found if not each.is_prerelease}.values())


def _wheel_of(asker: Asker, package: str, version: Version) -> File | None:
    """The smallest wheel of a release."""
    page = read_page(asker.index, package)
    wheels = [file for each in page.releases if each.version == version for file in each.wheels] if page else []
    return min(wheels, key=lambda file: (file.size or 0, file.filename), default=None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
