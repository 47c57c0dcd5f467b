"""The build of a member of the stack that an installer takes on each target."""

from __future__ import annotations

from torchlock.answers import Unknown
from torchlock.audit.page_choice import newest_on_page, picks_of
from torchlock.audit.wheel_address import wheel_address
from torchlock.knowledge.build_labels import is_published
from torchlock.knowledge.masks import bits
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import Demand, InstallSet


def is_given(context: AuditContext, demand: Demand) -> bool:
    """Whether the file itself says the build: by a label, an address, a page, a hash, a conda build, an image."""
    return bool(given_build(demand, context) or context.offer(demand.entry).only_label)


def given_build(demand: Demand, context: AuditContext) -> str | None:
    """The pinned build, or the only build on the demand's own index; "" or None if the file does not say it."""
    if demand.entry.build:
        return demand.entry.build
    if demand.label or demand.entry.channel == "conda":
        return demand.label
    if demand.entry.url is not None:
        wheel = wheel_address(demand.entry.url)
        return wheel.folder if wheel is not None else ""
    page = context.offer(demand.entry).only_label if demand.entry.index is not None else ""
    return page or _build_of_hashes(demand, context)


def _build_of_hashes(demand: Demand, context: AuditContext) -> str:
    """The one build whose files have the hashes of a demand; "" if several have them, or none is known to."""
    version = version_of_pin(context, demand)
    if version is None or not demand.entry.hashes or context.offer(demand.entry).only_public:
        return ""
    table = context.known.hash_table(demand.name, version)
    files = [table.files(digest.partition(":")[2]) for digest in demand.entry.hashes]
    builds = {file.folder for known in files for file in known}
    return builds.pop() if len(builds) == 1 and all(files) else ""


def version_of_pin(context: AuditContext, demand: Demand) -> str | None:
    """The release that a demand pins; None if it is a range, or the tables do not have it."""
    if demand.exact and demand.releases:
        return context.stack.packages[demand.name].versions[demand.releases.bit_length() - 1]
    return None


def taken_builds(
    context: AuditContext, install_set: InstallSet, demand: Demand, cells: int
) -> dict[str | Unknown, int]:
    """The builds that an installer takes of a demand on some cells, with the cells of each.

    A platform counts for the newest Python that has a wheel, and for two builds if pip and uv take different ones.
    Platforms without a wheel are left out. A build that is not known is an ``Unknown`` with its reason.
    """
    offer = context.offer(demand.entry)
    build = given_build(demand, context) or offer.only_label
    if build and is_published(build):
        return {build: cells}
    why = _why_unknown(demand, build)
    if not why and (offer.unknown or offer.every):
        why = "an index named here has several builds, or its content is unknown"
    if why:
        return {Unknown(why): cells}
    found: dict[str | Unknown, int] = {}
    releases = install_set.releases(demand.name) or demand.releases or 0
    for platform in range(len(context.stack.platforms)):
        here = cells & context.stack.on_platform(platform)
        for taken in _on_platform(context, demand, releases, here):
            found[taken] = found.get(taken, 0) | here
    return found


def _on_platform(context: AuditContext, demand: Demand, releases: int, cells: int) -> set[str | Unknown]:
    """What pip and uv take on the newest Python of some cells for which it is known."""
    doubtful: set[str | Unknown] = set()
    for cell in reversed(list(bits(cells))):
        taken = _taken(context, demand, releases, cell)
        if taken and not any(isinstance(build, Unknown) for build in taken):
            return taken
        doubtful = doubtful or taken
    return doubtful


def _why_unknown(demand: Demand, build: str | None) -> str:
    if build:
        return f"+{build} is not a build of the PyTorch index"
    if demand.entry.channel == "conda":
        return "conda chooses the build when it installs"
    if demand.entry.url is not None:
        return "its address does not say the build"
    return "" if demand.releases else "the tables do not have this release"


def _taken(context: AuditContext, demand: Demand, releases: int, cell: int) -> set[str | Unknown]:
    """What pip and uv take on one cell."""
    offer, package = context.offer(demand.entry), context.stack.packages[demand.name]
    picks = picks_of(context, demand, releases, cell) if offer.labels else None
    if picks is not None:
        return {pick.label or _public(context, demand, pick.release, cell) for pick in picks if pick is not None}
    allowed = releases & ~package.prereleases & ~package.yanked or releases
    pages = [newest_on_page(context, demand.name, allowed, label, cell) for label in offer.ordered]
    unknown = [answer for answer in pages if isinstance(answer, Unknown)]
    if unknown:
        return {unknown[0]}
    here = allowed & package.on(1 << cell) if offer.public else 0
    return {_public(context, demand, here.bit_length() - 1, cell)} if here else set()


def _public(context: AuditContext, demand: Demand, release: int, cell: int) -> str | Unknown:
    """The build of a release on the public index; a release without compiled code counts as the CPU build."""
    build = context.stack.packages[demand.name].build(release, context.stack.coordinates(cell)[0])
    return "cpu" if build is None else build
