"""TL530: packages of a later command that make an installer replace a release of the torch family."""

from __future__ import annotations

from torchlock.audit.brought import releases_taken
from torchlock.audit.install_sets import Demand, cells_where, is_pinned
from torchlock.audit.phrasing import asked, listed
from torchlock.audit.rules.declared_requirements import by_name, excludes, ignores_metadata, wanted_on
from torchlock.knowledge.registry import rule
from torchlock.knowledge.stack import FAMILY
from torchlock.manifests.formats import BY_KIND
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.audit.context import AuditContext
    from torchlock.finding import Finding
    from torchlock.knowledge.declared import DeclaringRelease
    from torchlock.manifests.document import Entry
    from torchlock.standards.dependency import Dependency

_KEPT = "an installer keeps an installed package only if the metadata of all that it installs now allows that"


@rule("TL530", on="document")
def replacing(context: AuditContext) -> Iterator[Finding]:
    """A package that declares another torch than the pin of an earlier command, whose companions stay."""
    document = context.document
    if BY_KIND[document.kind].role != "commands" or document.locked or ignores_metadata(document):
        return
    for scope in context.sides.scopes():
        entries = [entry for entry in context.sides.of_pip(scope) if not entry.constraint]
        limited = {entry.name for entry in context.sides.of_pip(scope) if entry.constraint}
        for entry in entries:
            if entry.scope == scope and entry.url is None and not entry.no_deps and entry.name not in FAMILY:
                yield from _of_entry(context, entry, _there(entries, entry, limited))


def _there(entries: Sequence[Entry], entry: Entry, limited: set[str]) -> list[Entry]:
    """The pins of the torch family that are installed when a command comes, and that no later one names."""
    later = {each.name for each in entries if each.step >= entry.step}
    return [
        each
        for each in entries
        if each.name in FAMILY - later - limited and each.step < entry.step and is_pinned(each.specifier)
    ]


def _of_entry(context: AuditContext, entry: Entry, there: Sequence[Entry]) -> Iterator[Finding]:
    named = by_name(there)
    if len(named) < 2 or named.keys().isdisjoint(context.known.declared.names(entry.name)):
        return
    grid = context.target_grid & cells_where(entry, context.stack)
    for release, cells in releases_taken(context, entry, {}, context.likely(grid)):
        wrong: dict[str, tuple[Entry, Dependency]] = {}
        for here, dependency in release.on(named.keys(), cells):
            where = here & wanted_on(context, dependency, entry)
            for other in named[dependency.name]:
                if where & cells_where(other, context.stack) and excludes(context, other, dependency):
                    wrong.setdefault(other.name, (other, dependency))
        left = [each for name, entries in named.items() if name not in wrong for each in entries[:1]]
        if wrong and left:
            yield _finding(context, entry, _taken(context, entry, release), [*wrong.values()], left)
            return


def _taken(context: AuditContext, entry: Entry, release: DeclaringRelease) -> str:
    """The release that a command takes; the releases of another index than the public one are not known."""
    text = f"{release.name} {release.version}"
    if context.offer(entry).public or is_pinned(entry.specifier):
        return text
    return f"the newest {release.name} of its index (on the public index {text})"


def _finding(
    context: AuditContext,
    entry: Entry,
    taken: str,
    wrong: Sequence[tuple[Entry, Dependency]],
    left: Sequence[Entry],
) -> Finding:
    demands = [Demand(other, None, exact=True) for other, _ in wrong]
    stay = [Demand(each, None, exact=True) for each in left]
    declared = listed([str(dependency._replace(marker="", extras=())) for _, dependency in wrong])
    message = (
        f"a later command takes {taken}, which declares {declared}: it replaces "
        f"{listed([asked(demand) for demand in demands])}, and {listed([asked(demand) for demand in stay])} "
        f"{'stays' if len(stay) == 1 else 'stay'}"
    )
    own = Demand(entry, None, exact=is_pinned(entry.specifier))
    return context.finding("TL530", "warning", message, [own, *demands], _KEPT)
