"""What the metadata of releases declares: of packages that use the stack, and of those that the stack requires.

The tables of dependents (``compat_data/dependents``) and the catalogue of releases answer. A release with a build
label has its own table, of its folder of the PyTorch index, because builds require different CUDA libraries.
"""

from __future__ import annotations

import re
from functools import cache, cached_property, lru_cache

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from torchlock.answers import Unknown
from torchlock.knowledge import tables
from torchlock.knowledge.build_files import build_catalogue, folders
from torchlock.knowledge.releases import DATE, Catalogue
from torchlock.knowledge.rules import specifier_set
from torchlock.records import NamedTuple
from torchlock.target import PythonVersion
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence, Set

    from torchlock.knowledge.compatibility import CompatibilityTable
    from torchlock.knowledge.releases import CatalogueRelease
    from torchlock.standards.dependency import Dependency
    from torchlock.target import Target


class Need(NamedTuple):
    """Requirements that one wheel declares, and the cells where an installer takes this wheel."""

    cells: int
    dependencies: Sequence[Dependency]


class DeclaringRelease:
    """A release with what it declares."""

    def __init__(self, release: CatalogueRelease, version: Version, stack: CompatibilityTable) -> None:
        self._release = release
        self._stack = stack
        self.name = release.name
        self.version = version

    @property
    def is_final(self) -> bool:
        """Whether an installer takes it for a range."""
        return self._release.yanked is None and not self.version.is_prerelease

    @property
    def of_sdist(self) -> bool:
        """Whether only a source distribution states its requirements. A build may state others."""
        return not self._release.tags

    @cached_property
    def needs(self) -> list[Need] | Unknown:
        """The requirements on each cell; unknown if a wheel's metadata was not read.

        Cells where the release does not install are left out, as far as its Python and the tags show it.
        """
        wheels = self._release.by_metadata() or [(-1, ["py3-none-any"])]
        found: dict[int, Need] = {}
        for wheel, listed in wheels:
            dependencies = self._release.dependencies(wheel)
            if isinstance(dependencies, Unknown):
                return dependencies
            cells = 0
            for tags in listed:
                cells |= cells_of_tags(self._stack, tags)
            cells &= cells_of_python(self._stack, self._release.requires_python(wheel if wheel >= 0 else 0))
            was = found.get(id(dependencies))
            found[id(dependencies)] = Need(cells | was.cells if was else cells, dependencies)
        pure = all(tags.endswith("-any") for _, listed in wheels for tags in listed)
        if self._release.has_sdist and len(found) == 1 and pure:
            # The wheels speak for the source distribution, which installs elsewhere. Compiled code is not built.
            everywhere = cells_of_python(self._stack, self._release.requires_python(0))
            return [need._replace(cells=everywhere) for need in found.values()]
        return list(found.values())

    @property
    def cells(self) -> int:
        """The cells where it installs."""
        needs = self.needs
        if isinstance(needs, Unknown):
            return cells_of_python(self._stack, self._release.requires_python(0))
        found = 0
        for need in needs:
            found |= need.cells
        return found

    @property
    def cells_of_sdist(self) -> int:
        """The cells of its Pythons, if it has a source distribution, which may build there."""
        python = self._release.requires_python(0 if self._release.tags else -1)
        return cells_of_python(self._stack, python) if self._release.has_sdist else 0

    @cached_property
    def by_name(self) -> dict[str, list[tuple[int, Dependency]]]:
        """Name → the requirements on it, each with its cells; empty if they are unknown."""
        found: dict[str, list[tuple[int, Dependency]]] = {}
        needs = self.needs
        for need in () if isinstance(needs, Unknown) else needs:
            for dependency in need.dependencies:
                if dependency.name != self.name and not dependency.address:
                    found.setdefault(dependency.name, []).append((need.cells, dependency))
        return found

    def on(self, names: Collection[str], cells: int) -> Iterator[tuple[int, Dependency]]:
        """The requirements on some packages, with those of the cells where they count."""
        for name in self.by_name:  # In the order of the metadata, so that the same finding comes first each time.
            for where, dependency in self.by_name[name] if name in names else ():
                if where & cells:
                    yield where & cells, dependency


@cache
def _dependents() -> Catalogue:
    root = tables.ROOT / "dependents"
    return Catalogue(root, date=root / DATE)


