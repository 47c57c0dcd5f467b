"""TL1xx: versions that do not stand together, or that an installer would bring together."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from torchlock.audit.wording import asked, listed, releases
from torchlock.judge import Bare, violations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torchlock.audit.case import Case
    from torchlock.audit.demands import Scene
    from torchlock.finding import Finding
    from torchlock.judge import Violation
    from torchlock.matrix import Matrix
    from torchlock.stack import Stack

# Works with the wrong partner until it is used, and so is never more than a warning.
LENIENT = frozenset({"numpy"})


def conflicts(case: Case, scene: Scene) -> Iterator[Finding]:
    """Demands of which no releases stand together, whatever the target and the build."""
    for names in guilty(case.stack, {name: scene.releases(name) or 0 for name in strict(scene)}):
        yield _conflict(case, scene, names)


def strict(scene: Scene) -> list[str]:
    """The packages of a scene that fail at import beside the wrong torch."""
    return [name for name in scene.names() if scene.releases(name) and name not in LENIENT and name != "soundfile"]


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
    lead = [name for name in names if name != "torch"]
    demands = [scene.first(name) for name in (*lead, *names[: len(names) - len(lead)])]
    torch = stack.packages["torch"]
    partner = next(name for name in names if name != "torch")
    fitting = {name: stack.fits(name, scene.releases(name) or 0) for name in names if name != "torch"}
    goes = [
        f"{asked(scene.first(name))} goes with {f'torch {releases(torch, mask)}' if mask else 'no torch at all'}"
        for name, mask in fitting.items()
    ]
    against = f", not with {asked(scene.first('torch'))}" if "torch" in names else ""
    violation = _why(case, scene, partner)
    severity = "warning" if len(scene.steps(names)) > 1 else "error"
    if violation is None or violation.statement is None:
        return case.finding(RULES[partner], severity, f"{listed(goes)}{against}", demands)
    return case.statement(violation.statement, severity, f"{listed(goes)}{against}", demands)


RULES = {
    "torchaudio": "TL101",
    "torchcodec": "TL102",
    "torchvision": "TL103",
    "torchtext": "TL104",
    "numpy": "TL105",
}


def _why(case: Case, scene: Scene, partner: str) -> Violation | None:
    """What the judge says of the newest that both demands allow."""
    torch = scene.releases("torch") or case.stack.packages["torch"].everything
    chosen = {"torch": torch.bit_length() - 1, partner: (scene.releases(partner) or 1).bit_length() - 1}
    return why(case, chosen, (scene.cells & -scene.cells).bit_length() - 1)


def why(
    case: Case, chosen: Mapping[str, int], cell: int, builds: Mapping[str, str | None] | None = None
) -> Violation | None:
    """What keeps these releases (by index) from loading together on a cell: versions, or these builds."""
    made = tuple((builds or {}).get(name) for name in chosen)
    return _why_of(case.stack, case.known.matrix, tuple(chosen.items()), made, cell)


@lru_cache(maxsize=4096)
def _why_of(
    stack: Stack, matrix: Matrix, chosen: tuple[tuple[str, int], ...], builds: tuple[str | None, ...], cell: int
) -> Violation | None:
    pins = {
        name: Bare(name, stack.packages[name].versions[index], build=build)
        for (name, index), build in zip(chosen, builds, strict=True)
    }
    for violation in violations(pins, stack.target(cell), matrix, complete=False):
        about = None if violation.dependency is None else violation.dependency.name
        if about in (None, *pins, "build-cuda"):
            return violation
    return None


def newest(stack: Stack, domains: Mapping[str, int], cell: int, platform: int) -> dict[str, int]:
    """What an installer takes on one cell: the newest that metadata lets stand together; nothing if none does."""
    if "torch" not in domains:
        return {}
    here: dict[str, int] = {}
    for name, allowed in domains.items():
        package = stack.packages[name]
        mask = allowed & package.on(cell)
        here[name] = mask & ~package.pre & ~package.yanked or mask
        if not here[name]:
            return {}
    partners = [name for name in here if name in stack.partners]
    torch = here["torch"]
    for name in partners:
        torch &= stack.declared(name, here[name], platform)
    if not torch:
        return {}
    chosen = {"torch": torch.bit_length() - 1}
    for name in partners:
        fitting = here[name] & stack.declared_beside(name, chosen["torch"], platform)
        chosen[name] = fitting.bit_length() - 1
    return chosen
