"""TL202, TL3xx, TL4xx: libraries of the machine, if the command line describes it."""

from __future__ import annotations

from torchlock.audit.phrasing import asked, platforms
from torchlock.audit.rules.versions import newest
from torchlock.knowledge.judge import NamedVersion, violations
from torchlock.knowledge.registry import rule
from torchlock.knowledge.rules import GIL, HOST_PREFIX
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import FAMILY
from torchlock.records import replace
from torchlock.standards.dependency import readable_specifier
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torchlock.answers import Unknown
    from torchlock.audit.context import AuditContext, Knowledge
    from torchlock.audit.install_sets import InstallSet
    from torchlock.finding import Finding
    from torchlock.knowledge.judge import Violation
    from torchlock.target import Platform, Target


@rule("TL202", "TL301", "TL304", "TL404")
def libraries(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """Releases that need something that the machine does not have: a driver, a glibc, FFmpeg, libsndfile."""
    stack = context.stack
    if not (context.known.libraries or stack.has_free_threads) or not install_set.names():
        return
    for platform in range(len(stack.platforms)):
        cells = install_set.target_grid & stack.on_platform(platform)
        for cell in range(cells.bit_length() - 1, -1, -1):
            if cells & 1 << cell:
                found = list(_broken(context, install_set, cell, platform))
                if found:
                    yield from found
                    return


def _broken(context: AuditContext, install_set: InstallSet, cell: int, platform: int) -> Iterator[Finding]:
    """Judge the releases that an installer chooses on one cell with the libraries of the machine."""
    stack = context.stack
    domains = {name: install_set.releases(name) or 0 for name in install_set.names()}
    chosen = newest(stack, domains, 1 << cell, platform) or {
        name: here.bit_length() - 1
        for name, mask in domains.items()
        if (here := mask & stack.packages[name].on(1 << cell))
    }
    pins = {}
    for name, index in chosen.items():
        build = build_taken(context, install_set, name, index, platform)
        wheels = context.tags(name, stack.packages[name].versions[index]) if _by_wheel(context, name) else ()
        ranks = {tags: rank for tags in wheels if (rank := stack.target(cell).rank(tags)) is not None}
        tags = min(ranks, key=lambda tags: ranks[tags], default="")
        pins[name] = NamedVersion(name, stack.packages[name].parsed_versions[index], tags=tags, build=build)
    target = replace(stack.target(cell), libraries=context.known.libraries)
    for violation in violations(pins, target, context.known.matrix, complete=False):
        if violation.dependency is not None and violation.dependency.name.startswith(HOST_PREFIX):
            yield _finding(context, install_set, violation, target)


def build_taken(
    context: AuditContext, install_set: InstallSet, name: str, index: int, platform: int
) -> str | Unknown | None:
    """The build that an installer takes: the pinned one, that of the only page, or that of the public index.

    If the command line asks for a build, that one takes the place of the build of the public index.
    """
    labels = install_set.labels(name)
    if labels:
        return min(labels)
    offer = context.offer(install_set.first(name).entry) if name in FAMILY else None
    wanted = context.known.wanted if offer is not None and offer.only_public else ()
    if wanted and not context.stack.platforms[platform].startswith("macos"):
        return wanted[0]
    return (offer and offer.only_label) or context.stack.packages[name].build(index, platform)


def _by_wheel(context: AuditContext, name: str) -> bool:
    """Whether the wheel that an installer chooses makes a difference."""
    return name == "soundfile" or (name == "torch" and context.stack.has_free_threads)


def _finding(context: AuditContext, install_set: InstallSet, violation: Violation, target: Target) -> Finding:
    assert violation.dependency is not None
    assert violation.statement is not None
    name = violation.pinned.name if violation.pinned.name in install_set.demands else "torch"
    demand = install_set.first(name)
    library = violation.dependency.name.removeprefix(HOST_PREFIX)
    has = target.host().get(violation.dependency.name)
    what = (
        f"{name} {violation.pinned.version}"
        if name == violation.pinned.name
        else (f"{asked(demand)}, built for CUDA {violation.pinned.version},")
    )
    severity = severity_of(fails=demand.exact)
    if violation.dependency.name == GIL:
        here = context.stack.on_platform(context.stack.platforms.index(str(target.platform)))
        lock = f"needs the global interpreter lock, which Python {target.python} does not have"
        message = f"{what} on {platforms(context.stack, here)} {lock}"
        if install_set.target_grid & ~here:
            severity = severity_of(fails=False, partly=bool(context.document.platforms))
    else:
        need = f"{library}{readable_specifier(violation.dependency.specifier)}"
        message = f"{what} needs {need}; the target has {has if has is not None else 'none'}"
    return context.statement(violation.statement, severity, message, [demand])


@rule("TL301")
def unknown_libsndfile(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """A soundfile whose Linux wheels do not contain libsndfile, if the machine's libsndfile is unknown."""
    if "soundfile" not in install_set.names() or "libsndfile" in context.known.libraries:
        return
    stack, mask = context.stack, install_set.releases("soundfile") or 0
    package = stack.packages["soundfile"]
    linux = sum(stack.on_platform(i) for i, name in enumerate(stack.platforms) if name.startswith("linux"))
    if not mask or not install_set.target_grid & linux:
        return
    text = package.versions[mask.bit_length() - 1]
    if not any("manylinux" in tags for tags in context.tags("soundfile", text)):
        demand = install_set.first("soundfile")
        message = (
            f"soundfile {text} does not contain libsndfile on {platforms(stack, install_set.target_grid & linux)}"
        )
        yield context.finding("TL301", "note", message, [demand])


def set_platform_floor(known: Knowledge, platform: Platform) -> None:
    """Judge a platform with another version of libc or macOS than the default."""
    known.stack.set_platform_floor(platform, _usable(known))


def use_free_threaded(known: Knowledge, minor: int) -> None:
    """Judge a minor release of Python by its free-threaded build."""
    known.stack.use_free_threaded(minor, _usable(known))


def _usable(known: Knowledge) -> Callable[[str, Target], Iterator[str]]:
    """A function that returns the releases of a package in the catalogue that install on a target."""
    from torchlock.solve.candidates import CandidateFilter, Policy

    policy = Policy(all_pre=True, pinned=tuple(known.stack.packages))

    def usable(name: str, target: Target) -> Iterator[str]:
        releases = known.catalogue.releases(name) or []
        for candidate in CandidateFilter(target, policy).sort(name, releases)[0]:
            if candidate.release is not None:
                yield candidate.release.version

    return usable
