"""TL530: what the metadata of a package declares, against the other lines of the file."""

from __future__ import annotations

from functools import reduce
from itertools import combinations
from operator import or_

from torchlock.audit.install_sets import Demand, cells_of_marker, cells_where, is_pinned, pinned, with_pin
from torchlock.audit.phrasing import as_of, asked, platforms
from torchlock.audit.phrasing import where as where_of
from torchlock.knowledge.build_labels import is_published
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of, softened
from torchlock.knowledge.stack import FAMILY
from torchlock.manifests.formats import BY_KIND
from torchlock.manifests.syntax.markers import both
from torchlock.manifests.syntax.pep508 import wheel_of
from torchlock.records import NamedTuple, replace
from torchlock.standards.dependency import readable_specifier
from torchlock.standards.markers import extra_of
from torchlock.standards.ordering import admits
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from torchlock.audit.context import AuditContext
    from torchlock.finding import Finding
    from torchlock.knowledge.declared import DeclaringRelease
    from torchlock.manifests.document import Document, Entry
    from torchlock.standards.dependency import Dependency

# The limit on releases of one package that are looked at for a range, and on different requirements of one package
# that are compared with each other.
_MOST = 60


class Clash(NamedTuple):
    """A requirement that a release declares, the entry that excludes it, and the cells where this is so."""

    release: DeclaringRelease
    dependency: Dependency
    entry: Entry
    cells: int


@rule("TL530", on="document")
def unmet(context: AuditContext) -> Iterator[Finding]:
    """A package that declares another version of a package than the file asks for."""
    if context.document.locked or ignores_metadata(context.document):
        return
    for scope in context.sides.scopes():
        entries = [with_pin(entry) for entry in context.sides.of_pip(scope)]
        own, all_named = by_name(entry for entry in entries if entry.scope == scope), by_name(entries)
        for entry in entries:
            named = all_named if entry.scope == scope else own
            yield from _of_entry(context, entry, named)
            yield from _of_brought(context, entry, named)
        yield from _between(context, entries)


