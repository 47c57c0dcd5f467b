"""The newest torch that fits the other lines of a file through a package that both of them require.

``openai-whisper==20231117`` declares ``triton<3``, and torch 2.4 declares ``triton==3.0.0``: an installer passes
over that torch and takes an older one, which no line of the file names.
"""

from __future__ import annotations

from torchlock.answers import Unknown
from torchlock.audit.brought import Brought, releases_taken
from torchlock.audit.install_sets import cells_where, is_pinned
from torchlock.audit.rules.declared_requirements import by_name, installs_on, wanted_on
from torchlock.knowledge.stack import FAMILY
from torchlock.records import NamedTuple, replace
from torchlock.standards.dependency import readable_specifier
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence, Set

    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import InstallSet
    from torchlock.knowledge.declared import DeclaringRelease
    from torchlock.manifests.document import Entry


class Shared(NamedTuple):
    """Versions of a package that torch requires too, and the entry of the file that limits them.

    ``words`` say the limit: ``sympy 1.12``, or ``openai-whisper 20231117 declares triton>=2.0.0,<3``.
    """

    entry: Entry
    name: str
    specifier: str
    cells: int
    words: str


def limited_torch(context: AuditContext, install_set: InstallSet) -> Iterator[Brought]:
    """The limits that pins of a file put on a torch without a pin, as what these pins bring.

    Only pins count: an installer may take another release of a range instead of an older torch.
    """
    demands = install_set.demands.get("torch", ())
    if not all(context.offer(demand.entry).only_public and not demand.label for demand in demands):
        return
    if any(demand.exact or demand.entry.url is not None for demand in demands):
        return
    limits = list(_limits(context, install_set))
    if limits:
        specifier = ",".join(demand.entry.specifier for demand in demands if demand.entry.specifier)
        yield from _newest_beside(context, install_set, specifier, limits)


def _limits(context: AuditContext, install_set: InstallSet) -> Iterator[Shared]:
    """What pins require of the packages that torch requires."""
    shared = context.known.declared.names("torch") - FAMILY
    entries = context.sides.of_pip(install_set.scope)
    for entry in entries:
        if entry.url is not None or entry.no_deps or not _may_exclude(entry.specifier):
            continue
        cells = install_set.target_grid & cells_where(entry, context.stack)
        if entry.name in shared:
            words = f"{entry.name}{readable_specifier(entry.specifier)}"
            here = cells & installs_on(context, entry)
            yield Shared(entry, entry.name, entry.specifier, here, f"this file asks for {words}")
        elif entry.constraint or entry.name in FAMILY or not is_pinned(entry.specifier):
            continue
        elif not context.known.declared.names(entry.name).isdisjoint(shared):
            yield from _declared(context, entry, entries, cells, shared)


def _declared(
    context: AuditContext, entry: Entry, entries: Sequence[Entry], cells: int, shared: Set[str]
) -> Iterator[Shared]:
    """What one pinned package declares on the packages that torch requires."""
    for release, taken in releases_taken(context, entry, by_name(entries), cells):
        for here, dependency in release.on(shared, taken):
            where = here & wanted_on(context, dependency, entry)
            if where and _may_exclude(dependency.specifier):
                said = f"{release.name} {release.version} declares {dependency._replace(marker='', extras=())}"
                yield Shared(entry, dependency.name, dependency.specifier, where, said)


def _may_exclude(specifier: str) -> bool:
    """Whether a specifier has an upper bound, so that a new torch may require a later release."""
    return any(sign in specifier for sign in ("<", "==", "~="))


def _newest_beside(
    context: AuditContext, install_set: InstallSet, specifier: str, limits: Sequence[Shared]
) -> Iterator[Brought]:
    """The newest torch on the cells where the limits exclude a newer one; nothing if none fits."""
    left, passed = install_set.target_grid, dict[int, Shared]()
    for release in context.known.declared.allowed("torch", specifier):
        here = left & release.cells
        if isinstance(release.needs, Unknown):
            return
        excluded = 0
        for limit in limits:
            cells = here & limit.cells & ~excluded
            clash = _clash(context, release, limit, cells) if cells else 0
            if clash:
                passed.setdefault(clash, limit)
                excluded |= clash
        fitting = here & ~excluded
        left &= ~fitting
        for cells, limit in passed.items():
            if fitting & cells:
                yield _brought(limit, str(release.version), fitting & cells)
        passed = {cells & left: limit for cells, limit in passed.items() if cells & left}
        if not left:
            return


def _clash(context: AuditContext, release: DeclaringRelease, limit: Shared, cells: int) -> int:
    """The cells, of some, where a release of torch requires what a limit excludes."""
    found, known = 0, context.known.declared
    for here, dependency in release.on({limit.name}, cells):
        if dependency.specifier and known.are_disjoint(limit.name, limit.specifier, dependency.specifier):
            found |= here & wanted_on(context, dependency, limit.entry)
    return found


def _brought(limit: Shared, version: str, cells: int) -> Brought:
    entry = replace(
        limit.entry, name="torch", specifier=f"<={version}", extras=(), version=None, index=None, marker=""
    )
    words = f"{limit.words}, and torch {version} is the newest that allows it"
    return Brought(entry, (f"{limit.entry.name} ",), cells, words)
