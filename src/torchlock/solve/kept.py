"""Packages that are installed already and stay: the only candidate of their project."""

from __future__ import annotations

from torchlock.records import NamedTuple
from torchlock.standards.markers import extra_of
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torchlock.answers import Unknown
    from torchlock.knowledge.rules import Statement
    from torchlock.standards.dependency import Dependency
    from torchlock.standards.index_file import File

UNKNOWN_VERSION = "0"


class KeptPackage(NamedTuple):
    """An installed package. ``version`` is "" if it is unknown; ``build`` is that of a member of the torch family.

    ``requires`` is what its metadata declares, as far as it is known. ``owner`` names what it is installed in,
    ``sources`` where that is known from.
    """

    name: str
    version: str
    owner: str
    build: str | Unknown | None = None
    requires: tuple[Dependency, ...] = ()
    tags: str = "py3-none-any"
    sources: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} {self.version}".rstrip()


class KeptRelease:
    """An installed package as the only release of its project (a ``Release`` for the solver).

    It needs nothing, because what it requires is installed with it: its requirements limit what is installed
    besides (``lock.installed_base``). Only those of its extras count, because nobody may have asked for them yet.
    """

    shape = None
    kind = None
    live = False
    yanked: str | None = None
    date = ""
    has_sdist = False
    invalid: Sequence[str] = ()

    def __init__(self, package: KeptPackage) -> None:
        self.package = package
        self.name = package.name
        self.unversioned = not package.version
        self.version = package.version or UNKNOWN_VERSION
        self.tags: Sequence[str] = [package.tags]

    def ranks(self, rank: Callable[[str], int | None]) -> list[int | None]:
        return [0]

    def requires_python(self, wheel: int) -> str:
        return ""

    def build(self, wheel: int) -> str | Unknown | None:
        return self.package.build

    def unproven(self, wheel: int) -> Unknown | None:
        return None  # it is there

    def statements(self, wheel: int) -> Sequence[Statement]:
        return ()

    def dependencies(self, wheel: int) -> list[Dependency]:
        return [dependency for dependency in self.package.requires if extra_of(dependency.marker)]

    def origin(self, wheel: int) -> str:
        return ""

    def files(self) -> list[File]:
        return []
