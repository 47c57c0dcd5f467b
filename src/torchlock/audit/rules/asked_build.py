"""TL217: the build that the command line asks for, compared with the one that an installer takes."""

from __future__ import annotations

from torchlock.answers import Unknown
from torchlock.audit.index_advice import naming_page, tool_of
from torchlock.audit.page_choice import usual_cells
from torchlock.audit.phrasing import as_of, asked, listed, platforms
from torchlock.audit.taken_build import is_given, taken_builds
from torchlock.finding import Remedy
from torchlock.knowledge.build_labels import describe_build
from torchlock.knowledge.build_pairs import built_for
from torchlock.knowledge.indexes import page_of
from torchlock.knowledge.masks import bits
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import FAMILY
from torchlock.manifests.formats import BY_KIND
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import Demand, InstallSet
    from torchlock.finding import Finding

# The limit on the builds that a message names; it counts the others.
_SHOWN = 4


@rule("TL217", "TL902")
def other_builds(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """Members of the stack that an installer takes in another build than the command line asks for."""
    if not context.known.wanted:
        return
    for name in install_set.demands:
        if name in FAMILY and install_set.releases(name) != 0:
            found = _judged(context, install_set, install_set.demands[name])
            if found is not None:
                yield found


def _judged(context: AuditContext, install_set: InstallSet, demands: list[Demand]) -> Finding | None:
    """The finding on one package. A lock may pin several builds of it: one that was asked for is enough."""
    cells = _cells(context, install_set)
    if not cells:
        return None
    named = [demand for demand in demands if is_given(context, demand)]
    demand = (named or [install_set.first(demands[0].name)])[0]
    every = demands if install_set.locked else [demand]
    taken = [taken_builds(context, install_set, one, cells) for one in every]
    if any(not _wrong(context, one, builds) for one, builds in zip(every, taken, strict=True)):
        return _coincidence(context, demand, taken[0]) if len(every) == 1 else None
    wrong = _wrong(context, demand, taken[0])
    unknown = next((build for build in wrong if isinstance(build, Unknown)), None)
    others = {build: where for build, where in wrong.items() if isinstance(build, str)}
    if not others and unknown is not None:
        message = f"which build of {asked(demand)} an installer takes is not judged: {unknown}"
        return context.finding("TL902", "note", message, [demand])
    return _other(context, install_set, demand, others, whole=not cells & ~sum(others.values()))


def _cells(context: AuditContext, install_set: InstallSet) -> int:
    """The judged targets for which a build that was asked for can exist."""
    from torchlock.knowledge.accelerators import absence_of

    stack, cells = context.stack, install_set.target_grid & usual_cells(context)
    for platform, name in enumerate(stack.platforms):
        if all(absence_of(label, name) is not None for label in context.known.wanted):
            cells &= ~stack.on_platform(platform)
    return cells


def _wrong(context: AuditContext, demand: Demand, taken: Mapping[str | Unknown, int]) -> dict[str | Unknown, int]:
    """The builds that nobody asked for, and their cells. A CPU build of a companion works beside every torch."""
    spared = demand.name != "torch" and not is_given(context, demand)
    wanted = context.known.wanted
    return {
        build: cells
        for build, cells in taken.items()
        if isinstance(build, Unknown) or not (build in wanted or (spared and build == "cpu"))
    }


def _other(
    context: AuditContext, install_set: InstallSet, demand: Demand, others: Mapping[str, int], *, whole: bool
) -> Finding:
    if is_given(context, demand):
        message = built_for(asked(demand), next(iter(others)))
    else:
        where = [
            f"{_words(build)} on {platforms(context.stack, cells)}" for build, cells in sorted(others.items())
        ]
        date = as_of(max(context.known.date, context.known.builds.date))
        message = f"an installer takes {asked(demand)} in another build: {listed(where)} ({date})"
    message += f"; {_asked_for(context)}"
    finding = context.finding("TL217", severity_of(fails=whole), message, [demand])
    finding.remedy = Remedy(_advice(context, install_set, demand))
    return finding


def _words(build: str) -> str:
    words = describe_build(build)
    return f"the {words}" if "build" in words else words


def _asked_for(context: AuditContext) -> str:
    wanted = context.known.wanted
    if not context.known.wanted_by_machine:
        return f"--accelerator asks for {wanted[0]}"
    if wanted == ("cpu",):
        return "--accelerator auto asks for cpu, because the machine has no GPU"
    shown = list(wanted[:_SHOWN]) + ([f"{len(wanted) - _SHOWN} others"] if len(wanted) > _SHOWN else [])
    return f"the machine of --accelerator auto runs {listed(shown)}"


def _advice(context: AuditContext, install_set: InstallSet, demand: Demand) -> str:
    """How to take the wanted build; or that no page of a wanted build has these releases."""
    label, name = _label(context, install_set), demand.name
    package, date = context.stack.packages[name], as_of(context.known.builds.date)
    final = package.everything & ~package.prereleases & ~package.yanked
    releases = install_set.releases(name)
    newest = _newest(context, install_set, name, final if releases is None else releases, label)
    if isinstance(newest, int):
        return _naming(context, demand, label, package.versions[newest])
    other = _newest(context, install_set, name, final, label)
    has = f"does not have {_these(demand)}" if newest is None else f"is not known to have {_these(demand)}"
    if not isinstance(other, int):
        return f"The page of {label} builds {has} ({date}), nor any other {name}: ask for another build."
    fitting = package.versions[other]
    return f"The page of {label} builds {has} ({date}): allow {name} {fitting}, or ask for another build."


def _these(demand: Demand) -> str:
    return f"{demand.name} of this release" if demand.exact else f"one of these releases of {demand.name}"


def _label(context: AuditContext, install_set: InstallSet) -> str:
    """The wanted build that an advice names: the first that has all members of the set and runs them."""
    wanted = context.known.wanted
    names = [name for name in install_set.names() if name in FAMILY]

    def has_all(label: str) -> bool:
        newest = [
            (name, _newest(context, install_set, name, install_set.releases(name) or 0, label)) for name in names
        ]
        return all(isinstance(found, int) and _runs(context, name, found, label) for name, found in newest)

    return next((label for label in wanted if has_all(label)), wanted[0])


def _runs(context: AuditContext, name: str, release: int, label: str) -> bool:
    """Whether no GPU of the command line is known to lack code in this build."""
    from torchlock.knowledge.accelerators import serves

    version = context.stack.packages[name].versions[release]
    return all(
        any(serves(name, version, label, place, gpu).answer is not False for place in context.stack.platforms)
        for gpu in context.known.gpus
    )


def _newest(
    context: AuditContext, install_set: InstallSet, name: str, releases: int, label: str
) -> int | Unknown | None:
    """The newest of some releases that the page of a build is known to have for one of the judged platforms.

    None if the page has none of them, ``Unknown`` if it may have one.
    """
    stack, builds = context.stack, context.known.builds
    cells = _cells(context, install_set)
    places = [place for at, place in enumerate(stack.platforms) if cells & stack.on_platform(at)]
    doubt: Unknown | None = None
    for index in reversed(list(bits(releases))):
        for place in places:
            answer = builds.serves(name, stack.packages[name].versions[index], label, place)
            if answer is True:
                return index
            doubt = answer if isinstance(answer, Unknown) else doubt
    return doubt


def _naming(context: AuditContext, demand: Demand, label: str, version: str) -> str:
    """How to take a release of a build in the words of the file's format."""
    document, name = context.document, demand.name
    if document.kind == "dockerfile" and not demand.entry.step:
        return f"Use an image with the {label} builds."
    if demand.entry.channel == "conda":
        how = f"install {name} with pip from {page_of(label)}"
        return f"Select the {label} build in conda (cpuonly, pytorch-cuda=VERSION, or a build string), or {how}."
    page, pin = naming_page(document, label, name), f"{name}=={version}+{label}"
    if demand.entry.url is not None:
        return f"Write {pin} instead of the address. {page}"
    if BY_KIND[document.kind].role == "commands":
        return f"Install torch and its companions in a separate command, with --index-url {page_of(label)}"
    lock = f"torchlock lock -r {document.path} --accelerator {label}"
    free = document.kind == "requirements" and not document.locked and context.offer(demand.entry).only_public
    if not demand.exact:
        return f"Lock the file for this build: {lock}" if free and not demand.label else page
    if tool_of(document):
        return page
    return f"{page}, and write {pin}." + (f" Or lock the file: {lock}" if free and not demand.label else "")


def _coincidence(context: AuditContext, demand: Demand, taken: Mapping[str | Unknown, int]) -> Finding | None:
    """A note on a range that leads to the wanted build today, though nothing in the file says so."""
    offer = context.offer(demand.entry)
    if demand.name != "torch" or demand.exact or is_given(context, demand) or not offer.only_public:
        return None
    builds = [describe_build(build) for build in taken if isinstance(build, str)]
    message = (
        f"{asked(demand)} comes from the public index, where the newest of these releases is {_words_of(builds)} "
        f"({as_of(max(context.known.date, context.known.builds.date))}); the build of a later release may differ"
    )
    return context.finding("TL217", "note", message, [demand])


def _words_of(builds: list[str]) -> str:
    """``the build for CUDA 13.0``, ``the CPU build``."""
    return listed([f"the {words}" if "build" in words else f"the build for {words}" for words in builds], "or")
