"""Whether a change of versions certainly helps: the tables must know the new releases."""

from __future__ import annotations

from itertools import islice

from torchlock.answers import Unknown
from torchlock.audit.install_sets import cells_where, demand_of
from torchlock.knowledge.build_labels import kind_of
from torchlock.knowledge.masks import bits
from torchlock.knowledge.stack import FAMILY
from torchlock.records import replace
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from torchlock.audit.context import AuditContext
    from torchlock.audit.index_builds import Offer
    from torchlock.audit.install_sets import Demand
    from torchlock.finding import Finding
    from torchlock.manifests.document import Entry

# Findings about targets without a wheel: the new release must have one on each declared target.
_ABOUT_WHEELS = frozenset({"TL212", "TL403"})
# Builds for a GPU. A change never takes another kind of build in their place.
_GPU = frozenset({"cuda", "rocm", "xpu"})
# The newest releases of a range that are looked up.
_NEWEST = 4


class Soundness:
    """Judges changes of one document: whether the new releases exist there, in the same kind of build."""

    def __init__(self, context: AuditContext) -> None:
        self._context = context
        self._stack = context.stack
        grid = context.target_grid if context.declares_platforms else context.target_grid & context.mainstream
        self._everywhere = context.likely(grid or context.target_grid)
        self._grid = context.likely(self._installed(grid or context.target_grid))

    def _installed(self, cells: int) -> int:
        """The cells where every pinned package has a wheel; all cells if no cell has them all."""
        left = cells
        for entry in self._context.document.entries:
            if entry.name in self._stack.packages and entry.channel == "pip" and entry.url is None:
                demand = demand_of(entry, self._stack)
                if demand.exact and demand.releases:
                    elsewhere = cells & ~cells_where(entry, self._stack)
                    left &= self._stack.packages[entry.name].cells_of(demand.releases) | elsewhere
        return left or cells

    def holds(self, changes: Mapping[int, str], faults: Iterable[Finding]) -> bool:
        """Whether these changes (entry by index → specifier) are certain to install, and keep the accelerator."""
        about = {name for each in faults if each.rule in _ABOUT_WHEELS for name, _ in each.packages}
        return all(
            self._is_sound(entry, new, entry.name in about)
            for entry, new in ((self._context.document.entries[index], new) for index, new in changes.items())
            if entry.specifier != new
        )

    def _is_sound(self, entry: Entry, new: str, everywhere: bool) -> bool:
        if entry.name not in self._stack.packages or entry.channel != "pip" or entry.url is not None:
            return True
        old, now = demand_of(entry, self._stack), demand_of(replace(entry, specifier=new), self._stack)
        offer = self._context.offer(entry)
        if not now.releases or not self._torch_is_known(entry):
            return False
        if offer.unknown:
            return True
        cells = (self._everywhere if everywhere else self._grid) & cells_where(entry, self._stack)
        there = self._has_wheels(now, offer, cells)
        if cells and not there:
            return False
        before = there if everywhere else self._has_wheels(old, offer, cells)
        declared = [mine for each in self._context.declared if (mine := each & cells)]
        if any(not there & each and (everywhere or before & each) for each in declared):
            return False
        kind = self._gpu_kind(old, offer)
        return kind is None or all(
            self._is_built_for(kind, now, offer, place)
            or not (everywhere or old.label or self._is_built_for(kind, old, offer, place))
            for place in self._platforms(there)
        )

    def _torch_is_known(self, entry: Entry) -> bool:
        """Whether the torch beside a companion is one that the tables have."""
        if entry.name == "torch" or entry.name not in self._stack.partners:
            return True
        torches = [
            demand_of(other, self._stack)
            for other in self._context.document.entries
            if other.name == "torch" and other.scope in ("", entry.scope) and other.step == entry.step
        ]
        return not torches or any(each.releases for each in torches)

    def _has_wheels(self, demand: Demand, offer: Offer, cells: int) -> int:
        """The cells for which the indexes certainly have a release of a demand."""
        return sum(1 << cell for cell in bits(cells) if self._has_wheel(demand, offer, cell))

    def _has_wheel(self, demand: Demand, offer: Offer, cell: int) -> bool:
        package, target = self._stack.packages[demand.name], self._stack.target(cell)
        place, python = str(target.platform), str(target.python)
        builds = self._context.known.builds
        asks = builds.published if demand.label else builds.serves
        labels = [demand.label] if demand.label else offer.ordered
        for index in self._newest(demand):
            text, installs = package.versions[index], bool(package.cells[index] >> cell & 1)
            if installs and not demand.label and (offer.public or offer.every):
                return True
            if demand.name not in FAMILY:
                continue
            for label in labels:
                known = asks(demand.name, text, label, place, python)
                # Many sources name no Pythons. The builds of a release are for those of the public index.
                if isinstance(known, Unknown) and installs:
                    known = asks(demand.name, text, label, place)
                if known is True:
                    return True
        return False

    def _newest(self, demand: Demand) -> Iterator[int]:
        package = self._stack.packages[demand.name]
        final = (demand.releases or 0) & ~package.prereleases or demand.releases or 0
        return islice(reversed(list(bits(final))), _NEWEST)

    def _platforms(self, cells: int) -> set[int]:
        return {place for place in range(len(self._stack.platforms)) if cells & self._stack.on_platform(place)}

    def _gpu_kind(self, demand: Demand, offer: Offer) -> str | None:
        """The kind of GPU build that the label or the first page of a demand asks for; None if none is."""
        kind = kind_of(demand.label or next(iter(offer.ordered), ""))
        return kind if kind in _GPU and demand.name in FAMILY else None

    def _is_built_for(self, kind: str, demand: Demand, offer: Offer, place: int) -> bool:
        """Whether what an installer takes is built for this kind of GPU. macOS has no such builds."""
        platform = self._stack.platforms[place]
        if platform.startswith("macos") or demand.label:
            return platform.startswith("macos") or kind_of(demand.label) == kind
        package, builds = self._stack.packages[demand.name], self._context.known.builds
        index = next(self._newest(demand), None)
        if index is None:
            return False
        text, public = package.versions[index], package.build(index, place)
        if any(builds.published(demand.name, text, page, platform) is True for page in offer.ordered):
            return True
        if offer.public and isinstance(public, str) and kind_of(public) == kind:
            return True
        # Old releases of companions were published in one build for all builds of torch.
        known = builds.labels(demand.name, text)
        alone = not isinstance(known, Unknown) and not any(kind_of(each) == kind for each in known)
        return alone and demand.name != "torch" and kind == "cuda"
