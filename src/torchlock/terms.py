"""The words every floor shares: where a statement comes from, a requirement as written, a file of an index."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

# Compiled against each other; no source distribution of theirs can be built without a whole toolchain.
FAMILY = frozenset({"torch", "torchaudio", "torchvision", "torchcodec", "torchtext"})


class Origin(NamedTuple):
    """Where a statement was written: a file and a line (from 1), or the command line (both None)."""

    path: str | None
    line: int | None
    text: str

    def __str__(self) -> str:
        if self.path is None:
            return "command line"
        return self.path if self.line is None else f"{self.path}:{self.line}"


class Source(NamedTuple):
    """The source of one package in a project's file, in place of the common indexes.

    ``index_url`` is the address of the one index to ask; ``url`` an address or path of the package itself. Only
    one of them is set. ``marker`` says in which environments it holds, ``scope`` in which extra (``extra:NAME``)
    or dependency group (``group:NAME``); "" holds everywhere. ``editable``: as ``-e`` in a requirements file.
    """

    origin: Origin
    index_url: str = ""
    url: str = ""
    marker: str = ""
    scope: str = ""
    editable: bool = False


@dataclass(slots=True)
class ParsedRequirement:
    """One requirement as its author wrote it.

    ``requirement`` is the parsed PEP 508 requirement, or None for a bare URL or path whose name is not
    known from the text; ``url`` then holds the address or path, and ``marker`` what stands behind it.
    ``editable`` marks ``-e``. ``hashes`` holds ``--hash`` values as ``algorithm:digest``. Of ``sources`` the
    first one that holds on the target counts.
    """

    requirement: Requirement | None
    origin: Origin
    url: str | None = None
    editable: bool = False
    hashes: tuple[str, ...] = ()
    marker: str = ""
    sources: tuple[Source, ...] = ()


@dataclass(slots=True)
class Inputs:
    """All that a reader took from what the user wrote, in the order of writing.

    ``requires_python`` is what the project itself declares ([project] or script metadata).
    Index addresses are as written, environment variables expanded. ``routes`` map a name, or a pattern of names,
    to the one index that is asked for it. ``environments`` are the markers that the project limits itself to, of
    which one must hold. ``notes`` are sentences for stderr.
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
    environments: list[Origin] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Provenance(NamedTuple):
    """Where the releases of a project were looked up.

    ``where`` names the indexes that were asked, or is "" for the public one. ``as_of`` is the date of a snapshot
    of it (YYYY-MM-DD), or "" where it was asked just now. ``unasked`` says which source could not be asked, if
    there is one that may have more.
    """

    where: str = ""
    as_of: str = ""
    unasked: str = ""

    @property
    def dated(self) -> str:
        """`` as of DATE``, to end a statement about existing releases; empty if it was asked just now."""
        return f" as of {self.as_of}" if self.as_of else ""


class File(NamedTuple):
    """One file of a release, as one index serves it.

    ``url`` is absolute when an index was asked, else relative to the index's file host. ``uploaded`` is
    an ISO 8601 time in UTC. ``yanked`` is None, or the reason (possibly empty) of PEP 592.
    ``metadata_hashes`` is None where no PEP 658 metadata file is offered. Sizes are in bytes.
    """

    filename: str
    url: str
    hashes: dict[str, str]
    size: int | None = None
    uploaded: str | None = None
    requires_python: str | None = None
    yanked: str | None = None
    metadata_hashes: dict[str, str] | None = None


class Dependency(NamedTuple):
    """A PEP 508 requirement, taken apart so that the hot path need not parse it.

    ``name`` is normalised; ``specifier`` and ``marker`` are their texts ("" for none); ``extras`` are
    normalised and sorted. A requirement by address has ``===URL`` as its specifier, which no version satisfies.
    """

    name: str
    specifier: str = ""
    marker: str = ""
    extras: tuple[str, ...] = ()

    @classmethod
    def from_row(cls, row: list[Any]) -> Dependency:
        """Read ``[name, specifier, marker, [extras]]``, trailing empties left out, as compat_data/ has it."""
        name, specifier, marker, extras = [*row, "", "", ()][:4] if len(row) < 4 else row
        return cls(name, specifier, marker, tuple(extras))

    @classmethod
    def from_requirement(cls, requirement: Requirement) -> Dependency:
        """Take a parsed requirement apart."""
        from packaging.utils import canonicalize_name

        return cls(
            canonicalize_name(requirement.name),
            str(requirement.specifier),
            str(requirement.marker or ""),
            tuple(sorted(canonicalize_name(extra) for extra in requirement.extras)),
        )

    def __str__(self) -> str:
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        versions = f" @ {self.address}" if self.address else spelled(self.specifier)
        return f"{self.name}{extras}{versions}" + (f" ; {self.marker}" if self.marker else "")

    @property
    def address(self) -> str:
        """The URL of a requirement by address; empty for all others."""
        return self.specifier[3:] if self.specifier.startswith("===") and ":" in self.specifier else ""


_BOUNDS = ("===", "==", "~=", ">=", ">", "!=", "<=", "<")


def spelled(specifier: str) -> str:
    """A specifier set as people write it, lower bounds first: ``>=4.1,<7``."""
    clauses = [clause.strip() for clause in specifier.split(",")]
    return ",".join(
        sorted(
            clauses, key=lambda clause: next((i for i, text in enumerate(_BOUNDS) if clause.startswith(text)), 9)
        )
    )
