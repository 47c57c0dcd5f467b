"""Sort the releases of a project into candidates for one target, and rejected releases with their reasons."""

from __future__ import annotations

from enum import Enum

from torchlock.answers import Unknown
from torchlock.knowledge.releases import Releases
from torchlock.knowledge.stack import FAMILY
from torchlock.records import NamedTuple, dataclass, field
from torchlock.redaction import one_line
from torchlock.solve.kept import KeptRelease
from torchlock.standards.ordering import is_prerelease, normal, parsed
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence

    from packaging.version import Version

    from torchlock.answers import Unknown
    from torchlock.knowledge.accelerators import Service
    from torchlock.knowledge.kinds import Kind
    from torchlock.knowledge.releases import Release
    from torchlock.standards.dependency import Dependency
    from torchlock.target import Target


class Candidate(NamedTuple):
    """A release as it would be installed on the target: ``wheel`` is the wheel that an installer chooses.

    ``text`` is its version in normal form; ``version`` parses it, which most candidates never need.
    ``usable`` are all wheels that install there. ``release`` is None for a virtual package. ``compiled``: the
    project publishes compiled wheels, of this release or of another.
    """

    name: str
    text: str
    release: Release | None = None
    wheel: int = -1
    usable: tuple[int, ...] = ()
    compiled: bool = False

    @property
    def version(self) -> Version:
        return parsed(self.text)

    @property
    def public(self) -> str:
        """The version without its local label."""
        return self.text.partition("+")[0]

    @property
    def unversioned(self) -> bool:
        return self.release is not None and self.release.unversioned

    @property
    def build(self) -> str | Unknown | None:
        return None if self.release is None else self.release.build(self.wheel)

    @property
    def unproven(self) -> Unknown | None:
        """Why the data do not cover the chosen wheel, or None."""
        return None if self.release is None else self.release.unproven(self.wheel)

    @property
    def dependencies(self) -> Sequence[Dependency] | Unknown:
        """Requires-Dist of the chosen file."""
        return () if self.release is None else self.release.dependencies(self.wheel)

    @property
    def kept(self) -> bool:
        """Whether it is installed already, and stays."""
        return isinstance(self.release, KeptRelease)

    @property
    def from_sdist(self) -> bool:
        """Whether an installer has to build it from a source distribution of an index."""
        return self.wheel < 0 and self.release is not None and not _is_direct(self.release)

    @property
    def live(self) -> bool:
        """Whether an index may have to be asked for its requirements."""
        return self.release is not None and (self.release.live or self.from_sdist)

    def expect(self) -> None:
        """Begin to fetch the requirements of the chosen wheel, if an index has to be asked for them."""
        if self.live and self.wheel >= 0:
            from torchlock.index.live_releases import LiveRelease

            if isinstance(self.release, LiveRelease):
                self.release.expect(self.wheel)

    @property
    def last_resort(self) -> bool:
        """Whether it is a source distribution of a compiled project, without a wheel for this target."""
        return self.from_sdist and self.compiled

    @property
    def without_hash(self) -> bool:
        """Whether no hash is known of the chosen wheel, from the PyTorch index: pip refuses a lock without it."""
        if self.release is None or self.release.kind is not None:
            return False
        from torchlock.index.build_releases import FolderRelease, TableRelease

        if not isinstance(self.release, (TableRelease, FolderRelease)):
            return False
        files = self.release.files()
        return bool(files) and not files[self.wheel].hashes

    @property
    def tags(self) -> str:
        """The tags of the chosen wheel; an sdist reads as one that bundles nothing."""
        return "sdist-none-any" if self.release is None or self.wheel < 0 else self.release.tags[self.wheel]


# How the detail begins that says when a release was uploaded.
UPLOADED = "uploaded on "


class Rejected(NamedTuple):
    """A release that is not a candidate: ``why`` is one of the words below, ``detail`` completes it.

    wheel: no wheel for this target; python: Requires-Python; newer: uploaded after --exclude-newer, or at a time
    that is not known; never: a rule says that it does not load; unreadable: its metadata is unknown, or installers
    refuse it; sdist: only a source distribution, of the torch family; gpu: its wheel has no code for the GPU of
    the target.
    """

    version: str
    why: str
    detail: str = ""


class Unproven(Enum):
    """When releases of the torch family that the data do not cover are candidates."""

    ASKED = "only those that the user's own lines ask for"
    LAST = "if nothing else is left"
    ANY = "like any other"