def final_tags(name: str, specifier: str = "") -> set[str]:
    """The tags of the wheels of a dependent, of the final releases that a specifier allows; none if not known.

    Raises:
        InvalidSpecifier: the specifier is not valid.
    """
    allowed = SpecifierSet(specifier)
    releases = [each for each in final_dependents(name) if allowed.contains(each.version)]
    return {tags for release in releases for tags in release.tags}


def final_dependents(name: str) -> list[CatalogueRelease]:
    """The final releases of a dependent, oldest first, without withdrawn ones; empty if no table has it."""
    return [
        each
        for each in _dependents().releases(name) or ()
        if (version := _version(each.version)) is not None and not version.is_prerelease and each.yanked is None
    ]


def first_for(name: str, tag: str) -> str:
    """The first final release of a dependent with a wheel whose platform is ``tag``; "" if no table has one.

    Also "" if the first known release has one: then no release is known to be without.
    """
    releases = final_dependents(name)
    having = [each.version for each in releases if any(tags.endswith(f"-{tag}") for tags in each.tags)]
    return having[0] if having and having[0] != releases[0].version else ""


def newest_declaring(name: str, requirement: str, target: Target | None) -> str:
    """The newest final release of a dependent whose wheels declare exactly a requirement; "" if none is known.

    With a target, only wheels that install there count.
    """
    for release in reversed(_dependents().releases(name) or ()):
        fitting = [at for at, tags in enumerate(release.tags) if target is None or target.rank(tags) is not None]
        declared = [release.dependencies(wheel) for wheel in fitting]
        needs = [[f"{need.name}{need.specifier}" for need in each] for each in declared if isinstance(each, list)]
        version = _version(release.version)
        if version is None or version.is_prerelease or release.yanked is not None or not needs:
            continue
        if all(requirement in each for each in needs):
            return release.version
    return ""


class Declarations:
    """The declared requirements of releases, by name and build. ``catalogue`` is that of the public index."""

    def __init__(self, catalogue: Catalogue, stack: CompatibilityTable) -> None:
        self._catalogue = catalogue
        self._stack = stack
        self._releases: dict[tuple[str, str], list[DeclaringRelease] | None] = {}
        self._names: dict[str, Set[str]] = {}
        self._allowed: dict[tuple[str, str, str], list[DeclaringRelease]] = {}
        self._disjoint: dict[tuple[str, str, str], bool | None] = {}

    @cached_property
    def _dependents(self) -> Catalogue:
        return _dependents()

    @cached_property
    def dependents(self) -> Set[str]:
        """The packages that use the stack, as far as the tables have them."""
        return frozenset(tables.load_compiled("declared.json")["dependents"])

    @cached_property
    def related(self) -> Set[str]:
        """The packages that declare something, as far as the tables have them, and all that they declare."""
        names = tables.load_compiled("declared.json")["names"]
        return frozenset(names).union(*names.values())

    def names(self, name: str) -> Set[str]:
        """The packages that any release of a package declares; empty if no table has it. It opens no table."""
        known = self._names.get(name)
        if known is None:
            known = self._names[name] = frozenset(tables.load_compiled("declared.json")["names"].get(name, ()))
        return known

    def versions(self, name: str) -> list[Version] | None:
        """All releases of a project on the public index, oldest first; None if no table has it."""
        releases = self.releases(name)
        return None if releases is None else [release.version for release in releases]

    def are_disjoint(self, name: str, one: str, other: str) -> bool | None:
        """Whether no release of a project, known or later, is in both specifier sets. Cached.

        None if no table has the project.
        """
        key = name, one, other
        if key not in self._disjoint:
            versions = self.versions(name)
            answer = None if versions is None else can_meet(one, other, versions)
            self._disjoint[key] = None if answer is None else not isinstance(answer, Unknown) and not answer
        return self._disjoint[key]

    def allowed(self, name: str, specifier: str, build: str = "") -> list[DeclaringRelease]:
        """The releases that a specifier set allows, newest first; empty if no table has the project. Cached.

        An installer takes a pre-release or a withdrawn release only for a pin.
        """
        key = name, specifier, build
        known = self._allowed.get(key)
        if known is None:
            wanted, exact = specifier_set(specifier), specifier.lstrip().startswith("==") and "*" not in specifier
            pin = _version(specifier.strip().lstrip("= ")) if exact else None
            known = self._allowed[key] = [
                release
                for release in reversed(self.releases(name, build) or ())
                if (pin is None or _numbers(release.version) == _numbers(pin))
                and wanted.contains(release.version)
                and (exact or release.is_final)
            ]
        return known

    def releases(self, name: str, build: str = "") -> list[DeclaringRelease] | None:
        """The releases of a project, oldest first; None if no table has it. ``build``: those with this label."""
        key = name, build
        if key not in self._releases:
            found = self._found(name, build)
            self._releases[key] = None if found is None else list(self._parsed(found))
        return self._releases[key]

    def _found(self, name: str, build: str) -> Sequence[CatalogueRelease] | None:
        if build:
            return build_catalogue(build).releases(name) if build in folders() else None
        return self._dependents.releases(name) or self._catalogue.releases(name)

    def _parsed(self, releases: Sequence[CatalogueRelease]) -> Iterator[DeclaringRelease]:
        for release in releases:
            version = _version(release.version)
            if version is not None:
                yield DeclaringRelease(release, version, self._stack)


