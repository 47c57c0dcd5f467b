"""Releases written out in a test, and the lock of some lines over them."""

from __future__ import annotations

from support.fixed_source import FixedSource
from torchlock.errors import UnknownPackage
from torchlock.knowledge.rules import Matrix
from torchlock.lock import Conflict, Lock, Options, lock
from torchlock.manifests.syntax.requirement import parse_requirement
from torchlock.standards.dependency import Dependency
from torchlock.standards.index_file import File
from torchlock.target import Platform, PythonVersion, Target
from torchlock.terms import Inputs, Origin

TARGET = Target(PythonVersion.parse("3.11"), Platform.parse("linux-x86_64"))
MATRIX = Matrix()


class Made:
    """A release written out in a test."""

    shape = None
    kind = None
    live = False
    unversioned = False
    date = ""

    def __init__(
        self,
        name: str,
        version: str,
        *needs: str,
        tags: tuple[str, ...] = ("py3-none-any",),
        yanked: str | None = None,
        sdist: bool = False,
        python: str = "",
    ) -> None:
        self.name, self.version, self.tags, self.yanked, self.has_sdist = name, version, tags, yanked, sdist
        self.invalid: tuple[str, ...] = ()
        self._needs = [Dependency.from_requirement(_parsed(need)) for need in needs]
        self._python = python

    def ranks(self, rank):
        return [rank(tags) for tags in self.tags]

    def requires_python(self, wheel: int) -> str:
        return self._python

    def build(self, wheel: int) -> str | None:
        return None

    def unproven(self, wheel: int) -> None:
        return None

    def statements(self, wheel: int) -> tuple[()]:
        return ()

    def dependencies(self, wheel: int) -> list[Dependency]:
        return self._needs

    def origin(self, wheel: int) -> str:
        return ""

    def files(self) -> list[File]:
        names = [f"{self.name}-{self.version}-{tags}.whl" for tags in self.tags]
        names += [f"{self.name}-{self.version}.tar.gz"] if self.has_sdist else []
        return [File(name, name, {"sha256": "0" * 64}) for name in names]


def _parsed(text: str):
    requirement = parse_requirement(text, Origin(None, None, text)).requirement
    assert requirement is not None
    return requirement


def solve(requests: list[str], releases: list[Made], **options: object) -> dict[str, str] | None:
    def of(name: str) -> list[Made]:
        found = [release for release in releases if release.name == name]
        if not found:
            raise UnknownPackage(name, name)
        return found

    inputs = Inputs(requirements=[parse_requirement(text, Origin(None, None, text)) for text in requests])
    result = lock(inputs, TARGET, Options(**options), MATRIX, FixedSource(of))  # type: ignore[arg-type]
    if isinstance(result, Conflict):
        return None
    assert isinstance(result, Lock)
    return {pin.name: pin.version for pin in result.pins}
