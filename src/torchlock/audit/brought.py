"""The requirements that packages of a file bring by their metadata, through up to three packages."""

from __future__ import annotations

from torchlock.answers import Unknown
from torchlock.audit.install_sets import cells_where
from torchlock.audit.rules.declared_requirements import by_name, candidates, clashes_of, wanted_on
from torchlock.audit.sides import key_of
from torchlock.knowledge.masks import bits
from torchlock.knowledge.stack import FAMILY
from torchlock.records import NamedTuple, replace
from torchlock.standards.dependency import readable_specifier
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence, Set

    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import InstallSet
    from torchlock.knowledge.declared import DeclaringRelease
    from torchlock.manifests.document import Entry
    from torchlock.standards.dependency import Dependency

# A package may bring another one that declares what is wanted; so deep is looked.
_DEPTH = 3
# The limit on releases of one package that are looked at.
_MOST = 60


class Brought(NamedTuple):
    """A requirement that a package brings.

    ``entry`` has the place of the package in the file, and the name and versions that are declared; ``chain`` are
    the packages from the one in the file to the one that declares it. ``words`` say it, if the chain does not.
    """

    entry: Entry
    chain: tuple[str, ...]
    cells: int
    words: str = ""

    @property
    def lead(self) -> str:
        """The package of the file that begins the chain."""
        return self.chain[0].partition(" ")[0]

    def __str__(self) -> str:
        if self.words:
            return self.words
        first, *others = self.chain
        links = [f"brings {link}" for link in others]
        declared = f"declares {self.entry.name}{readable_specifier(self.entry.specifier)}"
        return f"{first} {', which '.join([*links, declared])}"


def brought(
    context: AuditContext, install_set: InstallSet, wanted: Set[str], entries: Sequence[Entry] | None = None
) -> Iterator[Brought]:
    """What the packages of an install set declare on some packages, as far as the tables have them.

    ``entries`` are those of its scope, if they differ from what the file has.
    """
    entries = context.sides.of_pip(install_set.scope) if entries is None else entries
    named, beside, wanted = by_name(entries), _beside(context, entries), frozenset(wanted)
    limited = {entry.name for entry in entries if entry.constraint}
    for entry in entries:
        if entry.constraint or entry.url is not None or entry.no_deps or not _brings(context, entry.name, wanted):
            continue
        cells = install_set.target_grid & cells_where(entry, context.stack)
        for one in _of_lead(context, entry, named, cells, wanted, beside):
            if one.entry.name not in limited:
                yield one


def _beside(context: AuditContext, entries: Sequence[Entry]) -> int:
    """A number for the entries that metadata may be about; in two scopes, equal ones have the same number."""
    related = context.known.declared.related
    key = tuple(
        (*key_of(entry), entry.scope if "extra" in entry.marker else "")
        for entry in entries
        if entry.name in related
    )
    return context.brought.numbers.setdefault(key, len(context.brought.numbers))


def _of_lead(
    context: AuditContext,
    entry: Entry,
    named: Mapping[str, Sequence[Entry]],
    cells: int,
    wanted: frozenset[str],
    beside: int,
) -> list[Brought]:
    """What an entry of the file brings. Equal entries beside equal ones, as in many extras, bring the same."""
    key = key_of(entry), cells, wanted, beside
    lead, found = context.brought.found.get(key) or (None, [])
    if lead is None:
        found = list(_of_entry(context, entry, named, cells, wanted, ()))
        context.brought.found[key] = entry, found
    elif lead is not entry:
        return [one._replace(entry=_declared(entry, one.entry)) for one in found]
    return found


def _declared(lead: Entry, dependency: Dependency | Entry) -> Entry:
    """A requirement that a package declares, at the place of the entry that brings it."""
    return replace(
        lead,
        name=dependency.name,
        specifier=dependency.specifier,
        extras=dependency.extras,
        version=None,
        index=None,
    )


def _brings(context: AuditContext, name: str, wanted: Set[str]) -> bool:
    """Whether any release of a package may bring one of the wanted packages. It opens no table.

    The rules on pairs judge what the torch family declares on itself.
    """
    known = context.known.declared
    if name in known.dependents and not known.names(name).isdisjoint(wanted | known.dependents):
        return True
    own = wanted - FAMILY
    if name in FAMILY or not own:
        return not known.names(name).isdisjoint(own)
    return any(each in own or not known.names(each).isdisjoint(own) for each in known.names(name))


