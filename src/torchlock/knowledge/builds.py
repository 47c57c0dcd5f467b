"""The builds of each release on the PyTorch wheel index.

``compat_data/builds/published.toml`` lists the local versions (``2.5.1+cu124``) of each release. The table is
complete for some releases only; the answer about a build that it does not cover is ``Unknown``.
"""

from __future__ import annotations

from functools import cache, cached_property

from packaging.version import Version

from torchlock.answers import Unknown
from torchlock.errors import DataError
from torchlock.knowledge import tables
from torchlock.knowledge.build_labels import kind_of
from torchlock.records import NamedTuple
from torchlock.standards.versions import without_trailing_zeros
from torchlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torchlock.finding import Evidence


class _Row(NamedTuple):
    """The builds of one release. An empty set of platforms or Pythons means that the source does not name them."""

    group: int
    platforms: frozenset[str]
    pythons: frozenset[str]
    builds: frozenset[str]

    @property
    def labels(self) -> frozenset[str]:
        """The labels of the release; "" for the plain build."""
        return frozenset("" if build.startswith("plain") else build for build in self.builds if build[0] != "!")


@cache
def _key(version: str) -> str | None:
    """A normalised release (2 for 2.0.0), without label; None for a pre-release or an invalid version."""
    try:
        parsed = Version(version)
    except ValueError:
        return None
    if parsed.is_prerelease:
        return None
    release = without_trailing_zeros(parsed.base_version)
    return release if parsed.post is None else f"{release}.post{parsed.post}"


