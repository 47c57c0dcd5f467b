"""What keeps an old release of a package out of a solution: the packages, rules and libraries that exclude it."""

from __future__ import annotations

from torchlock.knowledge.masks import bits
from torchlock.knowledge.rules import BUILD_CUDA, EXCLUSION, HOST_PREFIX
from torchlock.lock.model import title_of
from torchlock.records import NamedTuple
from torchlock.solve.reasons import Built, Declared, Ruled, SameBuild
from torchlock.standards.dependency import readable_specifier
from torchlock.standards.filenames import same_version
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torchlock.solve.candidates import Candidate
    from torchlock.solve.problem import Need, Solution
    from torchlock.solve.universe import Universe


class Blocker(NamedTuple):
    """A package of the solution that excludes an old release, and the fact in words.

    ``rule`` is the rule that says it, "" for metadata. ``machine``: the target excludes it, and not a package.
    """

    package: str
    text: str
    rule: str = ""
    machine: bool = False


class Blockers:
    """Finds what excludes old releases from a solution."""

    def __init__(self, universe: Universe, solution: Solution, chosen: Mapping[str, Candidate]) -> None:
        self._universe = universe
        self._solution = solution
        self._chosen = chosen
        self._needs = [need for item in solution.items() for need in universe.needs(*item)]
        """All needs of the solution."""

    def of(self, name: str, old: str) -> Iterator[Blocker]:
        """What excludes ``old``: its own needs first, then the needs of others on it."""
        indexes = [
            index
            for index, candidate in enumerate(self._universe.candidates(name))
            if is_of(str(candidate.version), old, self._universe)
        ]
        if not indexes:
            return
        for need in self._universe.needs(name, indexes[0]):
            yield from self._of_own(need, name, old)
        wanted = sum(1 << index for index in indexes)
        for need in self._needs:
            if need.identifier.partition("[")[0] == name and not need.mask & wanted:
                yield from self._of_other(need, name)

    def _of_own(self, need: Need, name: str, old: str) -> Iterator[Blocker]:
        """A need of the old release that the solution does not satisfy."""
        identifier = need.identifier
        if identifier.startswith(EXCLUSION):
            yield from self._excluded(need, name, old)
            return
        index = self._solution.get(identifier)
        if identifier.startswith(HOST_PREFIX):
            yield from self._of_machine(need, f"{name} {old}")
            return
        if identifier == BUILD_CUDA and name == "torch":
            for build in bits(need.mask):
                cuda = (
                    f"torch {old} is built for CUDA {self._universe.candidates(identifier)[build].version}, which"
                )
                for host in self._universe.needs(identifier, build):
                    yield from self._of_machine(host, cuda)
            return
        if index is None or need.mask >> index & 1:
            return
        if identifier == BUILD_CUDA:
            if "torch" in self._chosen:
                text = f"{name} {old} needs a torch for CUDA {_specifier(need).removeprefix('==')}"
                yield Blocker("torch", text, _rule(need))
            return
        other = identifier.partition("[")[0]
        if other in self._chosen and other != name:
            yield Blocker(other, f"{name} {old} {_needs(need)}", _rule(need))

    def _of_machine(self, need: Need, subject: str) -> Iterator[Blocker]:
        """A library or a driver of the target that is not good enough."""
        if need.mask or not isinstance(need.reason, Ruled) or not need.identifier.startswith(HOST_PREFIX):
            return
        library, needed = title_of(need.identifier.removeprefix(HOST_PREFIX)), _specifier(need)
        has = self._universe.target.host().get(need.identifier) or "none"
        text = f"{subject} needs {library}{needed and ' ' + needed}, and the target has {has}"
        yield Blocker("", text, need.reason.statement.rule, machine=True)

    def _excluded(self, need: Need, name: str, old: str) -> Iterator[Blocker]:
        """The package of the solution that a rule forbids beside the old release."""
        for other in self._needs:
            if other.identifier == need.identifier and not other.mask & need.mask:
                reason = other.reason
                if isinstance(reason, Ruled) and reason.name != name:
                    text = f"{name} {old} does not work with {reason.name} {reason.version}"
                    yield Blocker(reason.name, text, reason.statement.rule)

    def _of_other(self, need: Need, name: str) -> Iterator[Blocker]:
        """A need of the solution that the old release does not satisfy."""
        reason = need.reason
        if isinstance(reason, (Declared, Ruled, SameBuild, Built)):
            who = getattr(reason, "name", "torch")
            if who != name and who in self._chosen:
                yield Blocker(who, f"{who} {reason.version} {_needs(need)}", _rule(need))


def _needs(need: Need) -> str:
    reason = need.reason
    if isinstance(reason, SameBuild):
        return f"needs a torch of the build {reason.build}"
    if isinstance(reason, (Declared, Ruled)) and reason.dependency is not None:
        return f"needs {reason.dependency.name}{readable_specifier(reason.dependency.specifier)}"
    return f"needs another {need.identifier.partition('[')[0]}"


def _specifier(need: Need) -> str:
    reason = need.reason
    return (
        readable_specifier(reason.dependency.specifier) if isinstance(reason, Ruled) and reason.dependency else ""
    )


def _rule(need: Need) -> str:
    return need.reason.statement.rule if isinstance(need.reason, Ruled) else ""


def is_of(version: str, pin: str, universe: Universe) -> bool:
    """Whether a version is the one of a pin. In a lock for a build, a pin without a label is any of its builds."""
    if universe.target.accelerator != "pypi" and "+" not in pin:
        version = version.partition("+")[0]
    return same_version(version, pin)