@dataclass(frozen=True)
class Policy:
    """The releases that the user allows. Names are normalised.

    ``pre`` names packages whose pre-releases count like any release (``all_pre``: every package's);
    ``pinned`` those that the user pins exactly, which may be yanked. of ``lowest`` the oldest come first.
    ``exclude_newer`` is an ISO 8601 time in UTC. ``hashes``: the lock gets hashes; wheels without one come last.
    ``unproven`` and ``asked`` are for ``solve.policy``: how far releases that no data judge count, and the
    specifiers that the user's own lines name by project; ``kept`` are the pins of an existing lock.
    """

    all_pre: bool = False
    pre: Collection[str] = ()
    pinned: Collection[str] = ()
    lowest: Collection[str] = ()
    exclude_newer: str | None = None
    hashes: bool = True
    unproven: Unproven = Unproven.ASKED
    asked: Mapping[str, Sequence[str]] = field(default_factory=dict)
    kept: Mapping[str, str] = field(default_factory=dict)


def withdrawal(candidate: Candidate) -> str:
    """The message about a withdrawn release; it follows name and version."""
    reason = one_line((candidate.release.yanked if candidate.release else None) or "")
    return f"withdrawn by its publisher{f' ({reason})' if reason else ''}"


class _Fit(NamedTuple):
    """The rank of each wheel, the wheels that install on the platform, and those that also suit the Python.

    ``wheel`` is the one that an installer chooses by its tags; None if several have the best ones.
    """

    ranks: Sequence[int | None]
    fitting: tuple[int, ...]
    usable: tuple[int, ...]
    wheel: int | None


_NOTHING = _Fit((), (), (), None)
_new = tuple.__new__


