"""What a document is judged by: its entries, the knowledge, the targets; and how findings about it are made."""

from __future__ import annotations

import os
from functools import cached_property

from torchlock.audit.brought_memory import BroughtMemory
from torchlock.audit.index_builds import offer_of
from torchlock.audit.install_sets import install_sets_of
from torchlock.audit.sides import Sides
from torchlock.audit.tried import is_tried
from torchlock.finding import Evidence, Finding, Strength
from torchlock.knowledge.severity import limited
from torchlock.location import NOWHERE
from torchlock.records import dataclass, replace
from torchlock.target import SUPPORT_ENDS
from torchlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from torchlock.audit.index_builds import Offer
    from torchlock.audit.install_sets import Demand, InstallSet, InstallSets
    from torchlock.knowledge.build_hashes import HashTable
    from torchlock.knowledge.builds import Builds
    from torchlock.knowledge.compatibility import CompatibilityTable
    from torchlock.knowledge.declared import Declarations
    from torchlock.knowledge.gpus import Gpu
    from torchlock.knowledge.releases import Catalogue, CatalogueRelease
    from torchlock.knowledge.rules import Matrix, Statement
    from torchlock.location import Place
    from torchlock.manifests.document import Document, Entry

# A conflict on one of these platforms is a warning even if the file declares no platform.
_MAINSTREAM = ("linux-x86_64", "windows-amd64", "macos-arm64")


@dataclass(eq=False)
class Knowledge:
    """The knowledge that every document is judged by. It caches answers, so two objects are never equal."""

    stack: CompatibilityTable
    matrix: Matrix
    libraries: Mapping[str, str | None]
    """Host libraries of the target → their versions, None for a library that is known to be missing."""
    gpus: tuple[Gpu, ...] = ()
    """The GPUs of the target, if the command line names them."""
    wanted: tuple[str, ...] = ()
    """The builds that the command line asks for, the preferred one first; empty: those that a file asks for."""
    wanted_by_machine: bool = False
    """Whether these are the builds that a machine runs."""

    @cached_property
    def date(self) -> str:
        """The date of the catalogue (a snapshot of the public index)."""
        return self.matrix.source("catalogue").date or self.matrix.date

    @cached_property
    def oldest_date(self) -> str:
        """The date of the older of the catalogue and of what dependents declare: an update has only the stack."""
        return min(self.date, self.matrix.source("dependents-metadata").date or self.date)

    @cached_property
    def with_current_pythons(self) -> int:
        """The cells of Pythons that were supported within the year before the date of the tables."""
        year, month = self.date[:4], self.date[4:7]
        since = f"{int(year) - 1}{month}"
        current = [index for index, minor in enumerate(self.stack.pythons) if SUPPORT_ENDS[minor] > since]
        return self.stack.on_pythons(current)

    def forbidding(self, name: str) -> list[Statement]:
        """The statements about a package that forbid another package."""
        if name not in self._forbidding:
            self._forbidding[name] = [statement for statement in self.matrix.about(name) if statement.forbids]
        return self._forbidding[name]

    @cached_property
    def digests(self) -> dict[tuple[str, str], set[str]]:
        """A cache: the SHA-256 hashes of the files of a release."""
        return {}

    @cached_property
    def newest_on_page(self) -> dict[tuple[str, int, str, int], Any]:
        """A cache: package, releases, page and cell → the newest of the releases on the page."""
        return {}

    @cached_property
    def has_wheel(self) -> dict[tuple[str, int, str, int], bool]:
        """A cache: package, releases, build and cell → whether one of the releases may have a wheel there."""
        return {}

    def hash_table(self, name: str, version: str) -> HashTable:
        """The hashes of a release on all pages; cached."""
        from torchlock.knowledge.build_hashes import HashTable

        if (name, version) not in self._hash_tables:
            self._hash_tables[name, version] = HashTable(name, version, self.catalogue)
        return self._hash_tables[name, version]

    @cached_property
    def _hash_tables(self) -> dict[tuple[str, str], HashTable]:
        return {}

    @cached_property
    def _forbidding(self) -> dict[str, list[Statement]]:
        return {}

    @cached_property
    def builds(self) -> Builds:
        """The table of builds. It is read only if the file names a label or an index with labels."""
        from torchlock.knowledge.builds import build_table

        return build_table()

    @cached_property
    def catalogue(self) -> Catalogue:
        """The catalogue. It is read only for facts that the compatibility table does not have."""
        from torchlock.knowledge.releases import Catalogue

        return Catalogue()

    @cached_property
    def declared(self) -> Declarations:
        """What releases declare. The tables are read only for packages that a file names."""
        from torchlock.knowledge.declared import Declarations

        return Declarations(self.catalogue, self.stack)


