"""From a document to its demands on each package and target, as masks of releases, and builds."""

from __future__ import annotations

import re
from functools import lru_cache

from torchlock.errors import InputError
from torchlock.knowledge.build_labels import is_published
from torchlock.manifests.formats import BY_KIND
from torchlock.manifests.syntax.pep508 import wheel_of
from torchlock.patterns import pattern
from torchlock.records import NamedTuple, dataclass, field, replace
from torchlock.standards.markers import variables_in
from torchlock.standards.versions import version_of
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    from torchlock.knowledge.compatibility import CompatibilityTable
    from torchlock.manifests.document import Document, Entry

# Scopes that are installed in a separate environment, not with the project.
ALONE = ("group:build-system", "alone:")
_LOCAL = pattern(r"(===?|!=)\s*([^\s,+=]+)\+([\w.\-]+)")
_HIDDEN_LABEL = pattern(r"\+[^\s;+]*[$%{]")
_EXACT = pattern(r"===?\s*[^\s,*]+")
# The limit on the demands that are judged in one file, over all install sets.
_MOST = 20_000
_UNFINISHED = pattern(r"\d(?:a|b|rc|\.?dev)\d", re.IGNORECASE)


class Demand(NamedTuple):
    """What one entry requires. ``releases`` is None if the compatibility table cannot have these releases.

    ``label`` is the build that it pins (``cu118``), "" for none. ``why`` says why ``releases`` is None: ``url``,
    ``image`` (the content of a base image), ``vendor``, ``unfinished`` (a nightly or other pre-release),
    ``newer``, ``absent`` (never published), ``unreadable``.
    """

    entry: Entry
    releases: int | None
    label: str = ""
    exact: bool = False
    why: str = ""

    @property
    def name(self) -> str:
        return self.entry.name


def with_pin(entry: Entry) -> Entry:
    """An entry with the version in the name of the wheel that it names by its address."""
    wheel = wheel_of(entry.url) if entry.url is not None and not entry.specifier else None
    return entry if wheel is None else replace(entry, specifier=f"=={wheel[1]}")


@lru_cache(maxsize=8192)
def pinned(specifier: str) -> Version | None:
    """The version that a specifier set pins exactly, if any."""
    return version_of(specifier.strip().lstrip("= ")) if _EXACT.fullmatch(specifier.strip()) else None


def demand_of(entry: Entry, stack: CompatibilityTable) -> Demand:
    """Make the demand of one entry."""
    specifier = entry.specifier
    if entry.url is not None and entry.url.startswith("image:"):
        return Demand(entry, None, why="image")
    if entry.url is not None:
        specifier = _of_wheel(entry.url)
        if not specifier:
            return Demand(entry, None, why="url")
    demand = Demand(entry, *_reading(entry.name, specifier, stack))
    # A wheel with its own address exists, even if the indexes do not have its release.
    return demand._replace(why="url") if entry.url is not None and demand.releases is None else demand


def hides_label(entry: Entry) -> bool:
    """Whether a variable is the build label of an entry (``torch==2.1.0+${CUDA}``), so that no label is known."""
    return entry.url is None and _HIDDEN_LABEL.search(entry.text) is not None


@lru_cache(maxsize=8192)
def _reading(name: str, specifier: str, stack: CompatibilityTable) -> tuple[int | None, str, bool, str]:
    """The fields of a demand other than its entry."""
    local = _LOCAL.search(specifier)
    label = local[3].lower() if local and local[1] != "!=" else ""
    specifier = _LOCAL.sub(r"\1\2", specifier)
    package = stack.packages[name]
    exact = bool(_EXACT.fullmatch(specifier.strip()))
    if label and not is_published(label):
        return None, label, exact, "vendor"
    try:
        releases = package.mask(specifier)
    except ValueError:
        return None, label, exact, "unreadable"
    if releases:
        return releases, label, exact, ""
    return None, label, exact, _absence(specifier, exact, package.versions[-1])


def _of_wheel(url: str) -> str:
    """The pin that is equivalent to the address of a wheel; "" if the address is not one of a wheel."""
    wheel = wheel_of(url)
    return f"=={wheel[1]}" if wheel else ""


def _absence(specifier: str, exact: bool, newest: str) -> str:
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    if _UNFINISHED.search(specifier):
        return "unfinished"
    allowed = SpecifierSet(specifier, prereleases=True)
    try:
        if exact:
            version = Version(re.sub(r"^===?\s*", "", specifier.strip()))
            return "newer" if version > Version(newest) else "absent"
        # A very high version represents all future releases.
        return "newer" if _open(allowed, Version(newest)) else "absent"
    except ValueError:  # ``===`` accepts any text
        return "absent"


