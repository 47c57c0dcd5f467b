"""The results of the job: a lock or a conflict, as plain values for the writers and the explainer."""

from __future__ import annotations

from types import MappingProxyType

from torchlock.knowledge.rules import HOST_PREFIX, specifier_set
from torchlock.records import NamedTuple
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from torchlock.answers import Unknown
    from torchlock.knowledge.rules import Statement
    from torchlock.lock.attempts import Attempt
    from torchlock.lock.installed_base import Base
    from torchlock.solve.kept import KeptPackage
    from torchlock.solve.lines import UserRequirement
    from torchlock.solve.sharing import Sharing
    from torchlock.solve.universe import Universe
    from torchlock.standards.index_file import File
    from torchlock.target import Target
    from torchlock.terms import ParsedRequirement


class Options(NamedTuple):
    """What the user allows and prefers.

    ``unproven`` allows releases of the torch family that the data do not cover (``solve.policy``).

    ``lowest`` takes the oldest release of each package that the user names, to test lower bounds. Their
    dependencies stay as new as possible, because old dependencies were hardly ever tested with them.
    ``hashes``: the lock gets hashes.
    ``preferred`` are the pins of an existing lock to keep, by name; ``upgraded`` names the packages of it that
    should be as new as possible. ``previous`` are all pins of that lock, also those that need not be kept: the
    lock says why it differs from them. ``base`` is what the lock is installed into, whose packages stay.
    ``sharing`` is what several targets of one run have in common, and ``shared`` are sets of versions that the
    other targets have: the first one that works is taken. ``before`` is the lock of this target by itself.
    """

    unproven: bool = False
    pre: bool = False
    lowest: bool = False
    exclude_newer: str | None = None
    hashes: bool = True
    preferred: Mapping[str, str] = MappingProxyType({})
    upgraded: Collection[str] = ()
    base: Base | None = None
    previous: Previous | None = None
    sharing: Sharing | None = None
    shared: Sequence[Mapping[str, str]] = ()
    before: Lock | None = None


class Previous(NamedTuple):
    """The lock that a new one replaces: its versions on the target by name, and its build ("": unknown).

    ``elsewhere`` are the packages that it has for other targets only, each with its version and its marker.
    """

    pins: Mapping[str, str]
    build: str = ""
    elsewhere: Mapping[str, tuple[str, str]] = MappingProxyType({})


class Move(NamedTuple):
    """Why a package is not in the lock as it was in the lock before.

    ``old`` and ``new`` are versions; "" if the package is new, or gone. ``text`` is the reason in words, "" if it
    is unknown. ``kind`` is the kind of reason: newer (a newer release, and the old pin need not be kept), input
    (a line of the user), follows (another package that changed), needs (another package), rule (a rule about
    packages that did not change), machine (a library, driver or GPU of the target), build (another build), gone
    (the old release cannot be used any more), unasked (the catalogue does not have the old release, and the index
    was not asked), target (it is for other targets only), base (it is installed already), unneeded (nothing needs
    it), "" if unknown. ``rule`` is the rule of the reason, and ``package`` the package that it is about.
    """

    name: str
    old: str
    new: str
    kind: str = ""
    text: str = ""
    rule: str = ""
    package: str = ""


class Pin(NamedTuple):
    """One package of a lock.

    ``files`` are the files that an installer may use on the target. ``required_by`` names the packages, files or
    the command line that require it, and ``rules`` the rules that do, each as (package, rule). ``marker`` comes
    from the user's line. ``written`` is set for a package from a URL instead of an index. ``unproven`` says why
    the data do not cover this release of the torch family. ``built`` names the file with the requirements of a
    package that the installer has to build. ``chosen`` is the name of the file that an installer takes on the
    target. ``page`` is the address of the page of the PyTorch index that the package comes from, or "" for any
    other index; ``remark`` says what is weak about the evidence for its file. ``scopes`` are the extras and groups
    of the project that need it (``extra:NAME``, ``group:NAME``), empty if it is always installed. ``build`` is the
    label of the build (``cpu``, ``cu130``), "" if there is none or it is unknown.
    """

    name: str
    version: str
    files: tuple[File, ...]
    required_by: tuple[str, ...]
    rules: tuple[tuple[str, str], ...]
    marker: str = ""
    written: ParsedRequirement | None = None
    extras: tuple[str, ...] = ()
    unproven: Unknown | None = None
    built: str = ""
    chosen: str = ""
    page: str = ""
    remark: str = ""
    scopes: tuple[str, ...] = ()
    build: str = ""

    @property
    def exact(self) -> File | None:
        """The one file to install of a package of the PyTorch index; None for any other package."""
        if not self.page:
            return None
        return next((file for file in self.files if file.filename == self.chosen), next(iter(self.files), None))


