"""What one file says about packages: the values that every format is read into, for audit and for lock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from torchlock.location import NOWHERE, Edit, Place, Span

if TYPE_CHECKING:
    from torchlock.errors import InputError
    from torchlock.terms import Origin, Source


@dataclass(slots=True)
class Entry:
    """One package, as one place of a file allows it.

    ``name`` is normalised, and the name that package indexes use (``torch``, where conda says ``pytorch``).
    ``specifier`` is a PEP 440 specifier set ("" for any version), whatever the dialect's own operators
    are; ``marker`` a PEP 508 marker. ``text`` is what is written there (the requirement, without comment).

    ``version`` is the stretch that holds the versions (``==2.0.1+cu118``, ``"^2.1"`` without its quotes,
    ``=1.7.1``), empty behind the name where there are none; None where no edit of this line can help (a
    lock's hashes would no longer fit). ``style`` says how versions are spelled there; ``shell``: it is
    a word of a command that a shell reads first.

    ``scope`` names what is installed with the rest only if asked for: "" always, else ``extra:NAME`` or
    ``group:NAME``; ``alone:NAME`` is an environment of its own, without the rest. ``step`` counts the commands
    of a script: a later one may replace what an earlier one installed. ``channel`` is ``conda`` for what conda
    itself installs.

    ``index`` is the one address (or the name, if the file does not tell the address) that the package is
    taken from; None for the file's common ones. ``url`` is the file, folder or repository that it is
    installed from in place of an index, or ``image:NAME`` for a base image that may hold it. ``hashes`` are
    written ``algorithm:digest``. ``filenames`` are the wheels and sdists that a lock lists for it. ``build`` is
    the build that conda is asked for, by the label that package indexes give it (``cpu``, ``cu121``).

    ``editable`` marks ``-e``. ``name`` is "" for an address or path that does not contain the name; audit does not
    see such an entry. ``home`` is the scope that declares the entry, where ``scope`` only includes it.
    """

    name: str
    specifier: str
    place: Place
    text: str
    path: str
    marker: str = ""
    extras: tuple[str, ...] = ()
    version: Span | None = None
    style: str = "pep440"  # pep440 | poetry | conda | lock
    shell: bool = False
    scope: str = ""
    step: int = 0
    channel: str = "pip"
    index: str | None = None
    url: str | None = None
    hashes: tuple[str, ...] = ()
    filenames: tuple[str, ...] = ()
    constraint: bool = False
    build: str = ""
    editable: bool = False
    home: str = ""


class IndexLine(NamedTuple):
    """An address that packages are taken from, as a file names it.

    ``kind`` is ``index`` (in place of the public one), ``extra`` (beside it), ``find-links``, or
    ``no-index`` (nothing but find-links; the address is empty).
    """

    kind: str
    address: str
    place: Place
    path: str


# Rules about lines and files that a reader could not read.
_UNREAD = ("TL901", "TL902")


@dataclass(slots=True)
class ParseIssue:
    """A line that an installer could not read, or reads otherwise than its author thought.

    ``severity`` is ``error`` where the installer stops, ``warning`` where it goes on with something else,
    ``note`` for what could not be looked at (TL9xx). ``edits`` mend it where it is plain what was meant,
    and ``remedy`` says in words what they do.

    ``scope`` is the extra or group that it is in, "" for all of the file. ``origin`` is its place in an included
    file, with the message for that file. ``error`` is the error that stops a lock, where it is not ``message``.
    """

    rule: str
    severity: str
    message: str
    place: Place
    because: str = ""
    remedy: str = ""
    edits: tuple[Edit, ...] = ()
    scope: str = ""
    origin: Origin | None = field(default=None, compare=False)
    error: InputError | None = field(default=None, compare=False, repr=False)

    @property
    def stops_a_lock(self) -> bool:
        """Whether a lock might miss something because of it."""
        return self.severity == "error" or self.error is not None or self.rule in _UNREAD


class Declared(NamedTuple):
    """A declared extra or dependency group, empty or not: its name as written, its place, and its scope."""

    name: str
    place: Place
    scope: str


@dataclass(slots=True, eq=False)
class Document:
    """One file, read for audit and for lock.

    ``kind`` is ``requirements``, ``constraints``, ``pyproject``, ``setup.cfg``, ``setup.py``, ``pipfile``,
    ``pipfile.lock``, ``conda``, ``poetry.lock``, ``uv.lock``, ``pdm.lock``, ``pixi.lock``, ``pylock``, ``pixi``,
    ``tox``, ``python``, ``notebook``, ``workflow``, ``cog``, ``make``, ``batch``, ``powershell``, ``dockerfile``
    or ``shell``; ``guessed``: the kind was guessed from the content. ``text`` is decoded but otherwise
    untouched, line ends included; ``encoding`` and ``mark`` (its byte order mark) give the file's bytes.

    ``python`` is a specifier set on the versions of Python that the file declares, "" where it declares
    none; ``platforms`` the platforms it is for (names of ``target.PLATFORMS``), empty for any. It declares
    them unless they are ``assumed``: a Dockerfile is for Linux, but mostly names no processor.
    ``locked``: the file names everything that gets installed, and entries of one name are alternatives,
    not demands that must hold together. ``includes`` lists the files that were read in place, as paths.

    ``extras`` and ``groups`` have what the file declares, by normalised name; ``project``: it declares a project.
    ``overrides`` replace every other requirement on the same package. ``sources`` map a package to where it comes
    from, and ``routes`` a name pattern to the one index for these packages. Audit applies these three
    (``manifests/refinement.py``); lock passes them on. ``environments`` are the markers that the project limits
    itself to. Each set of ``conflicts`` has scopes that exclude each other. ``notes`` say what has no effect on a
    lock, and ``refusals`` what stops a lock of a scope, though audit can judge the file.
    """

    path: str
    kind: str
    text: str = ""
    encoding: str = "utf-8"
    bom: bytes = b""
    entries: list[Entry] = field(default_factory=list)
    indexes: list[IndexLine] = field(default_factory=list)
    python: str = ""
    python_place: Place = NOWHERE
    platforms: tuple[str, ...] = ()
    assumed: bool = False
    locked: bool = False
    pre: bool = False
    issues: list[ParseIssue] = field(default_factory=list)
    includes: list[str] = field(default_factory=list)
    guessed: bool = False
    project: bool = False
    extras: dict[str, Declared] = field(default_factory=dict)
    groups: dict[str, Declared] = field(default_factory=dict)
    overrides: list[Entry] = field(default_factory=list)
    sources: dict[str, list[Source]] = field(default_factory=dict)
    routes: dict[str, str] = field(default_factory=dict)
    environments: list[Origin] = field(default_factory=list)
    conflicts: list[tuple[Place, tuple[str, ...]]] = field(default_factory=list)
    notes: list[Origin] = field(default_factory=list)
    refusals: list[tuple[str, InputError]] = field(default_factory=list)
