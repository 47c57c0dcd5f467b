"""Read wheels on the index, several at once, and keep what each shows in a folder, so that a run can go on."""

from __future__ import annotations

import gzip
import json
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from torchlock.errors import TorchlockError
from torchlock.index.client import Index
from torchlock.index.configuration import read_settings
from torchlock.proving.evidence import CompanionWheel, Library, TorchWheel, Wheel
from torchlock.proving.reading import read_companion, read_torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torchlock.proving.choosing import Chosen
    from torchlock.standards.index_file import File

# Bytes that may be fetched of one wheel.
_BUDGET = 192 << 20


class Task(NamedTuple):
    """A wheel to read, where it is, and the day that the evidence gets."""

    wheel: Wheel
    file: File
    kept: str


class Read(NamedTuple):
    """What one wheel gave: the path of the kept evidence, or why there is none; bytes and seconds that it took."""

    task: Task
    error: str
    fetched: int
    seconds: float


def tasks(chosen: Iterable[Chosen], folder: Path, day: str) -> Iterator[Task]:
    """Where the chosen wheels are on the index.

    Raises:
        TorchlockError: the index cannot be asked, or does not have a wheel.
    """
    index = Index(read_settings())
    pages: dict[str, dict[str, File]] = {}
    for each in chosen:
        if each.package not in pages:
            files = index.files(each.package)
            pages[each.package] = {file.hashes.get("sha256", ""): file for file in files}
        found = pages[each.package].get(each.sha256)
        if found is None:
            raise TorchlockError(f"the index has no {each.file} with the hash of the catalogue")
        wheel = Wheel(each.package, each.version, each.platform, each.build, each.file, each.sha256, day)
        yield Task(wheel, found, str(folder / f"{each.file}.json.gz"))


def gather(wanted: list[Task], jobs: int) -> Iterator[Read]:
    """Read each wheel whose evidence is not kept yet."""
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(read, wanted)


def read(task: Task) -> Read:
    """Read one wheel and keep what it shows; what is kept already is not read again."""
    if Path(task.kept).exists():
        return Read(task, "", 0, 0.0)
    start = time.monotonic()
    reader = read_torch if task.wheel.package == "torch" else read_companion
    fetched = 0
    try:
        with Index(read_settings()).open(task.file, _BUDGET) as content:
            try:
                found = reader(content, task.wheel)
            finally:
                fetched = getattr(content, "fetched", 0)
    except TorchlockError as error:
        return Read(task, error.message, fetched, time.monotonic() - start)
    keep(found, Path(task.kept))
    return Read(task, "", fetched, time.monotonic() - start)


def keep(found: TorchWheel | CompanionWheel, path: Path) -> None:
    """Write evidence to a file that is complete or not there."""
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as raw, gzip.open(raw, "wt", encoding="utf-8") as file:
        json.dump(_rows(found), file)
    Path(name).replace(path)


def _rows(found: TorchWheel | CompanionWheel) -> Any:
    if isinstance(found, TorchWheel):
        return [list(found.wheel), sorted(found.libraries), sorted(found.exports)]
    return [list(found.wheel), [list(each) for each in found.libraries], found.compares, dict(found.floors)]


def kept(path: str) -> TorchWheel | CompanionWheel:
    """The evidence in a file that ``keep`` wrote."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        row = json.load(file)
    wheel = Wheel(*row[0])
    if wheel.package == "torch":
        return TorchWheel(wheel, frozenset(row[1]), frozenset(row[2]))
    libraries = tuple(Library(each[0], each[1], tuple(each[2]), tuple(each[3]), each[4]) for each in row[1])
    return CompanionWheel(wheel, libraries, row[2], row[3])
