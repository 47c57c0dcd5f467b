"""TL1xx: versions that do not stand together, or that an installer would bring together."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torchlock.audit.wording import asked, listed, platforms, releases
from torchlock.judge import violations
from torchlock.stack import bits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from packaging.version import Version

    from torchlock.audit.case import Case
    from torchlock.audit.demands import Scene
    from torchlock.finding import Finding
    from torchlock.judge import Violation
    from torchlock.stack import Stack
    from torchlock.target import Target
    from torchlock.words import Dependency

# Works with the wrong partner until it is used, and so is never more than a warning.
LENIENT = frozenset({"numpy"})


class Pin(NamedTuple):
    """A release for the judge, with what is known of it here."""

    name: str
    version: Version
    tags: str = ""
    build: str | None = None
    dependencies: tuple[Dependency, ...] = ()
    unversioned: bool = False


def conflicts(case: Case, scene: Scene) -> Iterator[Finding]:
    """Demands of which no releases stand together, whatever the target and the build."""
    for names in guilty(case.stack, {name: scene.releases(name) or 0 for name in strict(scene)}):
        yield _conflict(case, scene, names)


def strict(scene: Scene) -> list[str]:
    """The packages of a scene that fail at import beside the wrong torch."""
    return [name for name in scene.names() if name not in LENIENT and name != "soundfile"]


def guilty(stack: Stack, domains: Mapping[str, int]) -> list[tuple[str, ...]]:
    """The smallest sets of packages whose domains do not meet; every one that has two members, else one larger.

    All of them meet in torch, so that a set stands together if and only if some torch goes with each.
    """
    torch = domains.get("torch", stack.packages["torch"].everything)
    wanted = {name: stack.fits(name, mask) for name, mask in domains.items() if name != "torch"}
    alone = [name for name, mask in wanted.items() if not mask & torch]
    if alone:
        return [("torch", name) if "torch" in domains else (name,) for name in alone]
    names = list(wanted)
    if _meet(torch, wanted, names):
        return []
    for name in list(names):
        rest = [other for other in names if other != name]
        if not _meet(torch, wanted, rest):
            names = rest
    everything = stack.packages["torch"].everything
    if "torch" in domains and _meet(everything, wanted, names):
        names.insert(0, "torch")
    return [tuple(names)]


def _meet(torch: int, wanted: Mapping[str, int], names: list[str]) -> bool:
    for name in names:
        torch &= wanted[name]
    return bool(torch)


def _conflict(case: Case, scene: Scene, names: tuple[str, ...]) -> Finding:
    stack = case.stack
    demands = [scene.first(name) for name in (*names[1:], names[0])]
    torch = stack.packages["torch"]
    partner = next(name for name in names if name != "torch")
    goes = [
        f"{asked(scene.first(name))} goes with torch {releases(torch, stack.fits(name, scene.releases(name) or 0))}"
        for name in names
        if name != "torch"
    ]
    against = f", not with {asked(scene.first('torch'))}" if "torch" in names else ""
    violation = _why(case, scene, partner)
    severity = "warning" if len(scene.steps(names)) > 1 else "error"
    if violation is None or violation.statement is None:
        return case.finding(_RULES[partner], severity, f"{listed(goes)}{against}", demands)
    return case.statement(violation.statement, severity, f"{listed(goes)}{against}", demands)


_RULES = {
    "torchaudio": "TL101",
    "torchcodec": "TL102",
    "torchvision": "TL103",
    "torchtext": "TL104",
    "numpy": "TL105",
}


def _why(case: Case, scene: Scene, partner: str) -> Violation | None:
    """What the judge says of the newest that both demands allow."""
    torch = scene.releases("torch") or case.stack.packages["torch"].everything
    target = case.stack.target((scene.cells & -scene.cells).bit_length() - 1)
    return why(
        case, {"torch": torch.bit_length() - 1, partner: (scene.releases(partner) or 1).bit_length() - 1}, target
    )


def why(case: Case, chosen: Mapping[str, int], target: Target) -> Violation | None:
    """The first thing that keeps these releases (by index) from loading together, builds aside."""
    pins = {name: Pin(name, case.stack.packages[name].versions[index]) for name, index in chosen.items()}
    found = violations(pins, target, case.known.matrix, complete=False)
    return next((violation for violation in found if violation.dependency is not None), None)


def choices(case: Case, scene: Scene) -> Iterator[Finding]:
    """What an installer that takes the newest ends up with, where that does not load."""
    broken: dict[tuple[str, int, int], int] = {}
    for cell in bits(scene.cells):
        platform = case.stack.coordinates(cell)[0]
        chosen = newest(case.stack, scene, 1 << cell, platform)
        for name in chosen:
            if name in case.stack.partners and "torch" in chosen:
                torch = 1 << chosen["torch"]
                if not case.stack.loads(name, 1 << chosen[name], platform) & torch:
                    key = name, chosen[name], chosen["torch"]
                    broken[key] = broken.get(key, 0) | 1 << cell
    for name in dict.fromkeys(key[0] for key in broken):
        mine = {key: cells for key, cells in broken.items() if key[0] == name}
        key = max(mine, key=lambda key: (key[2], key[1]))
        yield _choice(case, scene, key, mine[key])


def newest(stack: Stack, scene: Scene, cell: int, platform: int) -> dict[str, int]:
    """What an installer takes on one cell: the newest that metadata lets stand together; nothing if none does."""
    domains: dict[str, int] = {}
    for name in scene.names():
        package = stack.packages[name]
        mask = (scene.releases(name) or 0) & package.on(cell)
        final = mask & ~package.pre & ~package.yanked
        domains[name] = final or mask
        if not domains[name]:
            return {}
    partners = [name for name in domains if name in stack.partners]
    if "torch" not in domains:
        return {}
    torch = domains["torch"]
    for name in partners:
        torch &= stack.declared(name, domains[name], platform)
    if not torch:
        return {}
    chosen = {"torch": torch.bit_length() - 1}
    for name in partners:
        fitting = [
            index
            for index in bits(domains[name])
            if stack.declared(name, 1 << index, platform) & 1 << chosen["torch"]
        ]
        chosen[name] = fitting[-1]
    return chosen


def _choice(case: Case, scene: Scene, key: tuple[str, int, int], cells: int) -> Finding:
    name, release, torch = key
    stack = case.stack
    packages = stack.packages
    both = f"torch {packages['torch'].texts[torch]} and {name} {packages[name].texts[release]}"
    pinned = scene.first("torch").exact and scene.first(name).exact
    where = "" if cells == scene.cells else f" on {platforms(stack, cells)}"
    violation = why(case, {"torch": torch, name: release}, stack.target((cells & -cells).bit_length() - 1))
    demands = [scene.first(name), scene.first("torch")]
    if pinned:
        message = f"{both} do not load together{where}"
    else:
        message = f"an installer takes {both}{where}, which do not load together"
    severity = "error" if pinned and cells == scene.cells and name not in LENIENT else "warning"
    if violation is None:
        return case.finding("TL201", severity, f"{message}: their builds do not fit", demands)
    statement = violation.statement
    if statement is None:
        return case.finding(_RULES[name], severity, message, demands)
    return case.statement(statement, severity, message, demands)
