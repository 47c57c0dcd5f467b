"""The installed distributions, from their own records; and remains of interrupted installers.

The folders are those of PEP 376 and the specification of recorded projects: ``*.dist-info``, and the older
``*.egg-info`` and eggs.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from torchlock.inspect.metadata import Metadata, read_egg_requires, read_metadata
from torchlock.knowledge.stack import CONDA_NAMES, STACK
from torchlock.patterns import pattern
from torchlock.runtime import files
from torchlock.standards.headers import read_headers
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from torchlock.inspect.environment import Environment, PathEntry
    from torchlock.runtime.files import Tree

_SMALL = 64 << 10


class InstallSource(NamedTuple):
    """``direct_url.json`` (PEP 610): the source of a distribution outside of an index; no credentials."""

    url: str
    editable: bool = False
    commit: str = ""
    hash: str = ""


class Distribution(NamedTuple):
    """One installed distribution.

    ``name`` is normalised, ``written`` as in the metadata; if that cannot be read, both come from the name of the
    folder. ``kind`` is ``dist-info``, ``egg-info``, ``egg`` or ``egg-link``. ``path`` is its record,
    ``entry`` the item of the path that contains it. ``tags`` are those of its wheel. ``has_record``: it has a
    RECORD or installed-files.txt. ``claimed`` is the version in the folder's name.
    """

    name: str
    version: str
    kind: str
    path: str
    entry: PathEntry
    metadata: Metadata
    written: str = ""
    claimed: str = ""
    tags: tuple[str, ...] = ()
    installer: str = ""
    source: InstallSource | None = None
    requested: bool = False
    has_record: bool = False

    @property
    def label(self) -> str:
        """The local version: ``cpu`` of ``2.13.0+cpu``."""
        return self.version.partition("+")[2]


class Leftover(NamedTuple):
    """A folder named ``~orch``, which pip moved aside before it was interrupted. ``meant`` is a guess."""

    path: str
    meant: str = ""


class Duplicate(NamedTuple):
    """Distributions of one name, in the order of the path.

    ``wins`` is the one that ``importlib.metadata`` finds; None if two are in one folder, because then it takes
    either.
    """

    name: str
    distributions: tuple[Distribution, ...]
    wins: Distribution | None


class CondaTwin(NamedTuple):
    """A project with a record of conda and one of pip: pip's files replaced those of conda."""

    name: str
    record: str
    conda_version: str
    distribution: Distribution


class Installed(NamedTuple):
    """All distributions in the order of the path, by name within a folder; and their faults."""

    distributions: tuple[Distribution, ...]
    leftovers: tuple[Leftover, ...] = ()
    duplicates: tuple[Duplicate, ...] = ()
    twins: tuple[CondaTwin, ...] = ()

    def get(self, name: str) -> Distribution | None:
        """The distribution of a (normalised) name that Python uses: the first on the path."""
        return next((distribution for distribution in self.distributions if distribution.name == name), None)


def installed(environment: Environment) -> Installed:
    """Read the records in every folder of the path except the standard library."""
    tree = environment.tree
    found: list[Distribution] = []
    leftovers: list[Leftover] = []
    for entry in environment.path:
        if entry.state == "folder" and entry.kind != "stdlib":
            found += distributions_in(entry, tree)
            if entry.is_site:
                names = tree.names(entry.path)
                leftovers += (
                    Leftover(os.path.join(entry.path, name), _meant(name, names))
                    for name in sorted(names)
                    if name.startswith("~")
                )
    distributions = tuple(found)
    return Installed(
        distributions, tuple(leftovers), _duplicates(distributions), _twins(environment, distributions)
    )


def distributions_in(entry: PathEntry, tree: Tree) -> Iterator[Distribution]:
    """The distributions whose records are in one folder."""
    for name, kind in sorted(tree.names(entry.path).items()):
        lower = name.lower()
        if name.startswith("~"):
            continue
        if lower.endswith(".dist-info") and kind == "folder":
            yield _dist_info(entry, name, tree)
        elif lower.endswith((".egg-info", ".egg", ".egg-link")):
            yield from _egg(entry, name, kind, tree)


def _dist_info(entry: PathEntry, name: str, tree: Tree) -> Distribution:
    path = os.path.join(entry.path, name)
    names = tree.names(path)
    metadata = read_metadata(os.path.join(path, "METADATA"))
    project, _, claimed = name[: -len(".dist-info")].rpartition("-")
    written = metadata.name or project or claimed
    return Distribution(
        normalise(written),
        metadata.version or (claimed if project else ""),
        "dist-info",
        path,
        entry,
        metadata,
        written,
        claimed if project else "",
        _tags(path) if "WHEEL" in names else (),
        _installer(path, names),
        _source(path) if "direct_url.json" in names else None,
        "REQUESTED" in names,
        "RECORD" in names,
    )