def _of_entry(
    context: AuditContext,
    entry: Entry,
    named: Mapping[str, Sequence[Entry]],
    cells: int,
    wanted: Set[str],
    before: tuple[str, ...],
) -> Iterator[Brought]:
    """What the releases declare that installers take for an entry; nothing if it is not known which these are."""
    known, own = context.known.declared, wanted - FAMILY
    for release, taken in releases_taken(context, entry, named, cells):
        chain = (*before, f"{release.name} {release.version}")
        followed = wanted | known.dependents
        if own and entry.name not in FAMILY:
            followed |= {name for name in release.by_name if not known.names(name).isdisjoint(own)} - FAMILY
        for here, dependency in release.on(followed, taken):
            where = here & wanted_on(context, dependency, entry)
            if not where:
                continue
            declared = _declared(entry, dependency)
            if dependency.name in wanted:
                yield Brought(declared, chain, where)
            elif len(chain) < _DEPTH and dependency.name not in named:
                yield from _of_entry(context, declared, named, where, wanted, chain)


def releases_taken(
    context: AuditContext, entry: Entry, named: Mapping[str, Sequence[Entry]], cells: int
) -> Iterator[tuple[DeclaringRelease, int]]:
    """The releases that an installer takes for an entry, each with its cells: the newest that fits the file."""
    limited = {name for name, entries in named.items() if any(one.specifier for one in entries)}
    for release in candidates(context, entry):
        here = release.cells & cells
        if not here:
            continue
        if isinstance(release.needs, Unknown):
            return
        for clash in clashes_of(context, entry, release, named, here):
            here &= ~clash.cells
        here &= ~_excluded_below(context, entry, release, named, limited, here)
        if here:
            yield release, here
        cells &= ~here
        if not cells:
            return


def _excluded_below(
    context: AuditContext,
    entry: Entry,
    release: DeclaringRelease,
    named: Mapping[str, Sequence[Entry]],
    limited: Set[str],
    cells: int,
) -> int:
    """The cells where every release of a package that a release requires is excluded by the lines of the file.

    ``limited`` are the packages whose versions a line of the file limits.
    pyannote.audio 4 requires pyannote-core 6, and each of its releases NumPy 2.
    """
    known, found = context.known.declared, 0
    for here, dependency in release.on(known.dependents - named.keys(), cells):
        if known.names(dependency.name).isdisjoint(limited):
            continue
        left = here & wanted_on(context, dependency, entry) & ~found
        if left:
            one = replace(entry, name=dependency.name, specifier=dependency.specifier, extras=dependency.extras)
            found |= _without_a_release(context, one, named, left)
    return found


def _without_a_release(
    context: AuditContext, entry: Entry, named: Mapping[str, Sequence[Entry]], cells: int
) -> int:
    """The cells, of some, where the lines of the file exclude every release that an entry allows.

    The context caches the answer, because many releases require the same of a package.
    """
    beside = [one for entries in named.values() for one in entries]
    key = (entry.name, entry.specifier, entry.extras, entry.index, entry.step, cells, *map(id, beside))
    known = context.brought.excluded.get(key)
    if known is None:  # The value keeps the entries alive, so that each id stays unique.
        known = context.brought.excluded[key] = _worked_out(context, entry, named, cells), beside
    return known[0]


def _worked_out(context: AuditContext, entry: Entry, named: Mapping[str, Sequence[Entry]], left: int) -> int:
    for release in candidates(context, entry)[:_MOST]:
        if isinstance(release.needs, Unknown):
            return 0
        clashing = 0
        for clash in clashes_of(context, entry, release, named, left & release.cells):
            clashing |= clash.cells
        left &= clashing | ~release.cells
        if not left:
            break
    return left


def pieces(cells: int, found: Sequence[Brought]) -> Iterator[tuple[int, tuple[Brought, ...]]]:
    """Cells by what the packages bring there."""
    parts: dict[tuple[int, ...], int] = {}
    for cell in bits(cells):
        active = tuple(at for at, one in enumerate(found) if one.cells >> cell & 1)
        parts[active] = parts.get(active, 0) | 1 << cell
    for active, where in parts.items():
        if active:
            yield where, tuple(found[at] for at in active)
