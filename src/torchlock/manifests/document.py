"""The content of one file about packages: the values that every format is read into, for audit and for lock."""

from __future__ import annotations

from torchlock.location import NOWHERE, Edit, Place, Span
from torchlock.records import NamedTuple, dataclass, field
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from torchlock.errors import InputError
    from torchlock.terms import ExclusiveScopes, Origin, Source


@dataclass(slots=True)
class Entry:
    """One package that a file lists, in one place.

    ``name`` is normalised, and the name on package indexes (``torch`` for conda's ``pytorch``). ``specifier`` is a
    PEP 440 specifier set ("" for any version), also for formats with other operators; ``marker`` is a PEP 508
    marker. ``text`` is the requirement as written, without comment.

    ``version`` is the span of the versions (``==2.0.1+cu118``, ``"^2.1"`` without its quotes, ``=1.7.1``), empty
    behind the name if there are no versions; None if no edit of this line can help (the hashes of a lock would no
    longer match). ``style`` is the notation of versions there; ``shell``: a shell reads the text first.

    ``scope`` is what must be requested to install the entry: "" for nothing, else ``extra:NAME`` or
    ``group:NAME``; ``alone:NAME`` is a separate environment, without the rest. ``step`` counts the commands of a
    script: a later one may replace packages of an earlier one. ``channel`` is ``conda`` if conda installs the
    package.

    ``index`` is the one index of the package (its name, if the file does not contain the address); None for the
    indexes of the file. ``url`` is the file, folder or repository that replaces an index, or ``image:NAME`` for a
    base image that may contain the package. ``hashes`` are written ``algorithm:digest``. ``filenames`` are the
    wheels and sdists that a lock lists for it, and ``file_hashes`` their names or addresses, each with the hash
    that the lock states for this file, if it states one. ``build`` is the build that a conda package requests, as
    a label of package indexes (``cpu``, ``cu121``).

    ``editable`` marks ``-e``. ``name`` is "" for an address or path that does not contain the name; audit does not
    see such an entry. ``home`` is the scope that declares the entry, if ``scope`` only includes it. ``keeps``: an
    installed release that fits stays. ``via`` is the place in the document that names the file of the entry, if it
    is in another file. ``no_deps``: an option makes the installer ignore what the package declares.
    ``channels`` are those that a command of conda names, the first one with the highest priority. ``pip_only``: uv
    refuses the file. In a lock, a ``scope`` joined by ``+`` needs all of its extras and groups, and ``without``
    are those with which the entry is not installed.
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
    file_hashes: tuple[tuple[str, str], ...] = ()
    constraint: bool = False
    build: str = ""
    editable: bool = False
    home: str = ""
    keeps: bool = False
    via: Place = NOWHERE
    no_deps: bool = False
    pip_only: bool = False
    channels: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def is_in(self, scopes: Collection[str]) -> bool:
        """Whether an installation of these extras and groups, and of no others, has the entry."""
        wanted = self.scope.split("+") if self.scope else ()
        return all(scope in scopes for scope in wanted) and not any(scope in scopes for scope in self.without)

    @property
    def is_of_image(self) -> bool:
        """Whether a base image has the package, so that only another image changes it."""
        return not self.shell and self.text.startswith("FROM ")


class IndexLine(NamedTuple):
    """An index address in a file.

    ``kind`` is ``index`` (replaces the public index), ``extra`` (in addition to it), ``find-links``, or
    ``no-index`` (only find-links; the address is empty). ``tool`` is the project tool (``uv``, ``poetry``,
    ``pdm``, ``pipenv``) whose table declares it, and ``name`` its name there. ``last``: it is asked only for a
    package that no other index has. ``steps`` are the commands that it is for, empty for all.
    """

    kind: str
    address: str
    place: Place
    path: str
    tool: str = ""
    name: str = ""
    last: bool = False
    steps: tuple[int, ...] = ()

    def serves(self, step: int) -> bool:
        """Whether a command asks this index; so does what no command installs (0)."""
        return not step or not self.steps or step in self.steps


# Rules for lines and files that could not be read.
_UNREAD = ("TL901", "TL902")


@dataclass(slots=True)
class ParseIssue:
    """A line that an installer cannot read, or reads differently than its author expects.

    ``severity`` is ``error`` if the installer stops, ``warning`` if it continues with something else, ``note`` for
    text that was not judged (TL9xx). ``edits`` fix the line if the meaning is clear; ``remedy`` describes them.

    ``scope`` is the extra or group of the line, "" for the whole file. ``origin`` is its place in an included
    file, with the message for that file. ``error`` is the error that stops a lock, if it is not ``message``.
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

    ``kind`` is one of ``formats.BY_KIND``; ``guessed``: it was guessed from the content. ``text`` is decoded but
    otherwise unchanged, line ends included; ``bom`` and ``encoding`` reproduce the bytes of the file.

    ``python`` is a specifier set of the Python versions that the file declares, "" for no declaration
    (``hidden_python``: it is one that the base image has, and no table knows it);
    ``pip`` is the newest pip that it may be installed with, "" if that is not known;
    ``platforms`` are its platforms (names of ``target.PLATFORMS``), empty for any. If ``assumed``, they are
    inferred and not declared: a Dockerfile is for Linux, but mostly names no processor. ``locked``: the file lists
    all packages that get installed, and entries of one name are alternatives, not demands that must hold at once.
    ``includes`` are the paths of included files. ``explicit`` are declared indexes that are asked only for
    packages that name them.

    ``extras`` and ``groups`` are the declarations of the file, by normalised name; ``project``: it declares a
    project; ``workspace``: its tables also apply to other projects. ``overrides`` replace every other requirement
    on the same package. ``sources`` map a package to its sources, and ``routes`` a name pattern to the one index
    for these packages. Audit applies these three (``manifests/refinement.py``); lock passes them on.
    ``environments`` are the markers to which the project limits itself. ``conflicts`` are the scopes that
    exclude each other. ``nameless`` are addresses of requirements that do not name their package.
    ``channels`` are those of conda that the file lists, the first one with the highest priority;
    ``strict_channels``: a package comes from the first one that has it. ``notes`` name settings
    without an effect on a lock, and ``refusals`` stop a lock of a scope, though audit can judge the file.
    """

    path: str
    kind: str
    text: str = ""
    encoding: str = "utf-8"
    bom: bytes = b""
    entries: list[Entry] = field(default_factory=list)
    indexes: list[IndexLine] = field(default_factory=list)
    explicit: list[IndexLine] = field(default_factory=list)
    python: str = ""
    python_place: Place = NOWHERE
    hidden_python: bool = False
    pip: str = ""
    platforms: tuple[str, ...] = ()
    assumed: bool = False
    locked: bool = False
    pre: bool = False
    issues: list[ParseIssue] = field(default_factory=list)
    includes: list[str] = field(default_factory=list)
    guessed: bool = False
    project: bool = False
    workspace: bool = False
    extras: dict[str, Declared] = field(default_factory=dict)
    groups: dict[str, Declared] = field(default_factory=dict)
    overrides: list[Entry] = field(default_factory=list)
    sources: dict[str, list[Source]] = field(default_factory=dict)
    routes: dict[str, str] = field(default_factory=dict)
    environments: list[Origin] = field(default_factory=list)
    conflicts: list[ExclusiveScopes] = field(default_factory=list)
    nameless: list[str] = field(default_factory=list)
    channels: tuple[str, ...] = ()
    strict_channels: bool = False
    notes: list[Origin] = field(default_factory=list)
    refusals: list[tuple[str, InputError]] = field(default_factory=list)
