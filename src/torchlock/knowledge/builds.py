"""The builds of each release on the PyTorch wheel index, and the builds that an index address leads to.

What a local version promises (``2.5.1+cu124``) is looked up in ``compat_data/builds.toml``. That table is
complete for some releases and not for others; an answer is ``Unknown`` where it does not cover a build.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from packaging.version import Version

from torchlock.answers import Unknown
from torchlock.errors import DataError
from torchlock.finding import Evidence
from torchlock.knowledge import tables

if TYPE_CHECKING:
    from pathlib import Path

# A build as its label spells it. Vendors have others (+nv24.5, +rocm6.4.1.git1ded221d), which are not judged.
_LABEL = re.compile(r"(cpu)|(cu)\d{2,3}|(rocm)\d+(?:\.\d+){1,2}|(xpu)")
_KINDS = {"cpu": "cpu", "cu": "cuda", "rocm": "rocm", "xpu": "xpu"}

# How addresses of the index are laid out, and those of its mirrors, whose paths say pytorch somewhere.
_INDEX = re.compile(
    r"""(?P<before>.*)/(?:whl|(?P<wheels>pytorch-wheels))
    (?:/nightly|/test|/lts/\d+\.\d+)?
    (?:/(?P<label>cpu|cu\d{2,3}|rocm\d+(?:\.\d+){1,2}|xpu))?
    (?:/torch_\w+\.html|/torch(?:audio|vision|text|codec)?)?/?""",
    re.VERBOSE,
)


class _Row(NamedTuple):
    """Builds of one release; an empty set of platforms or Pythons means that the source does not say."""

    group: int
    platforms: frozenset[str]
    pythons: frozenset[str]
    builds: frozenset[str]

    @property
    def labels(self) -> frozenset[str]:
        """The local versions, "" for the plain one."""
        return frozenset("" if build.startswith("plain") else build for build in self.builds if build[0] != "!")


@cache
def _key(version: str) -> str | None:
    """One spelling for one release (2.0 and 2.0.0), its label apart; None for what is no release."""
    try:
        parsed = Version(version)
    except ValueError:
        return None
    if parsed.is_prerelease:
        return None
    release = re.sub(r"(?<!\.0)(?:\.0)+$", "", parsed.base_version)
    return release if parsed.post is None else f"{release}.post{parsed.post}"


def kind_of(label: str) -> str | None:
    """``cpu``, ``cuda``, ``rocm`` or ``xpu``; None for a label that the PyTorch index does not use."""
    match = _LABEL.fullmatch(label)
    return _KINDS[next(filter(None, match.groups()))] if match else None


def page_of(label: str) -> str:
    """The address of the PyTorch wheel index that serves the builds of this label."""
    return f"https://download.pytorch.org/whl/{label}"


# Parts of the index whose content changes from day to day, or is another than that of the releases.
_APART = re.compile(r"/(?:whl|pytorch-wheels)/(?:nightly|test|lts)\b")


@cache
def is_of_releases(address: str) -> bool:
    """Whether an address with a flavour leads to the releases, and not to nightlies, candidates or the LTS."""
    return not _APART.search(unquote(address).lower())


# The hosts of the index, with the name that stands for them in files that are passed on (RFC 2606).
_HOSTS = re.compile(r"(?:.+\.)?pytorch\.org|example\.org")


@cache
def is_of_torch(address: str) -> bool:
    """Whether an address is of the PyTorch index or of a mirror of it, which says pytorch in its path.

    What another host holds under the same path nobody knows: its owner may build releases of his own.
    """
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:  # brackets that are no IPv6 address
        return False
    return bool(_HOSTS.fullmatch(host)) or "pytorch" in unquote(parts.path).lower()


@cache
def label_of_index(address: str) -> str | None:
    """Read the flavour out of an index address or find-links page, by the shape of its path.

    Returns ``cu118`` for ``…/whl/cu118`` and the like, "" where the page holds all flavours
    (``…/whl/torch_stable.html``, ``…/whl``), None for an index that is laid out otherwise.
    """
    try:
        path = urlsplit(address).path
    except ValueError:  # brackets that are no IPv6 address
        return None
    match = _INDEX.fullmatch(unquote(path).lower())
    if not match or not (match["wheels"] or not match["before"] or "pytorch" in match["before"]):
        return None
    return match["label"] or ""


class Builds:
    """The table of builds. ``date`` is the day that it was last added to."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or tables.ROOT / "compiled" / "builds.json"
        table = tables.load_json(self._path)
        try:
            self.date: str = table["date"]
            self._groups: list[dict[str, Any]] = table["groups"]
            self._sources: dict[str, dict[str, str]] = table["sources"]
            self._partners = {
                name: {_key(version): torch for version, torch in pairs.items()}
                for name, pairs in table["partners"].items()
            }
            self._rows = {
                (name, _key(version)): [_Row(row[0], *map(frozenset, row[1:])) for row in rows]
                for name, releases in table["packages"].items()
                for version, rows in releases.items()
            }
        except (KeyError, TypeError, IndexError) as error:
            raise DataError(f"damaged ({error})", path=str(self._path)) from error

    def labels(self, name: str, version: str) -> frozenset[str] | Unknown:
        """The labels known to be published for this release ("" for the plain one); more of them may exist."""
        rows = self._of(name, version)
        return frozenset().union(*(row.labels for row in rows)) if rows else self._no_list(name, version)

    def published(
        self, name: str, version: str, label: str, platform: str | None = None, python: str | None = None
    ) -> bool | Unknown:
        """Whether the index ever held this build (of a platform, a Python like 3.12 or 3.13t)."""
        rows = self._of(name, version)
        if not rows:
            return self._no_list(name, version)
        named = [row for row in rows if label in row.labels]
        there = [row for row in named if not platform or not row.platforms or platform in row.platforms]
        if any(not python or not row.pythons or python in row.pythons for row in there):
            return True
        kind = kind_of(label)
        if kind is None:  # the plain version may come from the public index, a vendor's label from its own
            return self._unknown(f"+{label} is not a label of the PyTorch index" if label else "it has no label")
        if platform and platform.startswith("macos"):
            return False
        if there:  # for other Pythons than this one
            whole = all(self._whole(row, kind) for row in there)
            return False if whole else self._no_whole_list(name, version, f"Python {python}")
        if named:  # on other platforms than this one
            listed = any(platform in row.platforms for row in rows if self._whole(row, kind))
            return False if listed else self._no_whole_list(name, version, str(platform))
        return False if self._denied(name, version, label) else self._no_whole_list(name, version, f"+{label}")

    def serves(
        self, name: str, version: str, flavour: str, platform: str | None = None, python: str | None = None
    ) -> bool | Unknown:
        """Whether the index of one flavour (``…/whl/cu101``) ever offered this release.

        The plain version counts where it was that build: torch 1.4.0 was the one for CUDA 10.1.
        """
        for row in self._of(name, version):
            plain = "plain" in row.builds or f"plain={flavour}" in row.builds
            if plain and (not platform or platform in row.platforms) and (not python or python in row.pythons):
                return True
        return self.published(name, version, flavour, platform, python)

    def source_of(self, name: str, version: str, label: str | None = None) -> tuple[Evidence, ...]:
        """What the answers about this release rest on; with a label, what decided about that one.

        Where the torch that a release was compiled against decided, these are the sources on that torch.
        """
        rows = self._of(name, version)
        if label is not None:
            said = [row for row in rows if label in row.labels or f"!{label}" in row.builds]
            whole = [row for row in rows if self._whole(row, kind_of(label))]
            torch = self._partners.get(name, {}).get(_key(version))
            if not said and not whole and torch and self._denied(name, version, label):
                return self.source_of("torch", torch, label)
            rows = said or whole or rows
        ids = dict.fromkeys(source for row in rows for source in self._groups[row.group]["sources"])
        return tuple(
            Evidence(source, row["address"], row["kind"], row["date"], row.get("note", ""))
            for source, row in ((source, self._sources[source]) for source in ids)
        )

    def _of(self, name: str, version: str) -> list[_Row]:
        key = _key(version)
        return self._rows.get((name, key), []) if key else []

    def _unknown(self, because: str) -> Unknown:
        return Unknown(because, self.date)

    def _no_list(self, name: str, version: str) -> Unknown:
        return self._unknown(f"the table of builds does not cover {name} {version}")

    def _no_whole_list(self, name: str, version: str, what: str) -> Unknown:
        return self._unknown(f"no list of the builds of {name} {version} covers {what}")

    def _whole(self, row: _Row, kind: str | None) -> bool:
        """Whether the source of this row lists every build of that kind."""
        complete = self._groups[row.group].get("complete", ())
        return complete is True or kind in complete

    def _denied(self, name: str, version: str, label: str) -> bool:
        """Whether this release certainly has no such build.

        It is not in a list that is whole; or the torch that the release was compiled against has none, and
        without it there was nothing to compile against.
        """
        rows = self._of(name, version)
        kind = kind_of(label)
        if any(f"!{label}" in row.builds for row in rows):
            return True
        if any(label in row.labels for row in rows):
            return False
        torch = self._partners.get(name, {}).get(_key(version))
        return any(self._whole(row, kind) for row in rows) or bool(torch and self._denied("torch", torch, label))
