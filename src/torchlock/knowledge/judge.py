"""The judge: does a set of pins load on a target? It does not depend on the solver that found the set."""

from __future__ import annotations

from torchlock.answers import Unknown
from torchlock.knowledge import rules as matrix_module
from torchlock.knowledge.rules import BUILD_CUDA, HOST_PREFIX, cuda_version, substitute_cuda
from torchlock.records import NamedTuple
from torchlock.standards.ordering import admits, parsed
from torchlock.typed import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from packaging.version import Version

    from torchlock.knowledge.rules import Matrix, Statement
    from torchlock.standards.dependency import Dependency
    from torchlock.target import Target


class Pinned(matrix_module.Pinned, Protocol):
    """A package at one version, with what its metadata declares."""

    @property
    def dependencies(self) -> Sequence[Dependency] | Unknown: ...


class Violation(NamedTuple):
    """Why a pin does not load with the others.

    ``statement`` is from a rule, or None if the metadata of ``pinned`` declares ``dependency``. ``dependency`` is
    needed but not satisfied, or ``forbidden`` but installed; None if ``pinned`` does not load.
    """

    pinned: matrix_module.Pinned
    statement: Statement | None
    dependency: Dependency | None
    forbidden: bool = False

    def __str__(self) -> str:
        subject = (
            f"CUDA {self.pinned.version}"
            if self.pinned.name == BUILD_CUDA
            else (f"{self.pinned.name} {self.pinned.version}")
        )
        if self.statement is None:
            return f"{subject} declares {self.dependency}"
        if self.dependency is None:
            return f"{subject}: {self.statement.does_not_load} ({self.statement.rule})"
        verb = "forbids" if self.forbidden else "needs"
        return f"{subject}: {verb} {self.dependency} ({self.statement.rule})"


class Unjudged(NamedTuple):
    """A requirement of a rule that could not be judged; ``because`` says what is unknown."""

    pinned: matrix_module.Pinned
    statement: Statement
    dependency: Dependency
    because: Unknown


class NamedVersion(NamedTuple):
    """A release without its metadata: a name and a version."""

    name: str
    version: Version
    unversioned: bool = False
    tags: str = ""
    build: str | Unknown | None = None
    dependencies: tuple[Dependency, ...] = ()

    @property
    def text(self) -> str:
        return str(self.version)


class ReleaseText(NamedTuple):
    """Like ``NamedVersion``, by the text of the version in normal form, which is parsed only for messages."""

    name: str
    text: str
    unversioned: bool = False
    tags: str = ""
    build: str | Unknown | None = None
    dependencies: tuple[Dependency, ...] = ()

    @property
    def version(self) -> Version:
        return parsed(self.text)


def judge(
    pins: Mapping[str, Pinned], target: Target, matrix: Matrix, overridden: Collection[str] = ()
) -> list[str]:
    """Explain in sentences why these pins do not load on the target; an empty list if they load.

    ``pins`` maps normalised names to packages. Declared requirements on ``overridden`` names are ignored. Extras
    are not judged, because pins do not show which extras were requested.
    """
    return [str(violation) for violation in violations(pins, target, matrix, overridden)]


def violations(
    pins: Mapping[str, Pinned],
    target: Target,
    matrix: Matrix,
    overridden: Collection[str] = (),
    *,
    complete: bool = True,
    used: bool = False,
) -> list[Violation]:
    """The violations that ``judge`` puts in sentences.

    Unless ``complete``, packages without a pin may be installed. With ``used``, also report violations that make
    only some calls fail; a lock may have these.
    """
    return list(_Judge(pins, target, matrix, overridden, complete, used).violations())


def unjudged(pins: Mapping[str, Pinned], target: Target, matrix: Matrix) -> list[Unjudged]:
    """The requirements that could not be judged because a build is unknown (``Pinned.build``)."""
    return list(_Judge(pins, target, matrix, (), True, False).unjudged())


class _Judge:
    def __init__(
        self,
        pins: Mapping[str, Pinned],
        target: Target,
        matrix: Matrix,
        overridden: Collection[str],
        complete: bool,
        used: bool,
    ) -> None:
        self._pins = pins
        self._overridden = overridden
        self._target = target
        self._matrix = matrix
        self._complete = complete
        self._used = used
        self._virtual = target.host()
        torch = pins.get("torch")
        cuda = None if torch is None else cuda_version(torch.build)
        self._virtual[BUILD_CUDA] = None if isinstance(cuda, Unknown) else cuda  # reported by ``unjudged``

    def violations(self) -> Iterator[Violation]:
        for pinned in self._pins.values():
            declared = pinned.dependencies
            for dependency in () if isinstance(declared, Unknown) else declared:  # unknown is not broken
                if dependency.name not in self._overridden and not self._kept(dependency):
                    yield Violation(pinned, None, dependency)
            for statement in self._matrix.statements_for(pinned, self._target):
                yield from self._broken(statement, pinned)
        version = self._virtual[BUILD_CUDA]
        if version is not None:
            cuda = ReleaseText(BUILD_CUDA, version)
            for statement in self._matrix.statements_for(cuda, self._target):
                yield from self._broken(statement, cuda)

    def unjudged(self) -> Iterator[Unjudged]:
        torch = self._pins.get("torch")
        unknown = torch.build if torch is not None and isinstance(torch.build, Unknown) else None
        for pinned in self._pins.values():
            for statement in self._matrix.possible_statements_for(pinned, self._target):
                if isinstance(pinned.build, Unknown):
                    yield from (Unjudged(pinned, statement, item, pinned.build) for item in statement.needs)
            for statement in self._matrix.statements_for(pinned, self._target) if unknown is not None else ():
                for dependency in statement.needs:
                    if dependency.name == BUILD_CUDA and unknown is not None:
                        yield Unjudged(pinned, statement, substitute_cuda(dependency, pinned.build), unknown)

    def _broken(self, statement: Statement, pinned: matrix_module.Pinned) -> Iterator[Violation]:
        if statement.never:
            yield Violation(pinned, statement, None)
        for dependency in statement.needs:
            needed = substitute_cuda(dependency, pinned.build)
            if not (statement.optional and self._virtual.get(needed.name) is None) and not self._kept(needed):
                yield Violation(pinned, statement, needed)
        for dependency in statement.forbids if statement.refuse or self._used else ():
            other = self._pins.get(dependency.name)
            if (
                other is not None
                and self._target.holds(dependency.marker)
                and admits(dependency.specifier, other.text)
            ):
                yield Violation(pinned, statement, dependency, forbidden=True)

    def _kept(self, dependency: Dependency) -> bool:
        if not self._target.holds(dependency.marker):
            return True
        name = dependency.name
        if name == BUILD_CUDA or name.startswith(HOST_PREFIX):
            if name not in self._virtual:
                return True
            version = self._virtual[name]
            if version is None:
                return name == BUILD_CUDA and (not self._complete or "torch" in self._pins)
            return admits(dependency.specifier, version)
        pinned = self._pins.get(name)
        if pinned is None:
            return not self._complete
        return pinned.unversioned or admits(dependency.specifier, pinned.text)
