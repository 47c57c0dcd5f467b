"""What a user asks for: requirements with the place where each was written, and the settings beside them."""

from __future__ import annotations

from torchlock.records import NamedTuple, dataclass, field
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet


class Origin(NamedTuple):
    """Where a line was written: a file and a line number (from 1), or the command line (both None)."""

    path: str | None
    line: int | None
    text: str

    def __str__(self) -> str:
        if self.path is None:
            return "command line"
        return self.path if self.line is None else f"{self.path}:{self.line}"


class ExclusiveScopes(NamedTuple):
    """Extras and groups that exclude each other, as scopes (``extra:NAME``), and where that is declared."""

    path: str
    line: int | None
    scopes: tuple[str, ...]

    @property
    def in_words(self) -> list[str]:
        """``extra NAME`` or ``group NAME`` of each."""
        return [scope.replace(":", " ") for scope in self.scopes]


class Source(NamedTuple):
    """The source of one package in a project's file, instead of the common indexes.

    ``index_url`` is the URL of the only index to ask; ``url`` a URL or path of the package itself. Only one of
    them is set. ``marker`` says in which environments it holds, ``scope`` in which extra (``extra:NAME``) or
    dependency group (``group:NAME``); "" holds everywhere.
    """

    origin: Origin
    index_url: str = ""
    url: str = ""
    marker: str = ""
    scope: str = ""
    editable: bool = False


class ParsedRequirement(NamedTuple):
    """One requirement as its author wrote it.

    ``requirement`` is the parsed PEP 508 requirement, or None for a bare URL or path without a known name; then
    ``url`` is the URL or path, and ``marker`` the marker after it.
    ``editable`` marks ``-e``. ``hashes`` holds ``--hash`` values as ``algorithm:digest``. The first of ``sources``
    whose marker holds on the target is used. ``file`` is the path of its file as a lock names it, "" for the path
    of ``origin``. ``scopes`` are the extras (``extra:NAME``) and groups (``group:NAME``) of a project that have
    it, empty if it is always installed.
    """

    requirement: Requirement | None
    origin: Origin
    url: str | None = None
    editable: bool = False
    hashes: tuple[str, ...] = ()
    marker: str = ""
    sources: tuple[Source, ...] = ()
    file: str = ""
    scopes: tuple[str, ...] = ()

    @property
    def is_upgrade(self) -> bool:
        """Whether this is a value of --upgrade-package: an override does not replace it."""
        return self.origin.path is None and self.origin.text.startswith("--upgrade-package ")


@dataclass()
class Inputs:
    """All that a reader took from what the user wrote, in the order of writing.

    ``requires_python`` is what the project itself declares ([project] or script metadata).
    Index addresses are as written, environment variables expanded. ``routes`` map a name, or a pattern of names,
    to the one index that is asked for it. ``index_origins`` has the place of each address that a file contains.
    ``environments`` are the markers that the project limits itself to, of which one must hold. ``notes`` are
    sentences for stderr. ``files`` are the files that the input files include. ``scopes`` are the extras and
    groups that are locked, as ``ParsedRequirement`` has them, also those without a requirement.
    """

    requirements: list[ParsedRequirement] = field(default_factory=list)
    constraints: list[ParsedRequirement] = field(default_factory=list)
    overrides: list[ParsedRequirement] = field(default_factory=list)
    requires_python: tuple[SpecifierSet, Origin] | None = None
    index_url: str | None = None
    extra_index_urls: list[str] = field(default_factory=list)
    find_links: list[str] = field(default_factory=list)
    no_index: bool = False
    pre: bool = False
    routes: dict[str, str] = field(default_factory=dict)
    index_origins: dict[str, Origin] = field(default_factory=dict)
    environments: list[Origin] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    scopes: list[str] = field(default_factory=list)
