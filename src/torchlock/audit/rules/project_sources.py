"""TL214, TL215, TL512, TL517: the indexes and sources that a project declares for uv, poetry, PDM or pipenv."""

from __future__ import annotations

from itertools import combinations

from torchlock.audit.index_advice import is_project, limiting, merges_indexes, tool_of
from torchlock.audit.page_choice import newest_on_page, other_builds, usual_cells
from torchlock.audit.phrasing import as_of, asked, listed, platforms
from torchlock.audit.rules.declared_requirements import candidates
from torchlock.finding import Remedy
from torchlock.knowledge.index_pages import is_present
from torchlock.knowledge.indexes import BUILDS, classify_index
from torchlock.knowledge.masks import bits
from torchlock.knowledge.registry import rule
from torchlock.knowledge.stack import FAMILY
from torchlock.location import NOWHERE, Place
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import Demand, InstallSet
    from torchlock.finding import Finding
    from torchlock.manifests.document import Document, Entry, IndexLine
    from torchlock.terms import Source


@rule("TL214", on="document")
def not_applied(context: AuditContext) -> Iterator[Finding]:
    """Sources of uv for packages that the project does not list where the source applies."""
    document = context.document
    if document.workspace:
        return  # Its sources also apply to the members.
    listed_in = {(entry.name, entry.home or entry.scope) for entry in document.entries}
    named = {name for name, _ in listed_in} | {entry.name for entry in document.overrides}
    for name, sources in document.sources.items():
        for source in sources if name in FAMILY else ():
            if source.origin.path != document.path or not _page(source):
                continue
            if source.scope and (name, source.scope) not in listed_in:
                yield _refused(context, name, source)
            elif name not in named:
                yield _unreached(context, name, source)


def _page(source: Source) -> str:
    """The one build of the page that a source names; "" for any other source."""
    return classify_index(source.index_url).label if source.index_url else ""


def _refused(context: AuditContext, name: str, source: Source) -> Finding:
    kind, _, scope = source.scope.partition(":")
    message = f"the source of {name} is for the {kind} {scope}, which does not list {name}: uv refuses the project"
    finding = _at(context, "TL214", "error", message, _line(source))
    finding.remedy = Remedy(f"List {name} in the {kind} {scope}, or remove {kind} from its source.")
    return finding


def _unreached(context: AuditContext, name: str, source: Source) -> Finding:
    label = _page(source)
    asking = any(_requires(context, entry, name) for entry in context.document.entries)
    message = (
        f"the project does not list {name}, so uv does not apply its source: a {name} that another package "
        f"requires is not the {label} build"
    )
    finding = _at(context, "TL214", "warning" if asking else "note", message, _line(source))
    finding.remedy = Remedy(f"List {name} in the dependencies of the project.")
    return finding


def _requires(context: AuditContext, entry: Entry, name: str) -> bool:
    """Whether an entry certainly brings a package."""
    if name == "torch" and entry.name in context.stack.partners:
        mask = context.stack.packages[entry.name].everything
        return bool(mask) and context.stack.asks(entry.name, mask.bit_length() - 1)
    if name not in context.known.declared.names(entry.name):
        return False
    releases = candidates(context, entry)[:1]
    return any(not dependency.marker for release in releases for _, dependency in release.by_name.get(name, ()))


def _line(source: Source) -> Place:
    return Place(source.origin.line) if source.origin.line else NOWHERE


def _at(context: AuditContext, rule_id: str, severity: str, message: str, place: Place) -> Finding:
    """A finding about a place that is not one of an entry."""
    finding = context.finding(rule_id, severity, message, [])
    finding.place = place
    return finding


@rule("TL215", on="document")
def not_exclusive(context: AuditContext) -> Iterator[Finding]:
    """Extras and groups that take one package from different pages, and do not exclude each other."""
    document = context.document
    apart = [frozenset(each.scopes) for each in document.conflicts]
    for name, sources in document.sources.items():
        pages = [source for source in sources if _page(source) and source.scope] if name in FAMILY else []
        for one, other in combinations(pages, 2):
            pair = frozenset((one.scope, other.scope))
            if len(pair) == 2 and _page(one) != _page(other) and not any(pair <= scopes for scopes in apart):
                if _overlap(context, one, other):
                    yield _together(context, name, one, other)
                break


def _overlap(context: AuditContext, one: Source, other: Source) -> bool:
    """Whether the markers of two sources hold on one target."""
    targets = map(context.stack.target, bits(context.target_grid))
    return any(target.holds(one.marker) and target.holds(other.marker) for target in targets)


def _together(context: AuditContext, name: str, one: Source, other: Source) -> Finding:
    (kind, _, first), (other_kind, _, second) = (source.scope.partition(":") for source in (one, other))
    message = (
        f"the {kind} {first} takes {name} from the page of {_page(one)} builds and the {other_kind} {second} from "
        f"that of {_page(other)} builds, and [tool.uv] conflicts does not exclude them: uv cannot lock the project"
    )
    finding = _at(context, "TL215", "error", message, _line(one))
    pair = f'{{ {kind} = "{first}" }}, {{ {other_kind} = "{second}" }}'
    finding.remedy = Remedy(f"Write in [tool.uv]: conflicts = [[{pair}]]")
    return finding


