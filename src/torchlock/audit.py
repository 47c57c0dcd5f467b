"""The judge: does a set of pins load on a target? Knows nothing of how the set was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from packaging.version import Version

from torchlock import matrix as matrix_module
from torchlock.matrix import BUILD_CUDA, HOST_PREFIX, cuda_version, filled, specifier_set

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from torchlock.matrix import Matrix, Statement
    from torchlock.target import Target
    from torchlock.words import Dependency


class Pinned(matrix_module.Pinned, Protocol):
    """A package at one version, with what its metadata declares."""

    @property
    def dependencies(self) -> Sequence[Dependency]: ...


class _Virtual(NamedTuple):
    """The CUDA version of the torch build, as something that statements speak of."""

    name: str
    version: Version
    unversioned: bool = False
    tags: str = ""
    build: str | None = None


def judge(
    pins: Mapping[str, Pinned], target: Target, matrix: Matrix, overridden: Collection[str] = ()
) -> list[str]:
    """What keeps these pins from loading on the target, as sentences; nothing for a set that loads.

    ``pins`` maps normalised names; what metadata declares of ``overridden`` ones is not held against them.
    Extras are not judged: nobody can tell from pins which were asked for.
    """
    return list(_Judge(pins, target, matrix, overridden).sentences())


class _Judge:
    def __init__(
        self,
        pins: Mapping[str, Pinned],
        target: Target,
        matrix: Matrix,
        overridden: Collection[str],
    ) -> None:
        self._pins = pins
        self._overridden = overridden
        self._target = target
        self._matrix = matrix
        self._virtual = target.host()
        torch = pins.get("torch")
        self._virtual[BUILD_CUDA] = None if torch is None else cuda_version(torch.build)

    def sentences(self) -> Iterator[str]:
        for pinned in self._pins.values():
            title = f"{pinned.name} {pinned.version}"
            for dependency in pinned.dependencies:
                if dependency.name not in self._overridden and not self._kept(dependency):
                    yield f"{title} declares {dependency}"
            for statement in self._matrix.speaking_of(pinned, self._target):
                yield from (f"{title}: {text} ({statement.rule})" for text in self._broken(statement, pinned))

        version = self._virtual[BUILD_CUDA]
        if version is not None:
            cuda = _Virtual(BUILD_CUDA, Version(version))
            for statement in self._matrix.speaking_of(cuda, self._target):
                yield from (f"CUDA {version}: {text} ({statement.rule})" for text in self._broken(statement, cuda))

    def _broken(self, statement: Statement, pinned: matrix_module.Pinned) -> Iterator[str]:
        if statement.never:
            yield "loads with nothing"
        for dependency in statement.needs:
            needed = filled(dependency, pinned.build)
            if not (statement.optional and self._virtual.get(needed.name) is None) and not self._kept(needed):
                yield f"needs {needed}"
        for dependency in statement.forbids:
            other = self._pins.get(dependency.name)
            if (
                other is not None
                and self._target.holds(dependency.marker)
                and specifier_set(dependency.specifier).contains(other.version)
            ):
                yield f"forbids {dependency}"

    def _kept(self, dependency: Dependency) -> bool:
        if not self._target.holds(dependency.marker):
            return True
        name = dependency.name
        if name == BUILD_CUDA or name.startswith(HOST_PREFIX):
            if name not in self._virtual:
                return True
            version = self._virtual[name]
            if version is None:
                return name == BUILD_CUDA and "torch" in self._pins
            return specifier_set(dependency.specifier).contains(version)
        pinned = self._pins.get(name)
        return pinned is not None and (
            pinned.unversioned or specifier_set(dependency.specifier).contains(pinned.version)
        )