def _open(allowed: SpecifierSet, newest: Version) -> bool:
    from packaging.version import Version

    named = [clause.version.removesuffix(".*") for clause in allowed if clause.operator != "!="]
    above = [text for text in named if Version(text) > newest]
    coming = [f"{newest.major}.{newest.minor + step}" for step in range(1, 4)] + ["9999"]
    return any(allowed.contains(text) for text in [*above, *(f"{text}.1" for text in above), *coming])


class LeftBehind(NamedTuple):
    """A companion that an earlier command chose for its ``earlier`` torch; ``torch`` is what replaces that one."""

    companion: Demand
    earlier: Demand
    torch: Demand


@dataclass(slots=True, eq=False)
class InstallSet:
    """Entries that are installed together, and the part of the target grid where exactly these are installed.

    ``left`` are companions that stay as they are while a later command replaces torch: no installer chooses them
    for that torch, so they are not among the demands.
    """

    target_grid: int
    scope: str
    demands: dict[str, list[Demand]] = field(default_factory=dict)
    locked: bool = False
    left: tuple[LeftBehind, ...] = ()
    _releases: dict[str, int | None] = field(default_factory=dict)
    _first: dict[str, Demand] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The number of demands."""
        return sum(map(len, self.demands.values()))

    def releases(self, name: str) -> int | None:
        """The releases that all demands on a package allow; None if one is unknown or there are no demands."""
        if name not in self._releases:
            self._releases[name] = self._together(name)
        return self._releases[name]

    def _together(self, name: str) -> int | None:
        found: int | None = None
        for demand in self.demands.get(name, ()):
            if demand.releases is None:
                return None
            if found is None:
                found = demand.releases
            else:
                found = found | demand.releases if self.locked else found & demand.releases
        return found

    def names(self) -> list[str]:
        """The packages with known releases, in the order of the file."""
        return [name for name in self.demands if self.releases(name) is not None]

    def labels(self, name: str) -> set[str]:
        """The builds that the demands on a package pin."""
        return {demand.label for demand in self.demands.get(name, ()) if demand.label}

    def first(self, name: str) -> Demand:
        """The most specific demand: an exact one, else the first."""
        if name not in self._first:
            demands = self.demands[name]
            self._first[name] = next((demand for demand in demands if demand.exact), demands[0])
        return self._first[name]

    def in_one_command(self, names: Iterable[str]) -> bool:
        """Whether one command of a script requests all of these packages; other files are like one command."""
        steps = [{demand.entry.step for demand in self.demands.get(name, ())} for name in names]
        return bool(set.intersection(*steps)) if steps else True


def without_duplicates(entries: Sequence[Entry]) -> list[Entry]:
    """The entries without duplicates."""
    seen: dict[tuple[object, ...], Entry] = {}
    for entry in entries:
        key = (
            entry.name,
            entry.specifier,
            entry.marker,
            entry.scope,
            entry.step,
            entry.channel,
            entry.index,
            entry.url,
        )
        seen.setdefault((*key, entry.constraint, entry.path), entry)
    return list(seen.values())


def effective(entries: Sequence[Entry]) -> list[Entry]:
    """The entries without those that a later command of the same script certainly replaces."""
    steps: dict[tuple[str, str], dict[int, bool]] = {}
    pins: dict[tuple[str, str], set[tuple[str, str | None]]] = {}
    for entry in entries:
        key = entry.name, entry.scope
        known = steps.setdefault(key, {})
        stays = _may_keep(entry) or _repeats(entry, pins.get(key, set()))
        known[entry.step] = known.get(entry.step, True) and stays
        if (version := pinned(entry.specifier)) is not None and not entry.constraint:
            pins.setdefault(key, set()).add((version.public, version.local or entry.index))
    first = {key: _standing_since(known) for key, known in steps.items()}
    return [entry for entry in entries if entry.constraint or entry.step >= first[entry.name, entry.scope]]


def _may_keep(entry: Entry) -> bool:
    """Whether what an earlier command installed may stay: a range that an installer changes only if it must."""
    return entry.keeps and entry.url is None and not entry.constraint and not _EXACT.fullmatch(entry.specifier)


def _repeats(entry: Entry, pins: set[tuple[str, str | None]]) -> bool:
    """Whether a pin is that of an earlier command, of which any build fits: ``==2.7.0`` accepts 2.7.0+cu128.

    ``pins`` are the releases that earlier commands pin, each with its label or index. A pin that is written once
    more, with the same index, is one pin.
    """
    version = pinned(entry.specifier) if entry.keeps and entry.url is None and not entry.constraint else None
    if version is None or version.local is not None or entry.specifier.strip().startswith("==="):
        return False
    return any(public == str(version) and source != entry.index for public, source in pins)


def _standing_since(steps: dict[int, bool]) -> int:
    """The last command that changes a package for certain; ``steps`` says of each whether it may keep it."""
    return max((step for step, keeps in steps.items() if not keeps), default=min(steps))


class InstallSets(NamedTuple):
    """The sets of entries that a document installs together; ``left_out`` are the scopes beyond the limit."""

    install_sets: list[InstallSet]
    left_out: list[str]


def install_sets_of(
    document: Document, stack: CompatibilityTable, cells: int, dependents: Collection[str] = ()
) -> InstallSets:
    """The sets of entries that a document installs together, each with the cells that it applies to.

    Entries with a scope (an extra, a group) are installed with those without a scope. A constraint counts only if
    its package is required. ``dependents`` are packages that bring some of the stack: a scope with nothing else is
    a set, too. The total size is limited, because many extras with many common requirements multiply.
    """
    demands = [
        demand_of(entry, stack) for entry in without_duplicates(document.entries) if entry.name in stack.packages
    ]
    everywhere = {id(demand.entry): cells_where(demand.entry, stack) & cells for demand in demands}
    order = {id(demand.entry): number for number, demand in enumerate(demands)}
    by_scope: dict[str, list[Demand]] = {"": []}
    for demand in demands:
        by_scope.setdefault(demand.entry.scope, []).append(demand)
    bringing = _bringing(document, dependents)
    for scope in bringing:
        by_scope.setdefault(scope, [])
    install_sets: list[InstallSet] = []
    scopes, left = list(by_scope), _MOST + stack.everywhere.bit_length() * len(demands)
    for number, scope in enumerate(scopes):
        members = by_scope[scope]
        if scope and not scope.startswith(ALONE):
            members = sorted(_beside(scope, by_scope), key=lambda demand: order[id(demand.entry)])
        groups = _groups(members, everywhere, _unproven(members, stack), cells)
        for active, where in groups if members else [([], cells)] if scope in bringing else ():
            left -= len(active)
            if left < 0:
                return InstallSets(install_sets, scopes[number:])
            install_set = _install_set(document, where, scope, active)
            if install_set.demands or scope in bringing:
                install_sets.append(install_set)
    return InstallSets(install_sets, [])


def _bringing(document: Document, dependents: Collection[str]) -> dict[str, None]:
    """The scopes that name a package which brings some of the stack.

    None in a file of commands: the environment of a notebook, an image or a shell may have torch already.
    """
    if document.locked or document.kind == "constraints" or BY_KIND[document.kind].role == "commands":
        return {}
    return {
        entry.scope: None
        for entry in document.entries
        if entry.name in dependents and entry.channel == "pip" and entry.url is None and not entry.constraint
    }


def _beside(scope: str, by_scope: Mapping[str, Sequence[Demand]]) -> Iterator[Demand]:
    """The demands of a scope, with those of its parts and of the rest that are installed beside it."""
    parts = scope.split("+")
    for each in dict.fromkeys(["", *parts, scope]):
        yield from (one for one in by_scope.get(each, ()) if not set(parts).intersection(one.entry.without))


def _install_set(document: Document, where: int, scope: str, active: Sequence[Demand]) -> InstallSet:
    by_name = _by_name(active, locked=document.locked, alone=document.kind == "constraints")
    left = tuple(_left_behind(by_name, active))
    for one in left:
        del by_name[one.companion.name]
    return InstallSet(where, scope, by_name, document.locked, left)


def _unproven(members: Sequence[Demand], stack: CompatibilityTable) -> dict[int, int]:
    """By entry, the cells on which it is not known what the release that it pins works with."""
    pins = [demand for demand in members if demand.exact and demand.releases is not None]
    return {id(one.entry): cells for one in pins if (cells := stack.unproven(one.name, one.releases or 0))}


def _groups(
    members: Sequence[Demand], cells_of: dict[int, int], unproven: dict[int, int], cells: int
) -> Iterator[tuple[list[Demand], int]]:
    """Split the cells by the demands that are active there; one that is unproven there has no known releases."""
    parts = [cells]
    for mask in dict.fromkeys([*(cells_of[id(demand.entry)] for demand in members), *unproven.values()]):
        parts = [piece for part in parts for piece in (part & mask, part & ~mask) if piece]
    for part in parts:
        active = [
            demand._replace(releases=None, why="newer") if unproven.get(id(demand.entry), 0) & part else demand
            for demand in members
            if cells_of[id(demand.entry)] & part
        ]
        if active:
            yield active, part


def _by_name(active: Sequence[Demand], *, locked: bool, alone: bool) -> dict[str, list[Demand]]:
    """Demands by package. If several commands of a script name a package, the last one counts."""
    found: dict[str, list[Demand]] = {}
    for demand in active:
        if not demand.entry.constraint or alone:
            found.setdefault(demand.name, []).append(demand)
    for name, demands in found.items():
        channels = {demand.entry.channel for demand in demands}
        kept = _standing(demands)
        if channels == {"pip", "conda"}:  # pip runs second and replaces what conda installed.
            kept = [demand for demand in kept if demand.entry.channel == "pip"] or kept
        found[name] = kept
    for demand in active:
        if demand.entry.constraint and demand.name in found and not locked and not alone:
            found[demand.name].append(demand)
    return found


def _left_behind(standing: dict[str, list[Demand]], active: Sequence[Demand]) -> Iterator[LeftBehind]:
    """The companions that a command chose for its torch, if a later command pins or limits another torch."""
    torch = standing.get("torch", [])[-1:]
    if not torch or not torch[0].entry.specifier or torch[0].releases is None or not torch[0].entry.step:
        return
    for name in ("torchaudio", "torchvision"):
        companion = next(iter(standing.get(name, [])[-1:]), None)
        if companion is None or companion.exact or companion.releases is None or companion.entry.url is not None:
            continue
        step = companion.entry.step
        if any(one.name == name and one.entry.step == torch[0].entry.step for one in active):
            continue  # The later command names it, so pip takes one for the torch of that command.
        earlier = [
            one
            for one in active
            if one.name == "torch" and one.entry.step == step and _chooses(one, name, torch[0])
        ]
        if (
            step
            and step < torch[0].entry.step
            and earlier
            and earlier[0].releases not in (None, torch[0].releases)
        ):
            yield LeftBehind(companion, earlier[0], torch[0])


def _chooses(torch: Demand, companion: str, later: Demand) -> bool:
    """Whether a command certainly takes the companion for this torch: a pin, or the newest one of a bare torch."""
    bare = not torch.entry.specifier and torch.entry.url is None
    return torch.exact or (bare and (companion == "torchvision" or not later.exact))


def _standing(demands: Sequence[Demand]) -> list[Demand]:
    """The demands of the last command that changes a package: one that what is there satisfies changes nothing."""
    kept: list[Demand] = []
    for step in sorted({demand.entry.step for demand in demands}):
        asked = [demand for demand in demands if demand.entry.step == step]
        if kept and all(_is_repeated(demand, kept) for demand in asked):
            kept += asked
        elif not kept or not all(_is_met(demand, kept) for demand in asked):
            kept = asked
    return kept


def _is_repeated(demand: Demand, there: Sequence[Demand]) -> bool:
    """Whether a command pins the release that an earlier command installed, so that its build stays.

    ``==2.7.0`` accepts 2.7.0+cu128 (PEP 440); ``===`` does not.
    """
    if not _keeps(demand) or not demand.exact or demand.entry.specifier.strip().startswith("==="):
        return False
    return any(one.exact and one.releases == demand.releases and demand.label in ("", one.label) for one in there)


def _keeps(demand: Demand) -> bool:
    """Whether a demand leaves a package of an earlier command as it is, if that one fits."""
    entry = demand.entry
    return entry.keeps and not entry.url and not entry.constraint and demand.releases is not None


def _is_met(demand: Demand, there: Sequence[Demand]) -> bool:
    """Whether the packages of an earlier command satisfy a demand, so that pip keeps them."""
    if not demand.entry.keeps or demand.exact or demand.entry.url or demand.entry.constraint:
        return False
    if not demand.entry.specifier or demand.releases is None:
        return not demand.entry.specifier
    left = ~0
    for one in there:
        left &= demand.releases if one.releases is None else one.releases
    newest = 1 << max(0, left.bit_length() - 1)
    same_build = demand.label == "" or any(one.exact and one.label == demand.label for one in there)
    known = any(one.releases is not None for one in there)
    return known and left > 0 and same_build and bool(newest & demand.releases)


def cells_where(entry: Entry, stack: CompatibilityTable) -> int:
    """The cells where the marker of an entry holds, with its own extra enabled."""
    kind, _, name = entry.scope.partition(":")
    return cells_of_marker(entry.marker, stack, name if kind == "extra" else "")


def cells_of_marker(marker: str, stack: CompatibilityTable, extra: str = "") -> int:
    """The cells where a marker holds, with this extra enabled. The table caches the answer."""
    if not marker:
        return stack.everywhere
    known = stack.markers.get((marker, extra))
    if known is None:
        try:
            known = _work_out(marker, stack, extra)
        except InputError:  # an invalid marker, or one without a value
            known = stack.everywhere
        stack.markers[marker, extra] = known
    return known


def _work_out(marker: str, stack: CompatibilityTable, extra: str) -> int:
    """Evaluate a marker once for all cells that are alike in what it compares. Raises InputError."""
    found, values = 0, dict[tuple[str, ...], bool]()
    compared = variables_in(marker)
    for cell in range(stack.everywhere.bit_length()):
        target = stack.target(cell)
        key = tuple(target.environment[name] for name in compared)
        if key not in values:
            values[key] = target.holds(marker, extra)
        found |= values[key] << cell
    return found
