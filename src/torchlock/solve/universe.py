"""The candidates and needs of one target: releases and rules in the terms of the solver, computed when needed.

Answers are cached. The machine and the CUDA version of the torch build are modelled as packages (``host-glibc``,
``build-cuda``). A rule that forbids two releases together becomes a package with two candidates; each release
needs a different one.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from heapq import merge
from operator import itemgetter

from torchlock.answers import Unknown
from torchlock.errors import BrokenFile, NeedsBuild, NetworkError, NotFetched, TorchlockError, UnknownPackage
from torchlock.knowledge.build_labels import needs_same_build
from torchlock.knowledge.masks import bits, full
from torchlock.knowledge.rules import (
    BUILD_CUDA,
    EXCLUSION,
    HOST_PREFIX,
    cuda_version,
    is_virtual,
    substitute_cuda,
)
from torchlock.knowledge.stack import FAMILY
from torchlock.solve.ahead import Ahead
from torchlock.solve.candidates import Candidate, CandidateFilter, Rejected
from torchlock.solve.policy import counted
from torchlock.solve.problem import Need
from torchlock.solve.reasons import Built, Declared, Ruled, SameBuild, SameRelease, Unreadable
from torchlock.solve.release_versions import Versions, latest
from torchlock.standards.markers import extra_of
from torchlock.standards.ordering import admits, is_exact, names_later, normal
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from torchlock.knowledge.releases import Release
    from torchlock.knowledge.rules import Matrix, Statement
    from torchlock.solve.candidates import Policy
    from torchlock.solve.problem import Problem
    from torchlock.solve.sharing import Met, Sharing
    from torchlock.solve.source import ReleaseSource
    from torchlock.standards.dependency import Dependency
    from torchlock.target import Target


class Universe:
    """A ``Problem`` made of releases and rules.

    ``overrides`` replace every requirement on a package by these. ``sharing`` is what it has in common with the
    universes of other targets. Needs on projects that only an index knows
    appear only after ``learn``.

    ``held`` are the candidates held back for being unproven (``solve.policy``); ``outdated`` the projects of
    which something names a later version than any that is known.
    """

    def __init__(
        self,
        target: Target,
        matrix: Matrix,
        source: ReleaseSource,
        policy: Policy,
        overrides: Mapping[str, Sequence[Dependency]] | None = None,
        sharing: Sharing | None = None,
    ) -> None:
        self.sharing = sharing
        self.ahead = Ahead(self, source)
        self.provenance = source.provenance
        self.held: dict[str, list[Candidate]] = {}
        self.outdated: set[str] = set()
        self.target = target
        self.matrix = matrix
        self.unknown: dict[str, UnknownPackage] = {}
        self.unreadable: dict[tuple[str, str], Unreadable] = {}
        self._releases = source.releases
        self._policy = policy
        self._sieve = CandidateFilter(target, policy)
        self._overrides = overrides or {}
        self._is_local = source.is_local
        self._local: set[str] = set()
        self._partial: dict[tuple[str, int], list[Need]] = {}
        self._candidates: dict[str, list[Candidate]] = {}
        self._rejected: dict[str, list[Rejected]] = {}
        self._yanked: dict[str, int] = {}
        self._latest: dict[str, str] = {}
        self._versions: dict[str, Versions] = {}
        self._masks: dict[tuple[str, str], int] = {}
        self._needs: dict[tuple[str, int], list[Need]] = {}
        self._learned: set[tuple[str, str]] = set()
        self._by_extra: dict[tuple[str, str, int], defaultdict[str, list[tuple[int, Dependency | None]]]] = {}
        self._incomplete = False
        self._common = None if sharing is None else sharing.on(self._conditions(target))

    # For the solver.

    def size(self, identifier: str) -> int:
        if identifier.startswith(EXCLUSION):
            return 2
        return len(self.candidates(identifier))

    def needs(self, identifier: str, index: int) -> Sequence[Need]:
        if identifier.startswith(EXCLUSION):
            return ()
        key = identifier, index
        found = self._needs.get(key)
        if found is None:
            found = self._partial.get(key)
        return self._look_up(key) if found is None else found

    def learn(self, solution: Mapping[str, int]) -> bool:
        """Fetch all requirements of these candidates from live indexes; return whether new needs were found."""
        new = False
        unknown = [key for key in solution.items() if key not in self._needs and not key[0].startswith(EXCLUSION)]
        for name, index in unknown:
            self.candidates(name)[index].expect()
        for key in unknown:
            candidate = self.candidates(key[0])[key[1]]
            before = self.needs(*key)
            self._learned.add((candidate.name, candidate.text))
            if key not in self._needs:
                if candidate.live:
                    self._prepare(candidate, key[0])
                self._needs[key] = self._all_needs(key)
            self.ahead.picks(self._needs[key])
            new = new or len(self._needs[key]) > len(before)
        return new

    def _prepare(self, candidate: Candidate, identifier: str) -> None:
        """Ask for all projects that a candidate requires at once, instead of one after the other."""
        extra = identifier.rstrip("]").partition("[")[2]
        self.ahead.projects(
            dependency.name
            for dependency in self._declared_with(candidate, extra)
            if dependency is not None
            and dependency.name not in self._candidates
            and dependency.name not in self._overrides
            and self.target.holds(dependency.marker, extra)
        )

    def _look_up(self, key: tuple[str, int]) -> list[Need]:
        """Compute the needs of a candidate, as far as possible without asking an index."""
        self._incomplete = False
        found = self._all_needs(key) if self._known(*key) else []
        if self._incomplete or not self._known(*key):
            self._partial[key] = found
        else:
            self._needs[key] = found
        return found

    def _all_needs(self, key: tuple[str, int]) -> list[Need]:
        """The needs of a candidate, or those that another target found, where they must be the same."""
        if self._common is None:
            return list(self._work_out_needs(*key, None))
        candidates = self.candidates(key[0])
        known = self._common.needs(candidates, key, self._at_hand_candidates)
        if known is not None:
            return known
        self._incomplete = False
        found = list(self._work_out_needs(*key, None))
        candidate = candidates[key[1]]
        settled = (
            not self._incomplete and not candidate.live and (candidate.name, candidate.text) not in self.unreadable
        )
        if settled and self.outdated.isdisjoint(need.identifier for need in found):
            self._common.keep_needs(candidates, key, found, self.candidates)
        return found

    def anchored(self, names: Iterable[str]) -> Problem:
        """The same universe with fewer needs: only those on these packages and on virtual ones.

        A conflict there is a conflict in the whole universe, and it is found without visiting the rest.
        """
        return _Anchored(self, frozenset(names))

    # For everyone else.

    @property
    def visited(self) -> int:
        """The number of candidates that were asked for their needs."""
        return len(self._needs)

    @property
    def met(self) -> set[str]:
        """The projects whose releases were read."""
        return {name for name in self._candidates if not is_virtual(name)}

    def candidates(self, identifier: str) -> list[Candidate]:
        """The candidates of an identifier (a name, with at most one extra in brackets), best first."""
        name = identifier.partition("[")[0]
        if name not in self._candidates:
            self._meet(name)
        return self._candidates[name]

    def rejected(self, name: str) -> list[Rejected]:
        """The releases of a project that are not candidates, oldest first."""
        self.candidates(name)
        return self._rejected.get(name, [])

    def withdrawn(self, name: str) -> list[Candidate]:
        """The candidates that only an exact pin selects (PEP 592), newest first."""
        candidates = self.candidates(name)
        return [candidates[index] for index in bits(self._yanked.get(name, 0))]

    def tags_of(self, name: str, version: str) -> Sequence[str]:
        """The tags of all wheels of a release, for this target or any other."""
        releases = [release for release in self._releases(name) if release.version == version]
        return [
            tags
            for release in releases
            for tags, rank in zip(release.tags, release.ranks(_any), strict=True)
            if rank is not None
        ]

    def mask(self, name: str, specifier: str) -> int:
        """The candidates that satisfy a specifier set."""
        key = name, specifier
        if key not in self._masks:
            self._masks[key] = self._work_out_mask(name, specifier)
        return self._masks[key]

    def statements(self, candidate: Candidate) -> Iterator[Statement]:
        """The statements about this candidate on this target: from the rules, and from its source."""
        yield from self.matrix.statements_for(candidate, self.target)
        if candidate.release is not None:
            yield from candidate.release.statements(candidate.wheel)

    def require(self, dependency: Dependency, reason: object) -> Iterator[Need]:
        """The needs of a requirement: the package itself, and each extra."""
        name = dependency.name
        if name.startswith(HOST_PREFIX) and name not in self._host:
            return
        mask = self.mask(name, dependency.specifier)
        yield Need(name, mask, reason)
        yield from (Need(f"{name}[{extra}]", mask, reason) for extra in dependency.extras)

    def overrides_on(self, name: str) -> list[Dependency] | None:
        """The overrides on a package that hold on the target; None where its requirements count."""
        if name not in self._overrides:
            return None
        return [override for override in self._overrides[name] if self.target.holds(override.marker)]

    # How the answers are computed.

    def _conditions(self, target: Target) -> tuple[object, ...]:
        """What markers, rules and overrides depend on, so that equal needs of two targets are the same."""
        host = tuple(sorted(self._host.items()))
        overrides = tuple((name, *replaced) for name, replaced in sorted(self._overrides.items()))
        return target.python, target.platform, host, overrides

    def _at_hand_candidates(self, name: str) -> list[Candidate] | None:
        """The candidates of a project; None if an index would have to be asked for them."""
        return self.candidates(name) if name in self._candidates or self._at_hand(name) else None

    @cached_property
    def _host(self) -> dict[str, str | None]:
        return self.target.host()

    @cached_property
    def _forbidden(self) -> dict[str, list[tuple[int, Statement, Dependency]]]:
        """The forbidding statements, by the forbidden name; numbered as ``matrix.forbidding``."""
        found: dict[str, list[tuple[int, Statement, Dependency]]] = {}
        for number, statement in enumerate(self.matrix.forbidding()):
            for dependency in statement.forbids:
                found.setdefault(dependency.name, []).append((number, statement, dependency))
        return found

    @cached_property
    def _forbidding(self) -> dict[str, list[tuple[int, Statement]]]:
        found: dict[str, list[tuple[int, Statement]]] = {}
        for number, statement in enumerate(self.matrix.forbidding()):
            found.setdefault(statement.when.name, []).append((number, statement))
        return found

    def _hidden(self, name: str, candidate: Candidate) -> bool:
        """Whether a need on this package is left out for now, because only an index could answer it."""
        return (
            name not in self._candidates
            and (candidate.name, candidate.text) not in self._learned
            and not is_virtual(name)
            and not self._at_hand(name)
        )

    def _at_hand(self, name: str) -> bool:
        """Whether no index has to be asked for a project. Once that is so, it stays so."""
        if name not in self._local:
            if not self._is_local(name):
                return False
            self._local.add(name)
        return True

    def _known(self, identifier: str, index: int) -> bool:
        """Whether a candidate's requirements are known without asking an index."""
        if identifier.startswith(EXCLUSION):
            return True
        candidate = self.candidates(identifier)[index]
        return not candidate.live or (candidate.name, candidate.text) in self._learned

    def _meet(self, name: str) -> None:
        if is_virtual(name):
            self._candidates[name] = [Candidate(name, normal(text)) for text in self._virtual(name)]
            self._versions[name] = Versions(self._candidates[name], ())
            return
        try:
            releases = self._releases(name)
        except UnknownPackage as error:
            self.unknown[name] = error
            releases = ()
        candidates, rejected = self._sorted(name, releases)
        self._latest[name] = latest(releases) if self.sharing is None else self.sharing.latest(releases, latest)
        if self._common is None or name in FAMILY:
            met = self._met(name, candidates, rejected)
        else:
            ruled = self.matrix.says("wheel", name) or self.matrix.says("never", name)
            met = self._common.met(candidates, ruled, lambda: self._met(name, candidates, rejected))
        self._candidates[name], self._rejected[name], self.held[name], self._yanked[name] = met
        self._versions[name] = Versions(met[0], releases)

    def _met(self, name: str, candidates: list[Candidate], rejected: Sequence[Rejected]) -> Met:
        """The sorted releases of a project after the rules, and the policy on unproven releases."""
        if self.matrix.says("wheel", name):
            candidates = [self._by_wheel(candidate) for candidate in candidates]
        candidates, held = counted(name, candidates, self._policy)
        never = {
            candidate.text: statement
            for candidate in (candidates if self.matrix.says("never", name) else ())
            for statement in self.matrix.never_loading(candidate, self.target)
        }
        rejected = [*rejected, *(Rejected(text, "never", each.rule) for text, each in never.items())]
        kept = [each for each in candidates if each.text not in never] if never else candidates
        yanked = self._sieve.yanked(name, kept)
        mask = sum(1 << at for at, item in enumerate(kept) if item.text in yanked) if yanked else 0
        return kept, rejected, held, mask

    def _sorted(self, name: str, releases: Sequence[Release]) -> tuple[list[Candidate], list[Rejected]]:
        if self.sharing is None:
            return self._sieve.sort(name, releases)
        return self.sharing.sorted(name, releases, self.target, self._policy, self._sieve.sort)

    def _by_wheel(self, candidate: Candidate) -> Candidate:
        """The candidate without the wheels that do not load on this machine, if another of its wheels does."""
        if len(candidate.usable) < 2:
            return candidate
        fitting = [index for index in candidate.usable if self._fits_host(candidate._replace(wheel=index))]
        return self._sieve.narrowed(candidate, fitting) if fitting else candidate

    def _fits_host(self, candidate: Candidate) -> bool:
        """Whether the machine satisfies the rules for this wheel, as far as the target says."""
        needed = (
            (statement, dependency)
            for statement in self.statements(candidate)
            if statement.wheel
            for dependency in statement.needs
            if dependency.name in self._host
        )
        return all(
            bool(self.mask(dependency.name, dependency.specifier))
            or (statement.optional and self._host[dependency.name] is None)
            for statement, dependency in needed
        )

    def _virtual(self, name: str) -> Iterable[str]:
        if name == BUILD_CUDA:
            builds = {cuda_version(candidate.build) for candidate in self.candidates("torch")}
            return sorted(
                {"0", *(build for build in builds if isinstance(build, str))},
                key=lambda text: [*map(int, text.split("."))],
                reverse=True,
            )
        version = self._host.get(name)
        return () if version is None else (version,)

    def _work_out_mask(self, name: str, specifier: str) -> int:
        candidates = self.candidates(name)
        yanked = self._yanked.get(name, 0)
        if not specifier:
            return full(len(candidates)) & ~yanked
        if not is_virtual(name) and names_later(specifier, self._latest[name]):
            self.outdated.add(name)
        sharing = self.sharing
        mask = None if sharing is None else sharing.mask(candidates, specifier)
        if mask is None:
            mask = self._versions[name].admitted(specifier)
            if sharing is not None:
                sharing.keep_mask(candidates, specifier, mask)
        if yanked & mask and not is_exact(specifier):
            mask &= ~yanked
        return mask

    def _work_out_needs(self, identifier: str, index: int, names: frozenset[str] | None) -> Iterator[Need]:
        """The needs of a candidate; with ``names``, only those on these packages and on virtual ones."""
        name, _, extra = identifier.rstrip("]").partition("[")
        candidate = self.candidates(name)[index]
        version = candidate.text
        if extra:
            yield Need(name, 1 << index, SameRelease(name, version))
        for dependency in self._declared_with(candidate, extra):
            if dependency is None:
                yield Need(name, 0, self.unreadable[name, version])
                return
            if names is not None and dependency.name not in names:
                continue
            if self._hidden(dependency.name, candidate):
                self._incomplete = True
                continue
            if self.target.holds(dependency.marker, extra) and not (
                extra and self.target.holds(dependency.marker)
            ):
                overrides = self.overrides_on(dependency.name)
                for replaced in (dependency,) if overrides is None else overrides:
                    if replaced.address and not self.mask(replaced.name, replaced.specifier):
                        yield Need(name, 0, self._unfollowed(name, version, replaced))
                        continue
                    yield from self.require(replaced, Declared(name, version, dependency))
        if not extra:
            yield from self._needs_of_rules(candidate, version, names)

    def _declared_with(self, candidate: Candidate, extra: str) -> Iterable[Dependency | None]:
        """The declared requirements of a candidate with one extra, without those of other extras."""
        if not extra:
            return self._declared(candidate)
        key = candidate.name, candidate.text, candidate.wheel
        known = self._by_extra.get(key)
        if known is None:
            known = self._by_extra[key] = defaultdict(list)
            for number, dependency in enumerate(self._declared(candidate)):
                known[extra_of(dependency.marker) if dependency else ""].append((number, dependency))
        return [dependency for _, dependency in merge(known.get("", ()), known.get(extra, ()), key=itemgetter(0))]

    def _unfollowed(self, name: str, version: str, dependency: Dependency) -> Unreadable:
        """Why a release that requires a URL is not a candidate: a URL is read only if the user's lines name it."""
        message = f"it declares that it needs {dependency}; torchlock follows a URL only in your own requirements"
        found = self.unreadable[name, version] = Unreadable(name, version, message)
        return found

    def _declared(self, candidate: Candidate) -> Iterator[Dependency | None]:
        """The declared requirements of a candidate; None if unknown, with the reason in ``unreadable``.

        An error in one file does not end the run; only the failure of an index does.
        """
        key = candidate.name, candidate.text
        try:
            declared = candidate.dependencies
        except TorchlockError as error:
            of_the_run = isinstance(error, NetworkError) and not isinstance(error, BrokenFile)
            if of_the_run and not (candidate.from_sdist and isinstance(error, NotFetched)):
                raise
            self.unreadable[key] = Unreadable(*key, error.message, isinstance(error, NeedsBuild))
            yield None
            return
        if isinstance(declared, Unknown):
            self.unreadable[key] = Unreadable(*key, str(declared))
            yield None
            return
        # The page may lack the Requires-Python of the file's own metadata.
        python = candidate.release.requires_python(candidate.wheel) if candidate.release else ""
        if not self._sieve.runs(python):
            message = f"it requires Python {python}, and the target has {self.target.python.full}"
            self.unreadable[key] = Unreadable(*key, message)
            yield None
            return
        yield from declared

    def _needs_of_rules(self, candidate: Candidate, version: str, names: frozenset[str] | None) -> Iterator[Need]:
        name = candidate.name
        # A torch with an unknown build is unproven: if it is used anyway, rules on builds do not apply.
        cuda = cuda_version(candidate.build) if name == "torch" else None
        if isinstance(cuda, str):
            yield Need(BUILD_CUDA, self.mask(BUILD_CUDA, f"=={cuda}"), Built(version, cuda, str(candidate.build)))
        elif name in FAMILY and isinstance(candidate.build, str) and needs_same_build(candidate.build):
            yield Need("torch", self._of_build(candidate.build), SameBuild(name, version, candidate.build))
        for statement in self.statements(candidate):
            for dependency in statement.needs:
                if names is not None and dependency.name not in names and not is_virtual(dependency.name):
                    continue
                if statement.optional and self._host.get(dependency.name) is None:
                    continue
                needed = substitute_cuda(dependency, candidate.build)
                if self.target.holds(needed.marker):
                    yield from self.require(needed, Ruled(name, version, statement, needed))
        yield from self._exclusions(candidate, version)

    def _of_build(self, build: str) -> int:
        """The candidates of torch with the same build; an unknown build is left to the policy."""
        mask = 0
        for index, candidate in enumerate(self.candidates("torch")):
            if candidate.unversioned or candidate.build == build or isinstance(candidate.build, Unknown):
                mask |= 1 << index
        return mask

    def _exclusions(self, candidate: Candidate, version: str) -> Iterator[Need]:
        name = candidate.name
        if name in self._forbidding:
            speaking = set(map(id, self.statements(candidate)))
            for number, statement in self._forbidding[name]:
                if id(statement) in speaking:
                    yield Need(f"{EXCLUSION}{number}", 0b01, Ruled(name, version, statement, None))
        for number, statement, dependency in self._forbidden.get(name, ()):
            if self.target.holds(dependency.marker) and admits(dependency.specifier, candidate.text):
                yield Need(f"{EXCLUSION}{number}", 0b10, Ruled(name, version, statement, None))


class _Anchored:
    """A universe with only some of its needs."""

    def __init__(self, universe: Universe, names: frozenset[str]) -> None:
        self._universe = universe
        self._names = names
        self._needs: dict[tuple[str, int], list[Need]] = {}

    def size(self, identifier: str) -> int:
        return self._universe.size(identifier)

    def needs(self, identifier: str, index: int) -> Sequence[Need]:
        if identifier.startswith(EXCLUSION) or not self._universe._known(identifier, index):
            return ()
        key = identifier, index
        if key not in self._needs:
            self._needs[key] = list(self._universe._work_out_needs(identifier, index, self._names))
        return self._needs[key]

    def learn(self, solution: Mapping[str, int]) -> bool:
        return False


def _any(tags: str) -> int | None:
    """The rank of a wheel that every target takes: what has none is not there at all."""
    return 0
