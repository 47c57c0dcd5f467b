"""The pins of a build: where each file comes from, and how sure its hash is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from torchlock.errors import NetworkError
from torchlock.lock.model import FromBuilds

if TYPE_CHECKING:
    from torchlock.index.folder_page import Contradiction
    from torchlock.lock.model import Lock, Pin
    from torchlock.standards.index_file import File


class Builds(Protocol):
    """What the pins of a build are asked about (``index.build_source.BuildSource``)."""

    label: str
    root: str

    def holds(self, file: File) -> bool: ...
    def owns(self, name: str) -> bool: ...
    def page_of(self, name: str) -> str: ...
    def contradiction(self, file: File) -> Contradiction | None: ...
    def remark(self, name: str, file: File) -> str: ...


def with_builds(
    lock: Lock, builds: Builds, machine: str = "", held_back: tuple[str, ...] = (), *, by_index: bool = False
) -> Lock:
    """The lock whose pins of the torch family name their page.

    ``machine`` is the machine that the build was chosen for, and ``held_back`` says which newer builds it forbids.

    Raises:
        NetworkError: the page and the data state different hashes of a file that is locked.
    """
    pins = tuple(_of_build(pin, builds) if _is_of_build(pin, builds) else pin for pin in lock.pins)
    for pin in pins:
        for file in pin.files if pin.page else ():
            _refuse_contradiction(pin, file, builds)
    return lock._replace(pins=pins, builds=FromBuilds(builds.label, builds.root, by_index, machine, held_back))


def _is_of_build(pin: Pin, builds: Builds) -> bool:
    return bool(pin.version) and (builds.owns(pin.name) or any(map(builds.holds, pin.files)))


def _of_build(pin: Pin, builds: Builds) -> Pin:
    named = pin._replace(page=builds.page_of(pin.name))
    exact = named.exact
    return named._replace(remark=builds.remark(pin.name, exact)) if exact is not None else named


def _refuse_contradiction(pin: Pin, file: File, builds: Builds) -> None:
    found = builds.contradiction(file)
    if found is not None:
        raise NetworkError(
            f"{file.filename}: {builds.page_of(pin.name)} states sha256 {found.page}, and the data of torchlock "
            f"state {found.table}",
            hint="one of them is wrong: download the file, compare and report it; to lock another release, use "
            f"{pin.name}!={pin.version.partition('+')[0]}",
        )
