"""The limits on a package that other packages of a file declare, and which declarations are not known."""

from __future__ import annotations

from torchlock.answers import Unknown
from torchlock.audit.brought import releases_taken
from torchlock.audit.install_sets import Demand, cells_where, demand_of
from torchlock.audit.rules.declared_requirements import by_name, candidates, ignores_metadata, wanted_on
from torchlock.manifests.syntax.repositories import repository_name
from torchlock.patterns import pattern
from torchlock.records import NamedTuple, replace
from torchlock.standards.names import normalise
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import InstallSet
    from torchlock.finding import Finding
    from torchlock.manifests.document import Entry

_UPPER = pattern(r"<|==|~=")


class Limits(NamedTuple):
    """Upper limits on a package, as demands; ``unread`` are the packages that may declare more of them."""

    demands: tuple[Demand, ...] = ()
    unread: tuple[str, ...] = ()

    def applied(self, install_set: InstallSet, name: str) -> InstallSet:
        """The install set with the limits on a package; the same set without limits."""
        if not self.demands:
            return install_set
        demands = {**install_set.demands, name: [*install_set.demands[name], *self.demands]}
        return replace(install_set, demands=demands, _releases={}, _first={})


def limits_on(context: AuditContext, install_set: InstallSet, name: str) -> Limits:
    """What the other packages that pip installs with a set declare on a package that has no pin there."""
    if install_set.locked or install_set.first(name).exact or ignores_metadata(context.document):
        return Limits()
    newest = 1 << (install_set.releases(name) or 1).bit_length() - 1
    demands, unread = list[Demand](), list[str]()
    for entry in context.sides.of_pip(install_set.scope):
        if entry.constraint or entry.no_deps or entry.name in context.stack.packages:
            continue
        declared = _declared(context, install_set, entry, name)
        if declared is None:
            unread.append(entry.name or entry.text)
            continue
        limits = (demand_of(replace(entry, name=name, specifier=text), context.stack) for text in declared)
        demands += [limit for limit in limits if limit.releases is not None and not limit.releases & newest]
    return Limits(tuple(demands), tuple(dict.fromkeys(unread)))


def _declared(context: AuditContext, install_set: InstallSet, entry: Entry, name: str) -> list[str] | None:
    """The versions of a package that the newest release of an entry declares; None if they are not known."""
    if entry.url is not None or context.known.declared.releases(entry.name) is None:
        return None
    if name not in context.known.declared.names(entry.name):
        return []
    releases = candidates(context, entry)
    if not releases or isinstance(releases[0].needs, Unknown):
        return None
    return list(_on(context, install_set, entry, name))


def _on(context: AuditContext, install_set: InstallSet, entry: Entry, name: str) -> Iterator[str]:
    cells = install_set.target_grid & cells_where(entry, context.stack)
    named = by_name(context.sides.of_pip(install_set.scope))
    taken = list(releases_taken(context, entry, {each: named[each] for each in named if each != name}, cells))
    if not taken:
        return
    release, cells = max(taken, key=lambda one: one[1].bit_count())
    for here, dependency in release.on({name}, cells):
        if here & wanted_on(context, dependency, entry) and dependency.specifier:
            yield dependency.specifier


def of_addresses(context: AuditContext, scope: str, names: Collection[str]) -> tuple[str, ...]:
    """Packages that a scope takes from an address, so with unknown metadata, if releases limit some names."""
    there = [entry.name for entry in context.sides.of_pip(scope) if entry.url is not None]
    there += [normalise(repository_name(address)) for address in context.document.nameless]
    return tuple(name for name in dict.fromkeys(there) if name and _may_limit(context, name, names))


def _may_limit(context: AuditContext, package: str, names: Collection[str]) -> bool:
    known = context.known.declared
    if known.names(package).isdisjoint(names):
        return False
    return any(
        _UPPER.search(dependency.specifier) and "extra" not in dependency.marker
        for release in known.releases(package) or ()
        for name in names
        for _, dependency in release.by_name.get(name, ())
    )


def unless_limited(finding: Finding, name: str, unread: Sequence[str]) -> Finding:
    """The finding; a note if packages whose metadata is not known may declare an older release."""
    if unread:
        others = len(unread) - 1
        more = f" and {others} more package{'s' if others > 1 else ''}" if others else ""
        finding.severity = "note"
        finding.message += (
            f", unless {unread[0]}{more} (not read) {'ask' if others else 'asks'} for an older {name}"
        )
    return finding
