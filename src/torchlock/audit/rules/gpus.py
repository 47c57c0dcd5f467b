"""TL208, TL202: the GPU and the driver of the target, if the command line names them."""

from __future__ import annotations

from torchlock.audit.phrasing import asked, platforms
from torchlock.audit.rules.host_libraries import build_taken
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import FAMILY
from torchlock.records import NamedTuple
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import Demand, InstallSet
    from torchlock.finding import Finding
    from torchlock.knowledge.gpus import Gpu


class _Taken(NamedTuple):
    """A wheel that an installer takes on a platform."""

    version: str
    build: str
    platform: int


@rule("TL208")
def without_code(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """Builds that have no code for the GPU."""
    for name in install_set.names() if context.known.gpus else ():
        if name not in FAMILY or install_set.first(name).entry.channel == "conda":
            continue
        taken = list(_taken(context, install_set, name))
        for gpu in context.known.gpus:
            found = _without_code(context, install_set.first(name), gpu, taken)
            if found is not None:
                yield found
                break


def _taken(context: AuditContext, install_set: InstallSet, name: str) -> Iterator[_Taken]:
    """The wheel of the newest allowed release for each platform, if its build is known."""
    stack, package = context.stack, context.stack.packages[name]
    allowed = install_set.releases(name) or 0
    allowed = allowed & ~package.prereleases & ~package.yanked or allowed
    for platform, place in enumerate(stack.platforms):
        cells = install_set.target_grid & stack.on_platform(platform)
        mask = allowed & package.on(cells) if cells else 0
        if not mask or place.startswith("macos"):
            continue
        build = build_taken(context, install_set, name, mask.bit_length() - 1, platform)
        version = package.versions[mask.bit_length() - 1]
        if not isinstance(build, str) or build == "cpu":
            continue
        if context.known.builds.serves(name, version, build, place) is not False:
            yield _Taken(version, build, platform)


def _without_code(context: AuditContext, demand: Demand, gpu: Gpu, taken: list[_Taken]) -> Finding | None:
    """The finding on one GPU, if no wheel has code for it, or one for a platform that the file declares."""
    from torchlock.knowledge.accelerators import serves

    stack = context.stack
    answers = [serves(demand.name, one.version, one.build, stack.platforms[one.platform], gpu) for one in taken]
    lacking = [(one, answer) for one, answer in zip(taken, answers, strict=True) if answer.answer is False]
    if not lacking:
        return None
    whole = len(lacking) == len(taken)
    cells = sum(stack.on_platform(one.platform) for one, _ in lacking)
    usual = whole or context.declares_platforms or bool(cells & context.mainstream)
    one, answer = lacking[0]
    where = "" if whole else f" on {platforms(stack, cells)}"
    message = f"{asked(demand)} of {one.build} does not run on {gpu}{where}: {answer.because}"
    severity = severity_of(fails=whole, partly=usual)
    return context.finding("TL208", severity, message, [demand], sources=answer.sources)


@rule("TL202")
def unsupported(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """A driver that does not support the GPU, with whichever CUDA build."""
    driver = context.known.libraries.get("cuda-driver")
    if not context.known.gpus or not driver or "torch" not in install_set.names():
        return
    from torchlock.knowledge.drivers import driver_refuses

    demand = install_set.first("torch")
    if not any(True for _ in _taken(context, install_set, "torch")):
        return  # A CPU build does not use it.
    for gpu in context.known.gpus:
        if message := driver_refuses(gpu, driver):
            yield context.finding("TL202", "error", message, [demand])
            return