_TITLES = {"cuda-driver": "NVIDIA driver", "ffmpeg": "FFmpeg", "macos": "macOS"}


def title_of(library: str) -> str:
    """The name of a host library in a sentence: ``FFmpeg`` for ``ffmpeg``."""
    return _TITLES.get(library, library)


class HostNote(NamedTuple):
    """How a pin depends on a library of the machine.

    ``kind`` is needs (it does not load without it), wants (more features with it) or bundles (it has its own).
    ``library`` is the name of a host library, or for a want of another package; ``specifier`` its versions.
    """

    kind: str
    library: str
    specifier: str
    package: str
    version: str
    statement: Statement

    @property
    def of_the_machine(self) -> bool:
        """Whether the library belongs to the machine, not to another package."""
        needed = (*self.statement.needs, *self.statement.wants)
        return any(dependency.name == HOST_PREFIX + self.library for dependency in needed)

    @property
    def title(self) -> str:
        """The name of the library in a sentence."""
        return title_of(self.library)

    def admits(self, version: str) -> bool:
        """Whether this version of the library is good enough; an unknown version is assumed to be."""
        return not version or specifier_set(self.specifier).contains(version)


class FromBuilds(NamedTuple):
    """How a lock takes the torch family from the PyTorch index.

    ``label`` is the build, ``root`` the address of the index. ``by_index``: the lock pins versions and names the
    index, else it names the very files. ``machine`` describes the GPU and the driver that limited the choice, and
    ``held_back`` says which newer builds they forbid, and why.
    """

    label: str
    root: str
    by_index: bool = False
    machine: str = ""
    held_back: tuple[str, ...] = ()

    def file_of(self, pin: Pin) -> File | None:
        """The file that a lock names by its address, instead of a version.

        A version without a label names no build, so such a wheel is always named by its address.
        """
        return None if self.by_index and "+" in pin.version else pin.exact


class Lock(NamedTuple):
    """An environment that loads on ``target``; pins sorted by name. ``builds`` is None for public builds.

    ``base`` is what it is installed into; ``kept`` are packages of it that the pins need, and that stay.
    ``moves`` say why packages differ from the lock before this one (``Options.previous``). ``attempt`` is what it
    was made of, for another attempt on the same target; only with ``Options.sharing``.
    """

    target: Target
    pins: tuple[Pin, ...]
    host: tuple[HostNote, ...]
    notes: tuple[str, ...]
    visited: int
    builds: FromBuilds | None = None
    base: Base | None = None
    kept: tuple[Pin, ...] = ()
    moves: tuple[Move, ...] = ()
    attempt: Attempt | None = None

    @property
    def stays(self) -> list[KeptPackage]:
        """The packages of the base that the lock names: the torch family, and what the pins need of it."""
        if self.base is None:
            return []
        names = dict.fromkeys([*(package.name for package in self.base.family), *(pin.name for pin in self.kept)])
        return [self.base.packages[name] for name in names]

    @property
    def pages(self) -> dict[str, list[str]]:
        """The pages of the PyTorch index that an installer has to ask, each with the pins that name no file."""
        found: dict[str, list[str]] = {}
        for pin in self.pins:
            if pin.page and self.builds is not None and self.builds.file_of(pin) is None:
                found.setdefault(pin.page, []).append(pin.name)
        return found


class Conflict(NamedTuple):
    """No environment satisfies these lines; with everything that the explanation needs.

    ``retry`` tries the same lines on another target; ``overrides`` are the lines that replaced others;
    ``base`` is what the lock would be installed into.
    """

    universe: Universe
    units: tuple[UserRequirement, ...]
    retry: Callable[[Target], Lock | Conflict]
    overrides: tuple[ParsedRequirement, ...] = ()
    base: Base | None = None