@rule("TL512", on="document")
def asked_for_all(context: AuditContext) -> Iterator[Finding]:
    """Pages of builds among the indexes of a project that are not limited to the packages that name them."""
    document = context.document
    for line in document.indexes if is_project(document) else ():
        if line.tool not in ("uv", "poetry", "pdm") or line.last or line.path != document.path:
            continue
        if line.tool == "uv" and merges_indexes(document):
            continue
        kind, label = classify_index(line.address)
        if kind != BUILDS or line.kind == "find-links":
            continue
        there = [entry for entry in document.entries if is_present(entry.name) and entry.index is None]
        names = list(dict.fromkeys(entry.name for entry in there if not entry.constraint))
        yield _for_all(context, line, label, names)


def _for_all(context: AuditContext, line: IndexLine, label: str, names: Sequence[str]) -> Finding:
    page = f"page of {label} builds" if label else "page of all builds"
    if line.tool == "uv":
        what = (
            f"uv takes {listed(names)} from this page alone"
            if names
            else "uv asks this page first for every package"
        )
    else:
        what = f"{line.tool} asks this page for every package"
        what += f", {listed(names)} too" if names else ""
    message = f"the index is a {page} and not limited to the packages that name it: {what}"
    finding = _at(context, "TL512", "warning" if names and line.tool == "uv" else "note", message, line.place)
    finding.remedy = Remedy(limiting(line))
    return finding


@rule("TL517")
def without_its_index(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """Members of the stack from the public index, beside a declared page of builds that others name, or none."""
    declared = _pages_for_named(context.document)
    if not declared or install_set.locked:
        return
    demands = [install_set.first(name) for name in install_set.demands if name in FAMILY]
    pages = {demand.name: context.offer(demand.entry).only_label for demand in demands}
    used = [label for label in pages.values() if label]
    label = used[0] if used else declared[0]
    if not used and _is_used(context):
        return  # On other targets, or in other extras.
    for demand in demands:
        if (
            demand.entry.url is None
            and demand.entry.channel != "conda"
            and context.offer(demand.entry).only_public
        ):
            releases, cells = (
                install_set.releases(demand.name) or 0,
                install_set.target_grid & usual_cells(context),
            )
            cells = _on_the_page(context, demand.name, releases, label, cells)
            if other := other_builds(context, demand.name, releases, label, cells):
                yield _public(context, demand, label, other, used=bool(used))


def _pages_for_named(document: Document) -> list[str]:
    """The builds of the pages that serve only packages that name them."""
    lines = [
        *document.explicit,
        *(line for line in document.indexes if line.tool == "pipenv" and line.kind == "extra"),
    ]
    return [label for line in lines if (label := classify_index(line.address).label)]


def _is_used(context: AuditContext) -> bool:
    """Whether any entry or source of the file names a page of builds."""
    document = context.document
    addresses = [entry.index for entry in document.entries if entry.index]
    addresses += [source.index_url for sources in document.sources.values() for source in sources]
    return any(classify_index(address).kind == BUILDS for address in addresses if address)


def _on_the_page(context: AuditContext, name: str, releases: int, label: str, cells: int) -> int:
    """The cells for which the page is known to have one of these releases."""
    return sum(
        1 << cell for cell in bits(cells) if isinstance(newest_on_page(context, name, releases, label, cell), int)
    )


def _public(context: AuditContext, demand: Demand, label: str, other: dict[str, int], *, used: bool) -> Finding:
    date = as_of(max(context.known.date, context.known.builds.date))
    takes = listed([f"{build} on {platforms(context.stack, cells)}" for build, cells in other.items()])
    beside = (
        f"the index of {label} builds serves other packages of the stack"
        if used
        else (f"no package names the declared index of {label} builds")
    )
    message = f"{asked(demand)} comes from the public index, built for {takes} ({date}), and {beside}"
    finding = context.finding("TL517", "warning", message, [demand])
    finding.remedy = Remedy(_naming(context.document, demand.name, label))
    return finding


def _naming(document: Document, package: str, label: str) -> str:
    """How a package names the declared index of a build."""
    lines = [*document.explicit, *document.indexes]
    name = next((line.name for line in lines if line.name and classify_index(line.address).label == label), "")
    return {
        "uv": f'Write in [tool.uv.sources]: {package} = {{ index = "{name}" }}',
        "poetry": f'Write source = "{name}" for {package}.',
        "pipenv": f'Write index = "{name}" for {package}.',
        "pdm": f"Add {package} to include_packages of the source {name}.",
    }.get(tool_of(document), f"Name the index for {package}.")