class CandidateFilter:
    """Sorts releases into candidates and rejected ones, for one target and policy."""

    def __init__(self, target: Target, policy: Policy) -> None:
        self._target = target
        self._policy = policy
        self._rank = target.rank
        self._pythons: dict[str, bool] = {"": True}
        self._fits: dict[Hashable, _Fit] = {}

    def sort(self, name: str, releases: Sequence[Release]) -> tuple[list[Candidate], list[Rejected]]:
        """Candidates, best first, and rejected releases, oldest first.

        The order: final releases, newest (or lowest) first; then, of a project with compiled wheels, releases
        without a wheel for this target, whose source would have to be compiled; then pre-releases that nobody
        asked for, so that they are taken only where no final release satisfies all that is needed (PEP 440); then
        yanked ones.
        """
        candidates: list[Candidate] = []
        rejected: list[Rejected] = []
        compiled = has_compiled(releases)
        alike: dict[Kind, Candidate | Rejected] = {}
        for release in releases:
            kind = release.kind
            found = None if kind is None else alike.get(kind)
            if found is None:
                found = self._candidate(name, release, compiled)
                if kind is not None and found is not None and self._says_all(kind, release, found):
                    alike[kind] = found
            elif isinstance(found, Candidate):
                row = (name, release.version, release, found.wheel, found.usable, compiled)
                found = _new(Candidate, row)  # a constructor would take half of the time
            else:
                found = Rejected(release.version, found.why, found.detail)
            if isinstance(found, Candidate):
                candidates.append(found)
            elif found is not None:
                rejected.append(found)
        if any(item.why == "wheel" for item in rejected):
            rejected = self._without_other_listings(candidates, rejected)
        else:
            rejected = list(dict.fromkeys(rejected))
        if name not in self._policy.lowest:
            candidates.reverse()
        late = self._late(name, candidates, compiled)
        if late:
            first = [candidate for candidate in candidates if id(candidate) not in late]
            rest = [candidate for candidate in candidates if id(candidate) in late]
            candidates = [*first, *sorted(rest, key=lambda candidate: late[id(candidate)])]
        return candidates, rejected

    def _says_all(self, kind: Kind, release: Release, found: Candidate | Rejected) -> bool:
        """Whether all releases of a kind come out like this one."""
        if self._policy.exclude_newer or kind.is_unusual or (kind.is_invalid and isinstance(found, Rejected)):
            return False
        if self._target.gpu not in ("", "none") and release.name in FAMILY:
            return False
        return isinstance(found, Rejected) or found.wheel < 0 or self._fits[release.shape].wheel is not None

    def _without_other_listings(
        self, candidates: Sequence[Candidate], rejected: Sequence[Rejected]
    ) -> list[Rejected]:
        """The rejected releases, without builds that are also listed in a way that says more."""
        # A build may be listed twice: with the files that are known, and with targets that only documents name; or
        # with a label for one machine and without for another one.
        told = {candidate.release.version for candidate in candidates if candidate.release is not None}
        told |= {item.version for item in rejected if item.why != "wheel"}
        told |= {version.partition("+")[0] for version in told}
        whole = self._target.accelerator == "pypi"  # there a label is part of what a line asks for
        return [
            item
            for item in dict.fromkeys(rejected)
            if item.why != "wheel" or (item.version if whole else item.version.partition("+")[0]) not in told
        ]

    def _late(
        self, name: str, candidates: Sequence[Candidate], compiled: bool
    ) -> dict[int, tuple[bool, bool, bool]]:
        """The identities of the candidates that come after all others, with their ranks: withdrawn ones last."""
        yanked, early = self.yanked(name, candidates), self._early(name, candidates)
        last = {id(each) for each in candidates if each.wheel < 0 and each.last_resort} if compiled else set()
        if self._policy.hashes:
            last |= {id(each) for each in candidates if _kind(each) is None and each.without_hash}
        if not (yanked or early or last):
            return {}
        return {
            id(each): (each.text in yanked, each.text in early, id(each) in last)
            for each in candidates
            if each.text in yanked or each.text in early or id(each) in last
        }

    def yanked(self, name: str, candidates: Sequence[Candidate]) -> set[str]:
        """The withdrawn versions, which only an exact pin selects (PEP 592)."""
        if name in self._policy.pinned:
            return set()
        return {
            each.text
            for each in candidates
            if (release := each.release)
            and (release.yanked is not None if (kind := release.kind) is None else kind.is_yanked)
        }

    def _early(self, name: str, candidates: Sequence[Candidate]) -> set[str]:
        """The pre-releases that nobody asked for, if there is any final release (PEP 440)."""
        if self._policy.all_pre or name in self._policy.pre:
            return set()
        early = {
            each.text
            for each in candidates
            if (is_prerelease(each.text) if (kind := _kind(each)) is None else kind.is_early)
        }
        return set() if len(early) == len(candidates) else early

    def _candidate(self, name: str, release: Release, compiled: bool) -> Candidate | Rejected | None:
        fit = self._fits.get(release.shape) or self._fit(release)
        if isinstance(release, KeptRelease):
            because = self._lacks_code(release, 0)
            kept = Candidate(name, normal(release.version), release, 0, (0,), compiled)
            stays = f"{because} ({release.package.owner} has it, and it is not replaced)"
            return Rejected(release.version, "gpu", stays) if because else kept
        usable = fit.usable
        if usable and self._policy.exclude_newer:
            usable = tuple(self._early_enough(release, usable))
            if not usable:
                return Rejected(release.version, "newer", _upload_of(release, fit.fitting))
        if not usable:
            if fit.fitting:
                return Rejected(release.version, "python", release.requires_python(fit.fitting[0]))
            return self._from_sdist(name, release, compiled)
        if release.invalid:
            from torchlock.standards.core_metadata import refusal

            return Rejected(release.version, "unreadable", refusal(release.invalid[0]))
        kind = release.kind
        try:
            version = release.version if kind and not kind.is_unusual else normal(release.version)
        except ValueError:
            return None
        chosen = fit.wheel if usable is fit.usable else None
        wheel = _preferred(release, usable, fit.ranks) if chosen is None else chosen
        if because := self._lacks_code(release, wheel):
            return Rejected(release.version, "gpu", because)
        return Candidate(name, version, release, wheel, usable, compiled)

    def _fit(self, release: Release) -> _Fit:
        """The wheels of a release that install; once for all releases with such wheels and such requirements."""
        ranks = self._ranks(release)
        found = _NOTHING if ranks.count(None) == len(ranks) else self._fit_of(release, ranks)
        if release.shape is not None:
            self._fits[release.shape] = found
        return found

    def _fit_of(self, release: Release, ranks: Sequence[int | None]) -> _Fit:
        fitting = [index for index, rank in enumerate(ranks) if rank is not None]
        if (kind := release.kind) is not None and not isinstance(kind.python, list):
            usable = fitting if self.runs(kind.python or "") else []
            return _Fit(ranks, tuple(fitting), tuple(usable), _only_best(usable, ranks))
        usable = [index for index in fitting if self.runs(release.requires_python(index))]
        return _Fit(ranks, tuple(fitting), tuple(usable), _only_best(usable, ranks))

    def _ranks(self, release: Release) -> Sequence[int | None]:
        """The rank of each wheel. Those of the family need glibc, also where musl takes the tag ``linux``."""
        ranks = release.ranks(self._rank)
        is_own = release.name not in FAMILY or _is_direct(release)
        if is_own or self._target.platform.libc != "musl":
            return ranks
        return [None if "-linux_" in tags else rank for tags, rank in zip(release.tags, ranks, strict=True)]

    def _lacks_code(self, release: Release, wheel: int) -> str:
        """Why a wheel does not run on the GPU of the target; "" if it does, or if that is unknown."""
        if self._target.gpu in ("", "none"):
            return ""
        service = service_of(release, wheel, self._target)
        return service.because if service is not None and service.answer is False else ""

    def narrowed(self, candidate: Candidate, usable: Sequence[int]) -> Candidate:
        """The candidate with only these wheels, and the one of them that an installer chooses."""
        if candidate.release is None or tuple(usable) == candidate.usable:
            return candidate
        ranks = self._ranks(candidate.release)
        return candidate._replace(wheel=_preferred(candidate.release, usable, ranks), usable=tuple(usable))

    def _from_sdist(self, name: str, release: Release, compiled: bool) -> Candidate | Rejected:
        is_direct = _is_direct(release)
        if not release.has_sdist and not is_direct:
            return Rejected(release.version, "wheel")
        if is_direct and not release.tags:
            version = normal(release.version)
            return Candidate(name, version, release, compiled=compiled)  # the user asked for this very one
        if not release.has_sdist or (name in FAMILY and release.tags):
            return Rejected(release.version, "wheel")
        if name in FAMILY:
            return Rejected(release.version, "sdist")
        if not self.runs(release.requires_python(-1)):
            return Rejected(release.version, "python", release.requires_python(-1))
        if self._policy.exclude_newer and not self._early_enough(release, [-1]):
            return Rejected(release.version, "newer", _upload_of(release, [-1]))
        if release.invalid:
            return Rejected(release.version, "unreadable", release.invalid[0])
        try:
            return Candidate(name, normal(release.version), release, compiled=compiled)
        except ValueError:
            return Rejected(release.version, "unreadable", f"its version {release.version} is not valid (PEP 440)")

    def _early_enough(self, release: Release, usable: Sequence[int]) -> list[int]:
        """The files uploaded before the limit; a file with an unknown time is excluded: it may be newer."""
        files = release.files()
        limit = self._policy.exclude_newer or ""
        return [index for index in usable if files and (uploaded := files[index].uploaded) and uploaded < limit]

    def runs(self, requires_python: str) -> bool:
        """Whether a Requires-Python admits the target's Python."""
        known = self._pythons.get(requires_python)
        if known is None:
            known = self._pythons[requires_python] = self._target.python.satisfies(requires_python)
        return known


