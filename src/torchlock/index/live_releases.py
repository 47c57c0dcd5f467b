"""A release on a live index. Its build is read from the index, or unknown."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.errors import TorchlockError
from torchlock.index import wheel_build
from torchlock.knowledge.releases import OF_WHEELS, are_various
from torchlock.knowledge.rules import BUILD_CUDA, Statement, cuda_version
from torchlock.knowledge.stack import FAMILY
from torchlock.standards.dependency import Dependency

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torchlock.index import IndexRelease
    from torchlock.knowledge.releases import CatalogueRelease
    from torchlock.standards.index_file import File


class LiveRelease:
    """A release of an index (the seam ``solve.Release``).

    ``bundled`` is the release of the catalogue that has this version (its label apart), or None; ``as_of`` is
    the date of the catalogue. A file that is in the catalogue needs no request.
    """

    shape = None
    kind = None
    live = True
    unversioned = False

    def __init__(self, release: IndexRelease, bundled: CatalogueRelease | None, as_of: str = "") -> None:
        self._release = release
        self._bundled = bundled
        self._as_of = as_of
        self._builds: dict[int, str | Unknown | None] = {}
        self.name = release.name
        self.version = release.version
        self.tags: Sequence[str] = release.tags

    @property
    def index(self) -> str:
        """The index that serves it, without credentials."""
        return self._release.index

    @property
    def yanked(self) -> str | None:
        return self._release.yanked

    @property
    def date(self) -> str:
        return self._release.date[:10]

    @property
    def has_sdist(self) -> bool:
        return self._release.has_sdist

    @property
    def invalid(self) -> Sequence[str]:
        bundled = self._bundled
        if bundled is None or bundled.version != self.version:
            return ()  # known only once the metadata is: see ``dependencies``
        return bundled.invalid

    def ranks(self, rank: Callable[[str], int | None]) -> list[int | None]:
        gone = self._without_metadata
        return [
            None if gone and self._digest(index) in gone else rank(tags) for index, tags in enumerate(self.tags)
        ]

    def requires_python(self, wheel: int) -> str:
        """Requires-Python from the page, else from the file if it was read."""
        return self._release.requires_python(wheel)

    def build(self, wheel: int) -> str | Unknown | None:
        """The build of the wheel (``cpu``, ``cu130``, ``rocm6.4``, ``xpu``); None if it has no variants.

        It is read from its label, the same file in the catalogue, its own requirements, else from
        ``version.py`` in the wheel.
        """
        if wheel not in self._builds:
            self._builds[wheel] = self._told_build(wheel)
        return self._builds[wheel]

    def unproven(self, wheel: int) -> Unknown | None:
        """Why the data do not cover this release of the torch family; None if they do."""
        if self.name not in FAMILY:
            return None
        if self._bundled is None:
            late = self.date > self._as_of
            return Unknown("it is newer than the data" if late else "it is not in the data", self._as_of)
        if why := self._lack(wheel):
            return Unknown(why)
        build = self.build(wheel)
        return build if isinstance(build, Unknown) else None

    def statements(self, wheel: int) -> Sequence[Statement]:
        """Statements from the source in the wheel about the torch that it needs, if the data do not cover it.

        If that source cannot be read, the import counts as comparing the whole CUDA version.
        """
        cuda = cuda_version(self.build(wheel))
        if self._is_covered(wheel) or isinstance(cuda, Unknown) or cuda == "0":
            return ()
        compared = self._compared(wheel)
        if compared is None:
            return ()
        if isinstance(compared, Unknown):
            because = f"it is unknown whether its import compares its CUDA version with that of torch ({compared})"
        else:
            because = f"its import compares the CUDA version with that of torch ({compared.path} in the wheel)"
        needed = "{cuda}" if isinstance(compared, Unknown) or compared.minor else "{cuda_major}.*"
        return (
            Statement(
                rule="TL201",
                when=Dependency(self.name, f"=={self.version}"),
                because=because,
                kind="measured",
                sources=(),
                checked=self._as_of,
                needs=(Dependency(BUILD_CUDA, f"=={needed}"),),
                build="cuda",
            ),
        )

    def _is_covered(self, wheel: int) -> bool:
        """Whether the data say what this wheel works with."""
        return self._bundled is not None and not self._lack(wheel)

    def _lack(self, wheel: int) -> str:
        return "" if self._bundled is None else self._bundled.lack_on(self.tags[wheel] if wheel >= 0 else "")

    def _compared(self, wheel: int) -> wheel_build.Compared | Unknown | None:
        try:
            return wheel_build.compared(self.name, self._members(wheel))
        except TorchlockError as error:
            return Unknown(error.message)

    def dependencies(self, wheel: int) -> list[Dependency] | Unknown:
        """Requires-Dist: as the catalogue has it of the very same file, else asked for.

        Of an sdist it is what the wheels for other targets declare, if all say the same.

        Raises:
            NeedsBuild: they are known only after a build of the sdist.
            MetadataError: what the file declares is unknown, or refused by installers.
            NetworkError: the metadata of a project that the catalogue lacks cannot be fetched.
            TorchlockError: the same, of another project.
        """
        known = self._bundled_wheels.get(self._digest(wheel))
        if known is not None and self._bundled is not None:
            found = self._bundled.dependencies(known)
            if not isinstance(found, Unknown):
                return found
        if wheel < 0 and self._alike:
            return self._release.dependencies(self._release.wheels[0])
        return self._release.dependencies(self._file(wheel))

    def origin(self, wheel: int) -> str:
        """The file that the requirements of the sdist (-1) were read from; empty for a wheel."""
        return OF_WHEELS if wheel < 0 and self._alike else self._release.origin(self._file(wheel))

    @property
    def _alike(self) -> bool:
        """Whether all wheels have the same metadata file, and were built on several machines."""
        digests = {(file.metadata_hashes or {}).get("sha256") for file in self._release.wheels}
        return len(digests) == 1 and None not in digests and are_various(self.tags)

    def files(self) -> list[File]:
        sdist = self._release.sdist
        return [*self._release.wheels, *([sdist] if sdist else [])]

    def _file(self, wheel: int) -> File:
        return self._release.file(wheel)

    def expect(self, wheel: int) -> None:
        """Begin to fetch the requirements of a wheel, if the index has to be asked for them."""
        if wheel >= 0 and self._bundled_wheels.get(self._digest(wheel)) is None:
            self._release.expect(wheel)

    def _digest(self, wheel: int) -> str:
        return self._file(wheel).hashes.get("sha256", "")

    @cached_property
    def _without_metadata(self) -> set[str]:
        """The hashes of wheels in the catalogue that no installer can use."""
        ranks = self._bundled.ranks(_present) if self._bundled is not None else []
        if None not in ranks:
            return set()
        return {digest for digest, index in self._bundled_wheels.items() if ranks[index] is None}

    @cached_property
    def _bundled_wheels(self) -> dict[str, int]:
        """The wheels of the catalogue's release by their hash."""
        if self._bundled is None:
            return {}
        files = self._bundled.files()[: len(self._bundled.tags)]
        return {file.hashes["sha256"]: index for index, file in enumerate(files) if "sha256" in file.hashes}

    def _told_build(self, wheel: int) -> str | Unknown | None:
        known = self._bundled_wheels.get(self._digest(wheel)) if self.name in FAMILY else None
        if known is not None and self._bundled is not None:
            return self._bundled.build(known)
        label = self.version.partition("+")[2]
        if label:
            return wheel_build.of_label(label)
        if self.name not in FAMILY or wheel < 0 or self.tags[wheel].endswith("-any"):
            return None
        try:
            declared = self._release.dependencies(self._file(wheel))
            told = wheel_build.of_requirements(declared, self.tags[wheel])
            return told or wheel_build.of_version_file(self.name, self.tags[wheel], self._members(wheel))
        except TorchlockError as error:
            return Unknown(f"its build cannot be read: {error.message}")

    def _members(self, wheel: int) -> dict[str, str]:
        return self._release.members(self._file(wheel), wheel_build.members_of(self.name))


def _present(tags: str) -> int | None:
    """Every wheel is one."""
    return 0