class _Keyed:
    """Values by release, however the version is written. Most packages and releases are never asked for."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values.items()

    @cached_property
    def _by_key(self) -> dict[str | None, Any]:
        return {_key(version): value for version, value in self._values}

    def get(self, version: str) -> Any:
        key = _key(version)
        return self._by_key.get(key) if key else None

    def keys(self) -> list[str]:
        return [key for key in self._by_key if key is not None]


def build_table() -> Builds:
    """The bundled table of builds, which is parsed once.

    Raises:
        DataError: the table is missing or damaged.
    """
    return _bundled(tables.ROOT / "compiled" / "builds.json")


@cache
def _bundled(path: Path) -> Builds:
    return Builds(path)


class Builds:
    """The table of builds. ``date`` is the day of its newest facts.

    Raises:
        DataError: the table is missing or damaged.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or tables.ROOT / "compiled" / "builds.json"
        table = tables.load_json(self._path)
        try:
            self.date: str = table["date"]
            self._groups: list[dict[str, Any]] = table["groups"]
            self._sources: dict[str, dict[str, str]] = table["sources"]
            self._partners = {name: _Keyed(pairs) for name, pairs in table["partners"].items()}
            self._packages = {name: _Keyed(releases) for name, releases in table["packages"].items()}
            self._rows: dict[tuple[str, str], list[_Row]] = {}
            self._answers: dict[tuple[str | None, ...], bool | Unknown] = {}
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(f"damaged ({error})", path=str(self._path)) from error

    def releases(self, name: str) -> list[str]:
        """The releases of a package that the table has, without labels and trailing zeros, in no order."""
        packages = self._packages.get(name)
        return [] if packages is None else packages.keys()

    @cached_property
    def all_labels(self) -> frozenset[str]:
        """The labels of all builds of torch in the table."""
        rows = [row for version in self.releases("torch") for row in self._of("torch", version)]
        return frozenset(label for row in rows for label in row.labels)

    def labels(self, name: str, version: str) -> frozenset[str] | Unknown:
        """The known labels of this release ("" for the plain build). More labels may exist."""
        rows = self._of(name, version)
        return frozenset().union(*(row.labels for row in rows)) if rows else self._no_list(name, version)

    def published(
        self, name: str, version: str, label: str, platform: str | None = None, python: str | None = None
    ) -> bool | Unknown:
        """Whether the PyTorch index ever had this build, for a platform and a Python (3.12, 3.13t) if given."""
        key = name, version, label, platform, python
        if key not in self._answers:
            self._answers[key] = self._judge_published(*key)
        return self._answers[key]

    def _judge_published(
        self, name: str, version: str, label: str, platform: str | None, python: str | None
    ) -> bool | Unknown:
        rows = self._of(name, version)
        if not rows:
            return self._no_list(name, version)
        named = [row for row in rows if label in row.labels]
        there = [row for row in named if not platform or not row.platforms or platform in row.platforms]
        if (there and not python) or any(python in row.pythons for row in there):
            return True
        kind = kind_of(label)
        if kind is None:  # a plain build may be on the public index, and a vendor build on the vendor's index
            return self._unknown(f"+{label} is not a label of the PyTorch index" if label else "it has no label")
        if platform and platform.startswith("macos"):
            return False
        if there:  # only for other Pythons, or no source names the Pythons
            whole = any(row.pythons and self._whole(row, kind) for row in there)
            return False if whole else self._no_whole_list(name, version, f"Python {python}")
        if self._denied(name, version, label, platform):
            return False
        if platform and any(f"plain={label}" in row.builds and platform in row.platforms for row in rows):
            return False  # the folder has the wheels of that platform without a label
        if named:  # only for other platforms
            listed = any(platform in row.platforms for row in rows if self._whole(row, kind))
            return False if listed else self._no_whole_list(name, version, str(platform))
        return self._no_whole_list(name, version, f"+{label}")

    def serves(
        self, name: str, version: str, label: str, platform: str | None = None, python: str | None = None
    ) -> bool | Unknown:
        """Whether the page of one build (``…/whl/cu101``) ever had this release.

        A plain build on that page counts: the page of CUDA 10.1 has torch 1.4.0 without a label.
        """
        for row in self._of(name, version):
            plain = "plain" in row.builds or f"plain={label}" in row.builds
            if plain and (not platform or platform in row.platforms) and (not python or python in row.pythons):
                return True
        if label == "cpu" and platform and platform.startswith("macos"):  # these wheels have no label
            return self._no_whole_list(name, version, platform)
        return self.published(name, version, label, platform, python)

    def source_of(
        self, name: str, version: str, label: str | None = None, platform: str | None = None
    ) -> tuple[Evidence, ...]:
        """The sources of the facts about this release; with a label, the sources that decide about that build.

        A release may be decided by the torch that it was compiled against. Then these are the sources about that
        torch. A platform is that of the question (``published``).
        """
        rows = self._of(name, version)
        if label is not None:
            about = [row for row in rows if label in row.labels or f"!{label}" in row.builds]
            said = [row for row in about if not platform or not row.platforms or platform in row.platforms]
            whole = [row for row in rows if self._whole(row, kind_of(label))]
            torch = self._torch_of(name, version)
            if not said and not whole and torch and self._denied(name, version, label, platform):
                return self.source_of("torch", torch, label, platform)
            rows = said or whole or rows
        from torchlock.finding import Evidence

        ids = dict.fromkeys(source for row in rows for source in self._groups[row.group]["sources"])
        return tuple(Evidence.from_row(source, self._sources[source]) for source in ids)

    def _of(self, name: str, version: str) -> list[_Row]:
        known = self._rows.get((name, version))
        if known is None:
            known = self._rows[name, version] = self._read(name, version)
        return known

    def _read(self, name: str, version: str) -> list[_Row]:
        package = self._packages.get(name)
        if package is None:
            return []
        try:
            return [_Row(row[0], *map(frozenset, row[1:])) for row in package.get(version) or ()]
        except (TypeError, IndexError) as error:
            raise DataError(f"damaged ({error})", path=str(self._path), key=f"packages.{name}") from error

    def _torch_of(self, name: str, version: str) -> str | None:
        """The one torch that a release was compiled against, if that is known."""
        pairs = self._partners.get(name)
        torch: str | None = pairs.get(version) if pairs is not None else None
        return torch

    def _unknown(self, because: str) -> Unknown:
        return Unknown(because, self.date)

    def _no_list(self, name: str, version: str) -> Unknown:
        return self._unknown(f"the table of builds does not cover {name} {version}")

    def _no_whole_list(self, name: str, version: str, what: str) -> Unknown:
        return self._unknown(f"no list of the builds of {name} {version} covers {what}")

    def _whole(self, row: _Row, kind: str | None) -> bool:
        """Whether the source of this row lists all builds of that kind."""
        complete = self._groups[row.group].get("complete", ())
        return complete is True or kind in complete

    def _denied(self, name: str, version: str, label: str, platform: str | None = None) -> bool:
        """Whether this release certainly has no such build, on one platform or, without a platform, on all.

        Either a source says so, or a complete list does not have it, or the torch that the release was compiled
        against has no such build.
        """
        rows = self._of(name, version)
        if any(f"!{label}" in row.builds and (not row.platforms or platform in row.platforms) for row in rows):
            return True
        named = any(label in row.labels for row in rows)
        if named and platform is None:
            return False
        if not named and any(self._whole(row, kind_of(label)) for row in rows):
            return True
        torch = self._torch_of(name, version)
        return bool(torch and self._denied("torch", torch, label, platform))