@dataclass(eq=False)
class AuditContext:
    """A document, the knowledge, and the target grid to judge it on: a mask with a bit for each cell.

    A cell is one Python on one platform.

    ``declared`` are sets of cells that the document (or the command line) names; each must have a cell that works.
    A failure on another cell is not an error. ``assumed`` are sets of cells that the document may be for.
    """

    document: Document
    known: Knowledge
    target_grid: int
    declared: tuple[int, ...]
    assumed: tuple[int, ...] = ()
    platforms_given: bool = False
    pythons_given: bool = False

    @property
    def stack(self) -> CompatibilityTable:
        return self.known.stack

    @property
    def install_sets(self) -> list[InstallSet]:
        """The sets of entries that are judged; one set is installed together."""
        return self._install_sets.install_sets

    @property
    def left_out(self) -> list[str]:
        """The scopes that are not judged because the file has too many."""
        return self._install_sets.left_out

    def once(self, what: Callable[[Document], bool]) -> bool:
        """What a function says about the document, found once for all install sets."""
        if what not in self._facts:
            self._facts[what] = what(self.document)
        return self._facts[what]

    @cached_property
    def _facts(self) -> dict[Callable[[Document], bool], bool]:
        return {}

    @cached_property
    def _install_sets(self) -> InstallSets:
        dependents = self.known.declared.dependents
        return install_sets_of(self.document, self.known.stack, self.target_grid, dependents)

    def widened(self, install_set: InstallSet, names: Collection[str]) -> InstallSet:
        """These packages of a set, on the targets of all sets of its scope that request the same of them.

        A marker on another package splits the targets, but a statement about these packages holds in all parts.
        The set itself if no other one is like it.
        """

        def asked(each: InstallSet) -> list[list[int]]:
            return [[id(demand.entry) for demand in each.demands.get(name, ())] for name in names]

        mine = asked(install_set)
        alike = [each for each in self._by_scope[install_set.scope] if asked(each) == mine]
        if len(alike) < 2:
            return install_set
        cells = sum(each.target_grid for each in alike)
        demands = {name: install_set.demands[name] for name in names if name in install_set.demands}
        return replace(install_set, target_grid=cells, demands=demands, _releases={}, _first={})

    @cached_property
    def _by_scope(self) -> dict[str, list[InstallSet]]:
        found: dict[str, list[InstallSet]] = {}
        for each in self.install_sets:
            found.setdefault(each.scope, []).append(each)
        return found

    @cached_property
    def from_unknown(self) -> dict[tuple[str, str], list[InstallSet]]:
        """Package and specifier → the first two install sets that take it from an index with unknown content."""
        found: dict[tuple[str, str], list[InstallSet]] = {}
        for install_set in self.install_sets:
            for demand in (one for demands in install_set.demands.values() for one in demands):
                there = found.setdefault((demand.name, demand.entry.specifier), [])
                if (
                    len(there) < 2
                    and not any(install_set is other for other in there)
                    and self.offer(demand.entry).unknown
                ):
                    there.append(install_set)
        return found

    def offer(self, entry: Entry) -> Offer:
        """The indexes that an entry can come from. The answer for each index is cached."""
        # Most files have no command with indexes of its own, so that the command makes no difference.
        key = entry.index, entry.step if entry.step in self._steps_with_indexes else -1
        if key not in self._offers:
            self._offers[key] = offer_of(entry, self.document)
        return self._offers[key]

    @cached_property
    def _steps_with_indexes(self) -> frozenset[int]:
        return frozenset({0, *(step for line in self.document.indexes for step in line.steps)})

    @cached_property
    def _offers(self) -> dict[tuple[str | None, int], Offer]:
        return {}

    @cached_property
    def brought(self) -> BroughtMemory:
        """What ``audit.brought`` has worked out."""
        return BroughtMemory()

    @cached_property
    def sides(self) -> Sides:
        """The entries of the document by scope, for rules that look beyond one install set."""
        return Sides(self.document.entries)

    @property
    def declares_platforms(self) -> bool:
        """Whether the document declares its platforms."""
        return bool(self.document.platforms) and not self.document.assumed

    @property
    def mainstream(self) -> int:
        """The cells of the most common platforms, or all cells if the command line names platforms."""
        if self.platforms_given:
            return self.target_grid
        return sum(self.stack.on_platform(self.stack.platforms.index(name)) for name in _MAINSTREAM)

    def likely(self, cells: int) -> int:
        """The cells that a file may be for: none with an outdated Python, unless it names its Pythons.

        A file that installs on outdated Pythons only is for these; a base image has one that is not known.
        """
        named = self.pythons_given or self.document.python or self.document.hidden_python
        return cells if named else cells & self.known.with_current_pythons or cells

    def statement(
        self,
        statement: Statement,
        severity: str,
        message: str,
        demands: Sequence[Demand],
    ) -> Finding:
        """A finding that a statement of the rules supports."""
        # A machine may have the library without which a release does not load.
        about_codec = statement.rule == "TL102"
        untried = bool(statement.without) or (about_codec and not is_tried(statement, self.stack, demands))
        strength = Strength.DECLARED if untried else Strength.MEASURED
        severity = limited(statement.rule, severity, effect=statement.effect, strength=strength)
        because = _named(statement.because or self.known.matrix.because(statement.rule), statement, message)
        return self.finding(statement.rule, severity, message, demands, because, statement.sources)

    def finding(
        self,
        rule: str,
        severity: str,
        message: str,
        demands: Iterable[Demand],
        because: str = "",
        sources: Iterable[str] = (),
    ) -> Finding:
        """A finding about some demands; its place is the first of them that is in this file."""
        demands = list(demands)
        places = self.places(demand.entry for demand in demands)
        return Finding(
            rule,
            limited(rule, severity),
            message + self._elsewhere(demands),
            places[0] if places else NOWHERE,
            because=because or self.known.matrix.because(rule),
            packages=tuple((demand.name, demand.entry.specifier.removeprefix("==")) for demand in demands),
            sources=tuple(self.evidence(source) for source in (sources or self.known.matrix.sources_of(rule))),
            related=tuple(places[1:]),
        )

    def _elsewhere(self, demands: Sequence[Demand]) -> str:
        """The files that name the packages of a finding, if it is not this file alone."""
        others = {
            demand.name: f"{os.path.normpath(demand.entry.path)}:{demand.entry.place.line}"
            for demand in demands
            if demand.entry.path != self.document.path and demand.entry.via.line and demand.entry.place.line
        }
        return "".join(f"; {name} is in {place}" for name, place in others.items())

    def places(self, entries: Iterable[Entry]) -> list[Place]:
        """The places of entries in this file, without duplicates; of included entries, the line that includes."""
        entries = list(entries)
        here = [entry.place for entry in entries if entry.path == self.document.path]
        there = [entry.via for entry in entries if entry.path != self.document.path and entry.via.line]
        return list(dict.fromkeys([*here, *there]))

    def reason_yanked(self, name: str, version: str) -> str:
        """The authors' reason for withdrawing a release."""
        return next((release.yanked or "" for release in self._releases(name) if release.version == version), "")

    def digests(self, name: str, version: str) -> set[str]:
        """The SHA-256 hashes of all files that the public index has for a release."""
        known = self.known.digests.get((name, version))
        if known is None:
            releases = [release for release in self._releases(name) if release.version == version]
            known = {file.hashes.get("sha256", "") for release in releases for file in release.files()}
            self.known.digests[name, version] = known
        return known

    def tags(self, name: str, version: str) -> Sequence[str]:
        """The tag part of the name of each wheel of a release."""
        return [tags for release in self._releases(name) if release.version == version for tags in release.tags]

    def _releases(self, name: str) -> Sequence[CatalogueRelease]:
        return self.known.catalogue.releases(name) or ()

    def evidence(self, source: str) -> Evidence:
        return self.known.matrix.source(source)


def _named(because: str, statement: Statement, message: str) -> str:
    """A reason that names its package where the message begins with another one: "its" would be ambiguous."""
    name = statement.when.name
    if message.startswith(f"{name} "):
        return because
    possessive, subject = because.startswith("its "), because.startswith("it ")
    return f"{name}'s {because[4:]}" if possessive else f"{name} {because[3:]}" if subject else because
