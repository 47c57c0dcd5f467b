"""What several targets of one run have in common: sorted releases, and solutions that may fit again.

Most targets of one lock differ in one point. A release without compiled code has the same candidates on every
platform, and the versions that are right on one target are mostly right on the next. So sorted releases are kept,
and a solution of another target is tried first. It counts only if ``problem.newest`` proves it for the target:
nothing is taken over unproven.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchlock.knowledge.masks import bits
from torchlock.knowledge.rules import BUILD_CUDA, is_virtual
from torchlock.knowledge.stack import FAMILY
from torchlock.records import NamedTuple
from torchlock.solve.candidates import has_compiled
from torchlock.solve.problem import newest
from torchlock.solve.walk import walk_or_run

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from torchlock.knowledge.releases import Release
    from torchlock.solve.candidates import Candidate, Policy, Rejected
    from torchlock.solve.picks import Wish
    from torchlock.solve.problem import Need, Solution
    from torchlock.solve.universe import Universe
    from torchlock.target import Platform, PythonVersion, Target

    Sorted = tuple[list[Candidate], list[Rejected]]
    # A project as a universe has it: candidates, rejected and held back releases, and the mask of withdrawn ones.
    Met = tuple[list[Candidate], list[Rejected], list[Candidate], int]

# The most solutions of other targets that are tried.
_MOST_TRIED = 4


class _Kept(NamedTuple):
    releases: Sequence[Release]
    found: Sorted


class _Traits(NamedTuple):
    """What candidates depend on: tags, what files require of Python, and the build if versions have labels.

    ``tags`` is None if the wheels that install depend on more than their tags, as in the folder of a build.
    """

    releases: Sequence[Release]
    compiled: bool
    labelled: bool
    tags: tuple[str, ...] | None
    pythons: tuple[str, ...]
    views: dict[tuple[PythonVersion, Platform], int]

    def seen_from(self, target: Target) -> Hashable:
        """What a target makes of them. Targets with equal results have the same candidates."""
        if self.tags is None:
            return target.python, target.platform if self.compiled else None
        ranked = enumerate(map(target.rank, self.tags))
        fitting = [(rank, index) for index, rank in ranked if rank is not None]
        order = {rank: place for place, rank in enumerate(sorted({rank for rank, _ in fitting}))}
        return tuple((order[rank], index) for rank, index in fitting), tuple(
            map(target.python.satisfies, self.pythons)
        )


def _traits(releases: Sequence[Release]) -> _Traits:
    labelled = any("+" in release.version for release in releases)
    shapes = {release.shape: release for release in releases}
    if None in shapes or any(release.name in FAMILY for release in releases):
        return _Traits(releases, has_compiled(releases), labelled, None, (), {})
    tags = {each for release in shapes.values() for each in release.tags}
    pythons = {release.requires_python(wheel) for release in releases for wheel in range(-1, len(release.tags))}
    return _Traits(releases, has_compiled(releases), labelled, tuple(sorted(tags)), tuple(sorted(pythons)), {})


class Common:
    """What the targets of one Python on one platform share, with the same libraries: only their builds differ."""

    def __init__(self, conditions: Hashable, met: dict[tuple[int, Hashable], _KeptMet], shared: set[int]) -> None:
        self._conditions = conditions
        self._met = met
        self._shared = shared
        self._needs: dict[tuple[int, str, int], _KeptNeeds] = {}

    def met(self, candidates: list[Candidate], ruled: bool, meet: Callable[[], Met]) -> Met:
        """What ``meet`` makes of sorted releases; only with rules about them it depends on the target."""
        key = id(candidates), self._conditions if ruled else None
        known = self._met.get(key)
        if known is None or known.candidates is not candidates:
            known = self._met[key] = _KeptMet(candidates, meet())
            self._shared.add(id(known.met[0]))
        return known.met

    def needs(
        self, candidates: list[Candidate], key: tuple[str, int], now: Callable[[str], list[Candidate] | None]
    ) -> list[Need] | None:
        """The needs of a candidate as another target found them; None if they may be others here.

        They are the same if all packages in question have the same candidates, and an index has to be asked for
        none of them.
        """
        known = self._needs.get((id(candidates), *key))
        if known is None or any(now(name) is not those for name, those in known.below):
            return None
        return known.needs

    def keep_needs(
        self,
        candidates: list[Candidate],
        key: tuple[str, int],
        needs: list[Need],
        now: Callable[[str], list[Candidate]],
    ) -> None:
        """Remember all needs of a candidate, unless they depend on the build of torch."""
        if candidates[key[1]].name in FAMILY or id(candidates) not in self._shared:
            return
        names = {need.identifier.partition("[")[0] for need in needs}
        if BUILD_CUDA not in names:
            below = [(name, now(name)) for name in names if not is_virtual(name)]
            self._needs[(id(candidates), *key)] = _KeptNeeds(candidates, below, needs)


class _KeptMet(NamedTuple):
    """What became of a list of sorted releases."""

    candidates: list[Candidate]
    met: Met


class _KeptNeeds(NamedTuple):
    """The needs of one of some candidates, with the candidates of each package that they name."""

    candidates: list[Candidate]
    below: list[tuple[str, list[Candidate]]]
    needs: list[Need]


class Sharing:
    """What the targets of one run share. The lists that it returns are not to be changed."""

    def __init__(self) -> None:
        self._sorted: dict[tuple[Any, ...], _Kept] = {}
        self._traits: dict[int, _Traits] = {}
        self._numbers: dict[Hashable, int] = {}
        self._latest: dict[int, tuple[Sequence[Release], str]] = {}
        self._masks: dict[tuple[int, str], int] = {}
        self._shared: set[int] = set()
        self._solutions: list[Mapping[str, str]] = []
        self._common: dict[Hashable, Common] = {}
        self._met: dict[tuple[int, Hashable], _KeptMet] = {}

    def on(self, conditions: Hashable) -> Common:
        """What targets with the same Python, platform, libraries and overrides share."""
        if conditions not in self._common:
            self._common[conditions] = Common(conditions, self._met, self._shared)
        return self._common[conditions]

    def sorted(
        self,
        name: str,
        releases: Sequence[Release],
        target: Target,
        policy: Policy,
        sort: Callable[[str, Sequence[Release]], Sorted],
    ) -> Sorted:
        """The result of ``sort``, or what it was for a target on which it must be the same."""
        if name in FAMILY and target.gpu not in ("", "none"):
            return sort(name, releases)
        traits = self._traits_of(releases)
        whole = target.accelerator == "pypi" if traits.labelled else None  # as in CandidateFilter.sort
        opened = (policy.all_pre or name in policy.pre, name in policy.pinned, name in policy.lowest)
        key = (id(releases), self._seen(traits, target), whole, opened)
        known = self._sorted.get((*key, policy.exclude_newer, policy.hashes))
        if known is None or known.releases is not releases:
            known = _Kept(releases, sort(name, releases))
            self._shared.add(id(known.found[0]))
            self._sorted[(*key, policy.exclude_newer, policy.hashes)] = known
        return known.found

    def latest(self, releases: Sequence[Release], compute: Callable[[Sequence[Release]], str]) -> str:
        """The latest version of some releases."""
        known = self._latest.get(id(releases))
        if known is None or known[0] is not releases:
            known = self._latest[id(releases)] = releases, compute(releases)
        return known[1]

    def _traits_of(self, releases: Sequence[Release]) -> _Traits:
        known = self._traits.get(id(releases))
        if known is None or known.releases is not releases:
            known = self._traits[id(releases)] = _traits(releases)
        return known

    def _seen(self, traits: _Traits, target: Target) -> Hashable:
        """A number for what a target makes of some releases; equal results have equal numbers."""
        key = target.python, target.platform
        if key not in traits.views:
            traits.views[key] = self._numbers.setdefault(traits.seen_from(target), len(self._numbers))
        return traits.views[key]

    def mask(self, candidates: list[Candidate], specifier: str) -> int | None:
        """The mask of a specifier set, if it was computed for these candidates."""
        return self._masks.get((id(candidates), specifier))

    def keep_mask(self, candidates: list[Candidate], specifier: str, mask: int) -> None:
        """Remember a mask, if other targets have these candidates, too."""
        if id(candidates) in self._shared:
            self._masks[id(candidates), specifier] = mask

    def keep(self, universe: Universe, roots: Sequence[Need], solution: Solution) -> None:
        """Remember the versions of the packages that decide a solution, for the targets that come later."""
        anchors = FAMILY.union(root.identifier for root in roots)
        found = {
            name: universe.candidates(name)[solution[name]].public
            for name in sorted(anchors)
            if name in solution and not is_virtual(name)
        }
        if found in self._solutions:
            self._solutions.remove(found)
        self._solutions.append(found)

    def try_known(self, universe: Universe, roots: Sequence[Need], limits: Mapping[str, int]) -> Solution | None:
        """A solution like that of another target, if it is provably the newest one here.

        The latest ones are tried first, then the best candidate of every package.
        """
        if any(not root.mask & limits.get(root.identifier, -1) for root in roots):
            return None
        for known in ({}, *self._solutions[: -_MOST_TRIED - 1 : -1]):
            solution = walk_or_run(universe, roots, limits, learn=True, wish=_wish_of(universe, known))
            if solution is not None and newest(universe, roots, limits, solution):
                return solution
        return None


def _wish_of(universe: Universe, known: Mapping[str, str]) -> Wish:
    """Wishes for the candidates with known versions, in any build."""

    def wish(identifier: str, mask: int) -> int | None:
        version = known.get(identifier)
        if version is None:
            return None
        candidates = universe.candidates(identifier)
        return next((index for index in bits(mask) if candidates[index].public == version), None)

    return wish
