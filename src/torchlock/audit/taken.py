"""The releases that an installer takes of any package of a file: pins, newest releases, and what others bring."""

from __future__ import annotations

from functools import cached_property, lru_cache, reduce
from operator import or_

from torchlock.answers import Unknown
from torchlock.audit.brought import Brought, brought, pieces, releases_taken
from torchlock.audit.install_sets import Demand, cells_where, demand_of, is_pinned
from torchlock.audit.limited_torch import limited_torch
from torchlock.audit.other_limits import limits_on
from torchlock.audit.phrasing import as_of, asked
from torchlock.audit.rules.declared_requirements import by_name, candidates, ignores_metadata, installs_on
from torchlock.audit.supplies import build_of, supplies_of
from torchlock.knowledge.masks import bits
from torchlock.knowledge.rules import BUILD_CUDA, cuda_version, specifier_set
from torchlock.knowledge.stack import FAMILY
from torchlock.records import NamedTuple, replace
from torchlock.standards.ordering import parsed
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence, Set

    from packaging.version import Version

    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import InstallSet
    from torchlock.audit.supplies import Supply
    from torchlock.manifests.document import Entry


class Taken(NamedTuple):
    """A release that an installer takes on some cells, and the entry of the file that names or brings it.

    ``words`` name the release and how it comes there. ``allowed`` are all releases that the file allows, of which
    it is the newest; empty for a pin. ``unread`` are packages whose metadata may ask for an older release.
    """

    version: Version
    cells: int
    demand: Demand
    words: str
    allowed: tuple[Version, ...] = ()
    unread: tuple[str, ...] = ()

    def said(self, about: str) -> str:
        """The release in words; the lines of the file themselves if they allow only what a rule is about."""
        wanted = specifier_set(about)
        if self.allowed and all(wanted.contains(version) for version in self.allowed):
            return asked(self.demand)
        return self.words