def by_name(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Entries by package."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.name, []).append(entry)
    return found


def ignores_metadata(document: Document) -> bool:
    """Whether a comment says that the file is installed without what its packages declare.

    In a file with commands, only the command that has the option ignores it: ``Entry.no_deps``.
    """
    listed = BY_KIND[document.kind].role != "commands"
    return listed and ("--no-deps" in document.text or "--no-dependencies" in document.text)


def _is_apart(entry: Entry) -> bool:
    """Whether nothing that a release declares counts for an entry: an address may name no release."""
    return entry.constraint or (entry.url is not None and not entry.specifier) or entry.no_deps


def _of_brought(context: AuditContext, entry: Entry, named: Mapping[str, list[Entry]]) -> Iterator[Finding]:
    """What a pinned package brings, against the other lines: no release that it allows may fit them."""
    known = context.known.declared
    if _is_apart(entry) or not is_pinned(entry.specifier) or entry.name in FAMILY:
        return
    for release in candidates(context, entry)[:1]:
        for name in release.by_name:
            if name not in known.dependents or name in named:
                continue
            for _, dependency in release.by_name[name]:
                if "extra" not in dependency.marker:
                    marker = both(entry.marker, dependency.marker)
                    one = replace(entry, name=name, specifier=dependency.specifier, marker=marker)
                    yield from _of_entry(context, replace(one, extras=dependency.extras), named, entry)


def _of_entry(
    context: AuditContext, entry: Entry, named: Mapping[str, list[Entry]], bringing: Entry | None = None
) -> Iterator[Finding]:
    """The requirements of an entry, or of what another entry brings, against the other lines."""
    if _is_apart(entry) or not context.known.declared.names(entry.name) & named.keys():
        return
    releases = candidates(context, entry)[:_MOST]
    cells = context.target_grid & cells_where(entry, context.stack)
    there = fine = 0
    first: Clash | None = None
    clashes: list[Clash] = []
    for release in releases:
        left = release.cells & cells & ~fine
        clashes = list(clashes_of(context, entry, release, named, left))
        there, fine = there | left, fine | left
        for clash in clashes:
            fine &= ~clash.cells
        first = first or max(clashes, key=lambda clash: clash.cells.bit_count(), default=None)
        if first is None or fine == there:
            return
    bad = there & ~fine
    if first is not None and bad:
        bad &= ~_unproven(context, entry, releases, named, bad & ~installs_on(context, first.entry))
    if first is not None and bad and len(releases) < _MOST:
        elsewhere = context.target_grid & ~cells_where(entry, context.stack)
        # A pin clashes with each line by itself; of several releases, each may clash with another line.
        others = [each for each in clashes if each.entry is not first.entry] if len(releases) == 1 else []
        for clash in (first._replace(cells=bad), *_of_each_line(others, bad)):
            severity = _severity(context, there & installs_on(context, clash.entry) | elsewhere, clash.cells)
            finding = _finding(context, entry, clash, severity, bringing, one=len(releases) == 1)
            if first.release.of_sdist:
                finding.severity = softened(finding.severity)
            yield finding


def _of_each_line(clashes: Sequence[Clash], bad: int) -> list[Clash]:
    """The clashes with other lines, one for each: that on the most of the cells where the package clashes."""
    found: dict[int, Clash] = {}
    for each in sorted(clashes, key=lambda clash: -(clash.cells & bad).bit_count()):
        if each.cells & bad:
            found.setdefault(id(each.entry), each._replace(cells=each.cells & bad))
    return list(found.values())


def _unproven(
    context: AuditContext,
    entry: Entry,
    releases: Sequence[DeclaringRelease],
    named: Mapping[str, list[Entry]],
    cells: int,
) -> int:
    """The cells, of some where a pin is built from its source, where an older release may be built beside it."""
    found = 0
    for release in releases:
        left = cells & ~found
        clashes = clashes_of(context, entry, release, named, left) if left else ()
        found |= left & ~reduce(or_, (clash.cells for clash in clashes), 0)
    return found


def _between(context: AuditContext, entries: Sequence[Entry]) -> Iterator[Finding]:
    """Pinned packages that declare versions of a third package which exclude each other."""
    declared: dict[str, dict[tuple[str, str, int, int], Clash]] = {}
    for entry in entries:
        if _is_apart(entry) or not is_pinned(entry.specifier):
            continue
        for release in candidates(context, entry)[:1]:
            here = release.cells & cells_where(entry, context.stack) & context.target_grid
            for cells, dependency in release.on(release.by_name.keys(), here):
                where = cells & wanted_on(context, dependency, entry)
                if where and dependency.specifier and dependency.name != entry.name:
                    clashes = declared.setdefault(dependency.name, {})
                    if len(clashes) < _MOST:
                        key = entry.name, dependency.specifier, where, entry.step
                        clashes.setdefault(key, Clash(release, dependency, entry, where))
    for clashes in declared.values():
        for one, other in combinations(clashes.values(), 2):
            both = one.cells & other.cells
            if both and one.entry.step == other.entry.step and _exclude_each_other(context, one, other):
                yield _third(context, one, other, both)


def _exclude_each_other(context: AuditContext, one: Clash, other: Clash) -> bool:
    names = {one.entry.name, other.entry.name}
    if one.entry.name == other.entry.name or names <= FAMILY:
        return False  # The rules on pairs judge these.
    first, second = one.dependency.specifier, other.dependency.specifier
    if first == second:
        return False
    disjoint = context.known.declared.are_disjoint(one.dependency.name, first, second)
    if disjoint is not None:
        return disjoint
    pins = [pin for pin in map(pinned, (first, second)) if pin is not None]
    return len(pins) == 2 and not admits(first, str(pins[1]))


def _third(context: AuditContext, one: Clash, other: Clash, cells: int) -> Finding:
    demands = [Demand(clash.entry, None, exact=True) for clash in (one, other)]
    texts = [
        f"{asked(demand)} declares {clash.dependency._replace(marker='', extras=())}"
        for demand, clash in zip(demands, (one, other), strict=True)
    ]
    there = context.target_grid & installs_on(context, one.entry) & installs_on(context, other.entry)
    severity = _severity(context, there, cells)
    if one.release.of_sdist or other.release.of_sdist:
        severity = softened(severity)
    where = "" if not there & ~cells else f" on {_where(context, one.entry, one._replace(cells=cells))}"
    message = f"{texts[0]}, and {texts[1]}: pip refuses them together{where}"
    return context.finding("TL530", severity, message, demands[::-1])


def candidates(context: AuditContext, entry: Entry) -> list[DeclaringRelease]:
    """The releases that an installer may take for an entry, newest first; empty if they are not known."""
    known, label = context.known.declared, entry.specifier.partition("+")[2].partition(",")[0].strip()
    exact = pinned(entry.specifier)
    offer = context.offer(entry)
    if entry.name in FAMILY:
        if label and not is_published(label):
            return []
        label = label or offer.only_label or ""
        if exact is None or (not label and not offer.only_public):
            return []
    elif exact is None and offer.unknown:
        return []
    return known.allowed(entry.name, entry.specifier, label)


def clashes_of(
    context: AuditContext,
    entry: Entry,
    release: DeclaringRelease,
    named: Mapping[str, Sequence[Entry]],
    cells: int,
) -> Iterator[Clash]:
    """The requirements of a release that other entries of the same command exclude."""
    for here, dependency in release.on(named.keys(), cells):
        if entry.name in FAMILY and dependency.name in FAMILY:
            continue  # The rules on pairs judge these.
        beside = (other for other in named[dependency.name] if other.constraint or other.step == entry.step)
        excluding = [other for other in beside if excludes(context, other, dependency)]
        where = here & wanted_on(context, dependency, entry) if excluding else 0
        for other in excluding if where else ():
            there = where & cells_where(other, context.stack) & may_install_on(context, other)
            if there:
                yield Clash(release, dependency, other, there)


def wanted_on(context: AuditContext, dependency: Dependency, entry: Entry) -> int:
    """The cells where the marker of a declared requirement holds, with the extras that an entry requests."""
    asked = extra_of(dependency.marker)
    if asked and asked not in entry.extras:
        return 0
    found = 0
    for extra in ("", *entry.extras) if "extra" in dependency.marker else ("",):
        found |= cells_of_marker(dependency.marker, context.stack, extra)
    return found


def excludes(context: AuditContext, entry: Entry, dependency: Dependency) -> bool:
    """Whether no release satisfies both an entry and a declared requirement."""
    specifier = entry.specifier
    if entry.url is not None:
        wheel = wheel_of(entry.url)
        specifier = f"=={wheel[1]}" if wheel else ""
    if not specifier or not dependency.specifier:
        return False
    label = specifier.partition("+")[2]
    if label and not is_published(label.partition(",")[0].strip()):
        return False
    version = pinned(specifier)
    if version is not None:
        return not admits(dependency.specifier, str(version))
    return bool(context.known.declared.are_disjoint(dependency.name, specifier, dependency.specifier))


def _finding(
    context: AuditContext, entry: Entry, clash: Clash, severity: str, bringing: Entry | None, *, one: bool
) -> Finding:
    own = Demand(entry, None, exact=is_pinned(entry.specifier))
    other = Demand(clash.entry, None, exact=is_pinned(clash.entry.specifier))
    declared = str(clash.dependency._replace(marker="", extras=()))
    if one:
        subject = f"{asked(own)} declares {declared}"
    else:
        date = as_of(context.known.oldest_date)
        newest = f"{clash.release.name} {clash.release.version}"
        subject = f"every release that {asked(own)} allows ({date}) excludes it: {newest} declares {declared}"
    if bringing is not None:
        own = Demand(bringing, None, exact=True)
        of_it = f"which declares {declared}" if one else f"and {subject}"
        subject = f"{asked(own)} declares {entry.name}{readable_specifier(entry.specifier)}, {of_it}"
    whole = severity == "error" and clash.cells & context.mainstream
    where = "" if whole else f" on {_where(context, entry, clash)}"
    message = f"{subject}, and this file asks for {asked(other)}: pip refuses them together{where}"
    demands = [own, other] if clash.entry.name in FAMILY else [other, own]
    return context.finding("TL530", severity, message, demands)


def _severity(context: AuditContext, there: int, bad: int) -> str:
    """By what is left: nothing, nothing on a target that the file declares or on a common platform, or enough."""
    stack, fine = context.stack, there & ~bad
    if not fine:
        return "error"
    places = [stack.on_platform(place) for place in range(len(stack.platforms))]
    wanted = [*context.declared, *(cells & context.mainstream for cells in places)]
    lost = any(cells & bad and not cells & fine for cells in wanted)
    return severity_of(fails=False, partly=lost)


def _where(context: AuditContext, entry: Entry, clash: Clash) -> str:
    """The platforms of a clash, with their Pythons if other Pythons there have none."""
    stack = context.stack
    here = [stack.on_platform(place) for place in range(len(stack.platforms))]
    mine = sum(cells for cells in here if cells & clash.cells)
    all_of_them = clash.release.cells & cells_where(entry, stack) & mine & context.target_grid == clash.cells
    return platforms(stack, clash.cells) if all_of_them else where_of(stack, clash.cells)


def may_install_on(context: AuditContext, entry: Entry) -> int:
    """The cells where a pin installs, or may be built from its source distribution."""
    found = installs_on(context, entry)
    releases = candidates(context, entry) if found != context.stack.everywhere else []
    return found | releases[0].cells_of_sdist if releases else found


def installs_on(context: AuditContext, entry: Entry) -> int:
    """The cells where a pin installs; all cells if that is not known."""
    if not is_pinned(entry.specifier) or entry.url is not None:
        return context.stack.everywhere
    releases = candidates(context, entry)
    return releases[0].cells if releases else context.stack.everywhere