@lru_cache(maxsize=8192)
def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _numbers(version: Version) -> tuple[int, ...]:
    """The numbers of a release without zeros at the end: equal versions have equal ones."""
    numbers = version.release
    while numbers and not numbers[-1]:
        numbers = numbers[:-1]
    return numbers


@lru_cache(maxsize=1024)
def cells_of_python(stack: CompatibilityTable, requires_python: str) -> int:
    """The cells whose Python a Requires-Python admits."""
    if not requires_python:
        return stack.everywhere
    return stack.on_pythons(
        [
            index
            for index, minor in enumerate(stack.pythons)
            if PythonVersion.parse(f"3.{minor}").satisfies(requires_python)
        ]
    )


@lru_cache(maxsize=4096)
def cells_of_tags(stack: CompatibilityTable, tags: str) -> int:
    """The cells for which a wheel with these tags was built; the floors of the platforms are not looked at."""
    interpreters, abis, platforms = tags.split("-")[-3:]
    pythons = {index for text in interpreters.split(".") for index in _pythons(stack, text, abis)}
    places = {place for text in platforms.split(".") for place in _places(stack, text)}
    return sum(stack.cell(stack.platforms.index(place), python) for place in places for python in pythons)


def _pythons(stack: CompatibilityTable, interpreter: str, abis: str) -> Iterator[int]:
    match = re.fullmatch(r"(cp|py)3(\d*)", interpreter)
    for index, minor in enumerate(stack.pythons) if match else ():
        least = int(match[2] or 0) if match else 0
        exact = match is not None and match[1] == "cp" and "abi3" not in abis
        if minor == least if exact else minor >= least:
            yield index


def _places(stack: CompatibilityTable, platform: str) -> Iterator[str]:
    if platform == "any":
        yield from stack.platforms
    elif platform.startswith("macosx"):
        for machine in ("arm64", "x86_64"):
            if platform.endswith((machine, "universal2")) or (machine == "x86_64" and platform.endswith("intel")):
                yield f"macos-{machine}"
    elif platform.startswith(("win", "linux", "manylinux")):
        system = "windows" if platform.startswith("win") else "linux"
        for machine in ("x86_64", "aarch64", "amd64", "arm64"):
            if platform.endswith(machine) and f"{system}-{machine}" in stack.platforms:
                yield f"{system}-{machine}"


def can_meet(specifier: str, declared: str, versions: Sequence[Version]) -> bool | Unknown:
    """Whether one release can satisfy both specifier sets; ``versions`` are the known releases of the project.

    The answer is unknown if only a release that is newer than the data could.
    """
    both = specifier_set(",".join(filter(None, (specifier, declared))))
    if any(both.contains(version) for version in reversed(versions)):  # Most requirements allow the newest one.
        return True
    newest = max(versions, default=Version("0"))
    parts = (newest.major, newest.minor, newest.micro)
    later = [".".join(map(str, [*parts[:at], parts[at] + 1])) for at in range(3)]
    if any(both.contains(text) for text in [*later, str(newest.major + 1000)]):
        return Unknown("a release that is newer than the data may satisfy both")
    return False
