"""The members of the stack: torch, the packages compiled against it, and the packages that torchaudio works with.

Each is one row of ``compat_data/stack.toml``.
"""

from __future__ import annotations

from functools import cache
from types import MappingProxyType

from torchlock.errors import DataError
from torchlock.knowledge import tables
from torchlock.records import NamedTuple
from torchlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Opened(NamedTuple):
    """A library that an import opens: its folder, a pattern of the file name without extension, and its role.

    ``role`` is ``import`` if a failure makes the import fail, ``optional`` if only some calls fail, ``choice`` if
    one of several must load, each for another FFmpeg.
    """

    folder: str
    pattern: str
    role: str


class Member(NamedTuple):
    """One row of the table; ``compat_data/stack.toml`` explains each field."""

    name: str
    role: str
    effect: str
    conda: tuple[str, ...] = ()
    vital: bool = False
    rule: str = ""
    labels: bool = True
    earlier: str = ""
    bare: Mapping[str, str] = MappingProxyType({})
    cuda_check: tuple[str, ...] = ()
    opens: tuple[Opened, ...] = ()
    goes_on: str = ""

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Member:
        """Read one compiled row."""
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in row.items()
        }
        return cls(**{**values, "opens": tuple(Opened(*opened) for opened in row.get("opens", ()))})

    @property
    def is_compiled(self) -> bool:
        """Whether its import opens compiled libraries. Separate code handles the import of torch."""
        return bool(self.opens) or self.name == "torch"


def read_members(path: Path | None = None) -> dict[str, Member]:
    """Read the table: name → member, in the order in which messages name them.

    Raises:
        DataError: the table is missing or damaged.
    """
    place = tables.bundled("compiled/stack.json") if path is None else str(path)
    try:
        return {row["name"]: Member.from_row(row) for row in tables.load_json(place)["members"]}
    except (KeyError, TypeError) as error:
        raise DataError(f"damaged ({error})", path=place) from error


MEMBERS = read_members()

# All members, in the order in which messages name them.
STACK = tuple(MEMBERS)
# torchaudio cannot be imported if one of these is missing or broken.
CORE = tuple(name for name, member in MEMBERS.items() if member.role == "core")
# torch, and the packages that are compiled against one torch. torchlock does not build them from source: that
# needs a toolchain.
FAMILY = frozenset(name for name, member in MEMBERS.items() if member.role in ("core", "companion"))
# The rules that tie the releases of a member to those of torch.
PAIR_RULES = tuple(member.rule for member in MEMBERS.values() if member.rule)
# Conda's other names of members.
CONDA_NAMES = {conda: name for name, member in MEMBERS.items() for conda in member.conda}


class Project(NamedTuple):
    """A project outside the stack that compiles modules against one torch.

    ``source``: the public index has source distributions of it. ``undeclared``: its metadata does not require
    torch, and its import loads its modules.
    """

    name: str
    source: bool = False
    undeclared: bool = False


@cache
def projects() -> Mapping[str, Project]:
    """The projects that compile modules against torch, by name; those that declare torch may be left out.

    Raises:
        DataError: the table is missing or damaged.
    """
    path = tables.ROOT / "compiled" / "stack.json"
    try:
        return {row["name"]: Project(**row) for row in tables.load_json(path)["extensions"]}
    except (KeyError, TypeError) as error:
        raise DataError(f"damaged ({error})", path=str(path)) from error


class Backend(NamedTuple):
    """A package that lets torch use an accelerator which the builds of PyTorch do not serve.

    ``accelerators`` is what it serves, in words; ``own``: its vendor builds torch, too, without a label that says
    so; ``sources`` are identifiers.
    """

    name: str
    accelerators: str
    sources: tuple[str, ...]
    own: bool = False


@cache
def backends() -> Mapping[str, Backend]:
    """The packages for accelerators of other vendors, by name.

    Raises:
        DataError: the table is missing or damaged.
    """
    path = tables.ROOT / "compiled" / "stack.json"
    try:
        rows = tables.load_json(path)["backends"]
        return {row["name"]: Backend(**{**row, "sources": tuple(row["sources"])}) for row in rows}
    except (KeyError, TypeError) as error:
        raise DataError(f"damaged ({error})", path=str(path)) from error


@cache
def goes_on_without(name: str, version: str) -> bool:
    """Whether the import of a release goes on if its compiled library does not load: its operators fail then."""
    from packaging.specifiers import SpecifierSet

    releases = MEMBERS[name].goes_on if name in MEMBERS else ""
    return bool(releases) and SpecifierSet(releases, prereleases=True).contains(version)


def cuda_check_of(name: str) -> tuple[str, ...]:
    """The files of a package of which one compares its CUDA version with that of torch at import."""
    return MEMBERS[name].cuda_check if name in MEMBERS else ()
