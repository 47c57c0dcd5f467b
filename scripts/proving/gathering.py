"""Read wheels on the index, several at once. What each shows is kept in a folder, so that a run can go on."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from torchlock.errors import TorchlockError
from torchlock.gathering.storage import Cache
from torchlock.gathering.wheel_evidence import WheelReader, wheel_of
from torchlock.index.client import Index
from torchlock.index.configuration import read_settings
from torchlock.proving.evidence import CompanionWheel, TorchWheel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from torchlock.proving.choosing import Chosen
    from torchlock.proving.evidence import Wheel
    from torchlock.proving.tables import Store
    from torchlock.standards.index_file import File


class _Task(NamedTuple):
    """A wheel to read, and where it is."""

    wheel: Wheel
    file: File


def gather(
    wanted: Iterable[Chosen], used: Mapping[str, frozenset[str]], folder: Path, day: str, jobs: int
) -> Iterator[tuple[Chosen, TorchWheel | CompanionWheel | str]]:
    """What each wheel shows, or why it cannot be read. What the folder has is not read again.

    ``used``: for each platform the symbols of torch that decide something. The evidence gets the date of ``day``.

    Raises:
        TorchlockError: the index cannot be asked, or does not have a wheel.
    """
    todo = list(wanted)
    readers = {place: WheelReader(Cache(folder), names) for place, names in used.items()}
    missing = [each for each in todo if readers[each.platform].known(wheel_of(each, day)) is None]
    # The processes get the symbols when they start, and give back only whether the folder has the evidence now.
    with ProcessPoolExecutor(jobs, initializer=_begin, initargs=(folder, used)) as pool:
        reasons = iter(pool.map(_read, list(_tasks(missing, day))))
        absent = {each.sha256 for each in missing}
        for each in todo:
            why = next(reasons) if each.sha256 in absent else ""
            yield each, why or _known(readers[each.platform], wheel_of(each, day))


def add(store: Store, found: TorchWheel | CompanionWheel) -> None:
    """Put what a wheel shows into the store; in place of what it showed before, it keeps who is alike."""
    wheel = found.wheel
    if isinstance(found, TorchWheel):
        rows = store.torches.setdefault(wheel.platform, [])
        _replace(rows, found)
    else:
        _replace(store.companions.setdefault((wheel.package, wheel.platform), []), found)


def _replace(rows: list[Any], found: Any) -> None:
    for at, each in enumerate(rows):
        if each.wheel.file == found.wheel.file:
            rows[at] = found._replace(alike=each.alike)
            return
    rows.append(found)


def _known(reader: WheelReader, wheel: Wheel) -> TorchWheel | CompanionWheel | str:
    return reader.known(wheel) or "the folder of the evidence was emptied"


def _tasks(wanted: Iterable[Chosen], day: str) -> Iterator[_Task]:
    """Where the chosen wheels are on the index."""
    pages: dict[str, dict[str, File]] = {}
    for each in wanted:
        if each.package not in pages:
            files = _index().files(each.package)
            pages[each.package] = {file.hashes.get("sha256", ""): file for file in files}
        found = pages[each.package].get(each.sha256)
        if found is None:
            raise TorchlockError(f"the index has no {each.file} with the hash of the catalogue")
        yield _Task(wheel_of(each, day), found)


@cache
def _index() -> Index:
    """The index of this process."""
    return Index(read_settings())


_readers: dict[str, WheelReader] = {}


def _begin(folder: Path, used: Mapping[str, frozenset[str]]) -> None:
    _index.cache_clear()  # no process shares a connection
    _readers.update({place: WheelReader(Cache(folder), names) for place, names in used.items()})


def _read(task: _Task) -> str:
    """Read one wheel into the folder; returns why it cannot be read, or ""."""
    try:
        _readers[task.wheel.platform].read(task.wheel, task.file, _index())
    except TorchlockError as error:
        return error.message
    return ""