class Takes:
    """What an installer takes in one install set.

    ``wanted`` are all packages that will be asked for, ``more`` entries that count beside those of the file.
    """

    def __init__(
        self, context: AuditContext, install_set: InstallSet, wanted: Set[str], more: Sequence[Entry] = ()
    ) -> None:
        self._context = context
        self._set = install_set
        self._wanted = wanted
        self._known: dict[str, list[Taken]] = {}
        self._entries = [*context.sides.of_pip(install_set.scope), *more]
        self._named = by_name(self._entries)
        self._found: list[Brought] | None = None

    def of(self, name: str) -> list[Taken]:
        """The releases of a package; none if the file has it not, or if they are not known."""
        if name not in self._known:
            self._known[name] = list(self._of(name))
        return self._known[name]

    def present(self, name: str) -> int:
        """The cells where a package is installed, in any release; for the CUDA version, those of torch."""
        found = 0
        for taken in self.of("torch" if name == BUILD_CUDA else name):
            found |= taken.cells
        return found

    def _of(self, name: str) -> Iterable[Taken]:
        if name == BUILD_CUDA:
            return self._of_build()
        if name not in self._mentioned:
            return ()
        return self._of_stack(name) if name in self._context.stack.packages else self._of_other(name)

    def _of_stack(self, name: str) -> Iterator[Taken]:
        demands = self._set.demands.get(name, ())
        pins = [demand for demand in demands if demand.exact and demand.releases and not demand.entry.constraint]
        package = self._context.stack.packages[name]
        for demand in pins:
            index = (demand.releases or 1).bit_length() - 1
            cells = self._set.target_grid & cells_where(demand.entry, self._context.stack)
            yield Taken(package.parsed_versions[index], cells, demand, asked(demand))
        if not demands:
            yield from self._of_brought(name)
        elif not pins and self._set.releases(name):
            yield from self._newest(name)

    def _newest(self, name: str) -> Iterator[Taken]:
        """The newest releases of a member of the stack, as far as its indexes are known."""
        package, demand = self._context.stack.packages[name], self._set.first(name)
        versions = tuple(package.parsed_versions[index] for index in bits(self._set.releases(name) or 0))
        found = self._newest_on(self._set, name, self._ceilings if name == "torch" else ())
        for index in sorted(found, reverse=True):
            words = (
                f"{name} {package.versions[index]}, which an installer takes ({as_of(self._context.known.date)})"
            )
            yield Taken(package.parsed_versions[index], found[index], demand, words, versions)

    def _newest_on(self, install_set: InstallSet, name: str, limits: Iterable[tuple[int, int]]) -> dict[int, int]:
        """The newest releases of a member that a set and limits on some cells allow, with their cells."""
        stack, package = self._context.stack, self._context.stack.packages[name]
        allowed = limits_on(self._context, install_set, name).applied(install_set, name).releases(name) or 0
        found: dict[int, int] = {}
        for place, supply in enumerate(supplies_of(self._context, install_set, name)):
            mine = self._beside_torch(name, supply.there & allowed, place)
            for cell in bits(install_set.target_grid & stack.on_platform(place)):
                here = mine & ~package.prereleases & ~package.yanked & package.on(1 << cell)
                for cells, releases in limits:
                    here &= releases if cells >> cell & 1 else here
                latest = here.bit_length() - 1
                if latest >= 0 and not supply.maybe >> latest:
                    found[latest] = found.get(latest, 0) | 1 << cell
        return found

    @cached_property
    def _ceilings(self) -> list[tuple[int, int]]:
        """The releases of torch, on some cells, that pins of what torch requires too allow."""
        limits = limited_torch(self._context, self._set) if "torch" in self._set.demands else ()
        return [(one.cells, demand_of(one.entry, self._context.stack).releases or 0) for one in limits]

    def _beside_torch(self, name: str, releases: int, place: int) -> int:
        """The releases of a package that the metadata of the pinned torch or of pinned companions allows."""
        stack, left = self._context.stack, releases
        if name == "torch":
            for other in self._set.names():
                if other in stack.partners and other in FAMILY and self._set.first(other).exact:
                    left &= stack.declared(other, self._set.releases(other) or 0, place) or left
        elif name in stack.partners and "torch" in self._set.demands and self._set.first("torch").exact:
            for torch in bits(self._set.releases("torch") or 0):
                left &= stack.declared_beside(name, torch, place) or left
        return left or releases

    def _of_other(self, name: str) -> Iterator[Taken]:
        """The releases of a package outside of the stack."""
        stack, grid = self._context.stack, self._set.target_grid
        pins = [
            (version, entry)
            for entry in self._context.sides.pins_of(name, self._set.scope)
            if (version := exact_version(entry.specifier)) is not None
        ]
        for version, entry in pins:
            cells = grid & cells_where(entry, stack) & installs_on(self._context, entry)
            yield Taken(version, cells, Demand(entry, None, exact=True), f"{name} {version}")
        named = [entry for entry in self._named.get(name, ()) if not entry.constraint]
        if named and not pins and not self._set.locked and all(entry.url is None for entry in named):
            yield from self._of_range(name, named)
        elif not named and not pins:
            yield from self._of_brought(name)

    def _of_range(self, name: str, named: Sequence[Entry]) -> Iterator[Taken]:
        """The newest releases that all lines about a package and the metadata of others allow."""
        demand = Demand(named[0], None)
        own = ",".join(entry.specifier for entry in self._named[name] if entry.specifier)
        others = [one.entry.specifier for one in self._brought if one.entry.name == name and one.entry.specifier]
        line = replace(named[0], specifier=",".join(filter(None, (own, *others))))
        cells = 0
        for entry in named:
            cells |= self._set.target_grid & cells_where(entry, self._context.stack)
        allowed = tuple(release.version for release in candidates(self._context, replace(named[0], specifier=own)))
        unread = () if "<" in own or "~=" in own or "*" in own else self._unread
        for release, here in releases_taken(self._context, line, self._named, cells):
            words = self._newest_of(name, release.version)
            yield Taken(release.version, here, demand, words, allowed, unread)

    def _newest_of(self, name: str, version: Version) -> str:
        return f"{name} {version}, which an installer takes ({as_of(self._context.known.oldest_date)})"

    def _of_brought(self, name: str) -> Iterator[Taken]:
        """The releases of a package that the file does not name."""
        mine = [one for one in self._brought if one.entry.name == name]
        cells = reduce(or_, (one.cells for one in mine), 0)
        for here, about in pieces(cells, mine):
            yield from self._of_piece(name, here, about)

    def _of_piece(self, name: str, cells: int, mine: Sequence[Brought]) -> Iterator[Taken]:
        """The releases on the cells where packages bring exactly these requirements."""
        joined = ",".join(dict.fromkeys(one.entry.specifier for one in mine if one.entry.specifier))
        first = mine[0]
        lead = next(entry for entry in self._entries if entry.name == first.lead)
        demand = Demand(lead, None, exact=is_pinned(lead.specifier))
        text = f", which {first.chain[-1]} brings"
        version = exact_version(joined)
        if version is not None:
            yield Taken(version, cells, demand, f"{name} {version}{text}")
        elif name in FAMILY:
            yield from self._of_family(name, cells, replace(first.entry, specifier=joined), demand, text)
        else:
            entry = replace(first.entry, specifier=joined)
            for release, here in releases_taken(self._context, entry, self._named, cells):
                words = f"{name} {release.version}{text}"
                yield Taken(release.version, here, demand, words, unread=self._unread)

    def _of_family(self, name: str, cells: int, entry: Entry, demand: Demand, text: str) -> Iterator[Taken]:
        """The newest releases of a companion that another package brings, beside the torch that is taken."""
        stack, package = self._context.stack, self._context.stack.packages[name]
        brought_one = demand_of(replace(entry, marker=""), stack)
        if name == "torch" or brought_one.releases is None:
            return
        demands = {**self._set.demands, name: [brought_one]}
        whole = replace(self._set, demands=demands, target_grid=cells, _releases={}, _first={})
        beside = [(torch.cells, self._declared_beside(name, torch)) for torch in self.of("torch")]
        for index, here in sorted(self._newest_on(whole, name, beside).items(), reverse=True):
            words = f"{name} {package.versions[index]}{text} ({as_of(self._context.known.date)})"
            yield Taken(package.parsed_versions[index], here, demand, words, unread=self._unread)

    def _declared_beside(self, name: str, torch: Taken) -> int:
        """The releases of a companion whose metadata allows a torch on some of its platforms."""
        stack, found = self._context.stack, 0
        index = stack.packages["torch"].parsed_versions.index(torch.version)
        for place in range(len(stack.platforms)):
            if torch.cells & stack.on_platform(place):
                found |= stack.declared_beside(name, index, place)
        return found or -1

    def _of_build(self) -> Iterator[Taken]:
        """The CUDA version of the build of torch, for each release and platform."""
        stack = self._context.stack
        if "torch" not in self._set.demands:
            return
        for taken in self.of("torch"):
            if taken.demand.entry.channel == "conda":
                continue
            index = stack.packages["torch"].parsed_versions.index(taken.version)
            supplies = supplies_of(self._context, self._set, "torch")
            for place in range(len(stack.platforms)):
                cells = taken.cells & stack.on_platform(place)
                cuda = (
                    self._cuda(index, place, supplies[place]._replace(label=taken.demand.label)) if cells else None
                )
                if cuda is not None:
                    joint = " and which" if taken.allowed else ", which"
                    words = f"{taken.words}{joint} is built for CUDA {cuda}"
                    yield taken._replace(version=parsed(cuda), cells=cells, words=words, allowed=())

    def _cuda(self, index: int, place: int, supply: Supply) -> str | None:
        build = build_of(self._context.known, "torch", index, place, supply)
        found = Unknown("") if isinstance(build, Unknown) else cuda_version(build)
        return None if isinstance(found, Unknown) or found == "0" else found

    @cached_property
    def _mentioned(self) -> frozenset[str]:
        """The packages that the file names, and of those that are asked for what its packages bring."""
        return self._context.sides.names.union(self._set.demands, (one.entry.name for one in self._brought))

    @property
    def _brought(self) -> list[Brought]:
        """What packages of the file bring of the packages that are asked for."""
        if self._found is None:
            self._found = []
            if not self._set.locked and not ignores_metadata(self._context.document):
                entries = [self._of_today(entry) for entry in self._entries]
                self._found = list(brought(self._context, self._set, self._wanted, entries))
        return self._found

    def _of_today(self, entry: Entry) -> Entry:
        """An entry of torch without a pin, with the release that an installer takes."""
        if entry.name != "torch" or is_pinned(entry.specifier) or entry.url or "torch" not in self._set.names():
            return entry
        newest = next(iter(self._newest("torch")), None)
        return entry if newest is None else replace(entry, specifier=f"=={newest.version}")

    @property
    def _unread(self) -> tuple[str, ...]:
        """The packages of the file whose metadata is not known."""
        known = self._context.known.declared
        return tuple(
            dict.fromkeys(
                entry.name or entry.text
                for entry in self._entries
                if not entry.constraint and (entry.url is not None or known.releases(entry.name) is None)
            )
        )


@lru_cache(maxsize=8192)
def exact_version(specifier: str) -> Version | None:
    """The one version that a specifier set allows, without its label."""
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    try:
        clauses = list(SpecifierSet(specifier))
        if len(clauses) != 1 or clauses[0].operator not in ("==", "===") or clauses[0].version.endswith(".*"):
            return None
        return Version(clauses[0].version.partition("+")[0])
    except ValueError:
        return None