def _is_direct(release: Release) -> bool:
    """Whether it is a file or repository that a line names."""
    if release.kind is not None:
        return False
    from torchlock.index.direct_url import DirectRelease

    return isinstance(release, DirectRelease)


def _kind(candidate: Candidate) -> Kind | None:
    return None if candidate.release is None else candidate.release.kind


def _upload_of(release: Release, files: Sequence[int]) -> str:
    """When a release was uploaded, in words; the times of these files decide, if one is known."""
    known = release.files()
    if known and any(known[index].uploaded for index in files):
        return f"{UPLOADED}{release.date}, after --exclude-newer"
    return "its time of upload is not known, and --exclude-newer needs it"


def service_of(release: Release, wheel: int, target: Target) -> Service | None:
    """Whether a wheel of the torch family has code for the GPU of the target; None if that is not a question."""
    if target.gpu in ("", "none") or release.name not in FAMILY:
        return None
    from torchlock.knowledge.accelerators import serves
    from torchlock.knowledge.gpus import Gpu

    build = release.build(wheel)
    if not isinstance(build, str):
        return None
    services = [
        serves(release.name, release.version, build, str(target.platform), Gpu(arch, arch))
        for arch in target.gpu.split(",")
    ]
    return min(services, key=lambda service: ([False, None, True].index(_known(service)), service.because))


def _known(service: Service) -> bool | None:
    return None if isinstance(service.answer, Unknown) else service.answer


def has_compiled(releases: Iterable[Release]) -> bool:
    """Whether a project publishes compiled wheels, of any of these releases."""
    if isinstance(releases, Releases):
        return releases.is_compiled
    seen: set[Hashable] = set()
    for release in releases:
        shape = release.shape
        if shape is not None and shape in seen:
            continue
        seen.add(shape)
        if any(not tags.endswith("-any") for tags in release.tags):
            return True
    return False


def _best(usable: Sequence[int], ranks: Sequence[int | None]) -> list[int]:
    best = min((ranks[index] or 0 for index in usable), default=0)
    return [index for index in usable if (ranks[index] or 0) == best]


def _only_best(usable: Sequence[int], ranks: Sequence[int | None]) -> int | None:
    """The wheel with the best tags; None if several have them, or there is none."""
    if len(usable) < 2:
        return usable[0] if usable else None
    equal = _best(usable, ranks)
    return equal[0] if len(equal) == 1 else None


def _preferred(release: Release, usable: Sequence[int], ranks: Sequence[int | None]) -> int:
    """The wheel that an installer chooses: the best tags, then the highest build number."""
    equal = _best(usable, ranks)
    if len(equal) == 1:
        return equal[0]
    from torchlock.standards.filenames import build_number

    files = release.files()
    if not files:
        return equal[0]
    return max(equal, key=lambda index: build_number(files[index].filename))