def _installer(path: str, names: Collection[str]) -> str:
    """The installer that a folder of metadata names; "" if it names none."""
    text = files.text(os.path.join(path, "INSTALLER"), 200) if "INSTALLER" in names else None
    return (text or "").strip()


def _tags(path: str) -> tuple[str, ...]:
    headers = read_headers(files.text(os.path.join(path, "WHEEL"), _SMALL) or "")
    return tuple(map(str.strip, headers.fields.get("tag", ())))


def _source(path: str) -> InstallSource | None:
    """``direct_url.json``; None if it is invalid."""
    import json

    from torchlock.redaction import masked

    try:
        said: Any = json.loads(files.read(os.path.join(path, "direct_url.json"), _SMALL))
        info = said.get("archive_info") or {}
        return InstallSource(
            masked(str(said["url"])),
            (said.get("dir_info") or {}).get("editable") is True,
            str((said.get("vcs_info") or {}).get("commit_id", "")),
            str(info.get("hash", "")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _egg(entry: PathEntry, name: str, kind: str, tree: Tree) -> Iterator[Distribution]:
    """What setuptools and distutils record: a folder or a file ``.egg-info``, an egg, a link to a checkout."""
    path = os.path.join(entry.path, name)
    stem, _, suffix = name.rpartition(".")
    names = tree.names(path) if kind == "folder" else {}
    requires: tuple[str, ...] = ()
    if suffix.lower() == "egg-link":
        metadata = Metadata()
    elif kind == "folder":
        inside = os.path.join(path, "EGG-INFO") if suffix.lower() == "egg" else path
        metadata = read_metadata(os.path.join(inside, "PKG-INFO"))
        requires = read_egg_requires(inside)
    elif suffix.lower() == "egg-info":
        metadata = read_metadata(path)
    else:  # a zipped egg, which nothing of this stack was ever shipped as
        metadata = Metadata(problem="not looked into")
    if requires and not metadata.requires:
        metadata = metadata._replace(requires=requires)
    # name-version-py3.11-linux-x86_64
    parts = stem.split("-")
    written = metadata.name or parts[0]
    claimed = parts[1] if len(parts) > 1 else ""
    yield Distribution(
        normalise(written),
        metadata.version or claimed,
        suffix.lower(),
        path,
        entry,
        metadata,
        written,
        claimed,
        installer=_installer(path, names),
        has_record="installed-files.txt" in names or "RECORD" in names,
    )


_INFO = pattern(r"-[^-]*\.(?:dist|egg)-info$")


def _meant(name: str, names: Iterable[str]) -> str:
    """pip puts ``~`` in the place of the first letter, further signs for further ones: ``~orch``, ``~-rch``."""
    tail = _INFO.sub("", name.lstrip("~-.=%0123456789"))
    length = len(_INFO.sub("", name))
    others = (_INFO.sub("", other) for other in (*names, *STACK) if not other.startswith("~"))
    alike = (other for other in others if tail and len(other) == length and other.endswith(tail))
    return next(alike, "")


def _duplicates(distributions: tuple[Distribution, ...]) -> tuple[Duplicate, ...]:
    by_name: dict[str, list[Distribution]] = {}
    for distribution in distributions:
        by_name.setdefault(distribution.name, []).append(distribution)
    found = []
    for name, several in by_name.items():
        several = _without_links(several)
        if len(several) > 1:
            alone = several[0].entry.path != several[1].entry.path
            found.append(Duplicate(name, tuple(several), several[0] if alone else None))
    return tuple(found)


def _without_links(several: list[Distribution]) -> list[Distribution]:
    """Without a checkout's ``.egg-link``, a second sight of one record (``lib64`` is a link), and a twin.

    Debian leaves an ``.egg-info`` beside a ``.dist-info`` of the same version.
    """
    seen: dict[tuple[str, ...], Distribution] = {}
    for distribution in several:
        real = os.path.realpath(distribution.path)
        if distribution.kind != "egg-link":
            seen.setdefault((os.path.dirname(real), distribution.version), distribution)
    return list(seen.values())


def _twins(environment: Environment, distributions: tuple[Distribution, ...]) -> tuple[CondaTwin, ...]:
    """Projects of conda whose files another installer replaced."""
    first: dict[str, Distribution] = {}
    for distribution in distributions:
        if distribution.installer not in ("", "conda") and distribution.kind == "dist-info":
            first.setdefault(distribution.name, distribution)
    twins: dict[str, CondaTwin] = {}
    for record in environment.conda:
        name = CONDA_NAMES.get(record.name, normalise(record.name))
        if name in first and name not in twins:
            twins[name] = CondaTwin(name, record.path, record.version, first[name])
    return tuple(twins.values())
