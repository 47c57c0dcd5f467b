"""TL4xx: no wheel for the Python or platform that the file declares."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from torchlock.audit.phrasing import as_of, asked, listed, pythons, releases, where
from torchlock.audit.rules.versions import guilty, strict
from torchlock.finding import Remedy
from torchlock.knowledge.compatibility import bits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.audit.context import Case
    from torchlock.audit.install_sets import Scene
    from torchlock.finding import Finding
    from torchlock.knowledge.compatibility import Stack


# Here only for their wheels.
_BY_THEMSELVES = ("numpy", "soundfile")


def unavailable(case: Case, scene: Scene) -> Iterator[Finding]:
    """Demands that nothing satisfies on the targets judged, though there are releases that would elsewhere."""
    names = [name for name in (*strict(scene), *_BY_THEMSELVES) if scene.releases(name)]
    # Another index may have it for more targets.
    names = [name for name in names if name in scene.names() and not _elsewhere(case, scene, name)]
    if not names or guilty(case.stack, {name: scene.releases(name) or 0 for name in strict(scene)}):
        return
    reachable = _reachable(case.stack, tuple((name, scene.releases(name) or 0) for name in names), scene.cells)
    if not reachable:
        yield _nowhere(case, scene, names)
        return
    groups = [group & scene.cells for group in case.declared if group & scene.cells]
    lost = [group for group in groups if not group & reachable]
    if lost:
        yield _somewhere(case, scene, names, lost)
        return
    left = [group & scene.cells for group in case.assumed if group & scene.cells and not group & reachable]
    if left:
        yield _somewhere(case, scene, names, left, declared=False)


def _elsewhere(case: Case, scene: Scene, name: str) -> bool:
    """Whether a package may come from an index that the catalogue does not know."""
    for demand in scene.demands[name]:
        offer = case.offer(demand.entry)
        if demand.label or demand.entry.url or demand.entry.channel == "conda" or offer.named or offer.unknown:
            return True
    return False


@lru_cache(maxsize=4096)
def _reachable(stack: Stack, domains: tuple[tuple[str, int], ...], cells: int) -> int:
    """The cells where releases of all these packages install that go together."""
    found = 0
    for cell in bits(cells):
        here = {name: mask & stack.packages[name].on(1 << cell) for name, mask in domains}
        if all(here.values()) and not guilty(stack, {n: m for n, m in here.items() if n not in _BY_THEMSELVES}):
            found |= 1 << cell
    return found


def _domains(case: Case, scene: Scene, names: list[str], cells: int) -> dict[str, int]:
    return {name: (scene.releases(name) or 0) & case.stack.packages[name].on(cells) for name in names}


def _nowhere(case: Case, scene: Scene, names: list[str]) -> Finding:
    """Nothing works on any target judged: of one package alone, or of several together."""
    # Where markers part the targets, the others may well do: then this is what a declared target lacks.
    alone = not any(other is not scene and other.scope == scene.scope and other.names() for other in case.scenes)
    severity = "error" if alone else "warning"
    if not alone and not case.declares_platforms and not scene.cells & case.mainstream:
        severity = "note"
    empty = [name for name, mask in _domains(case, scene, names, scene.cells).items() if not mask]
    target = where(case.stack, scene.cells)
    if empty:
        name = empty[0]
        package = case.stack.packages[name]
        exists = package.cells_of(scene.releases(name) or 0)
        newest = package.on(scene.cells) & ~package.pre & package.alike
        date = as_of(case.known.date)
        hint = f"; {name} {package.texts[newest.bit_length() - 1]} is the newest that has one" if newest else ""
        there = f" (it has them for {pythons(case.stack, exists)})" if exists else ""
        message = f"{asked(scene.first(name))} has no wheel for {target}{there}{hint} ({date})"
        return case.finding("TL403", severity, message, [scene.first(name)])
    texts = [asked(scene.first(name)) for name in names]
    message = f"no single Python and platform of {target} has wheels for {listed(texts)} that go together"
    return case.finding("TL403", severity, message, [scene.first(name) for name in names])


def _somewhere(case: Case, scene: Scene, names: list[str], groups: list[int], *, declared: bool = True) -> Finding:
    """A finding on a target, declared or possible, on which there is no choice."""
    lost = 0
    for group in groups:
        lost |= group
    domains = _domains(case, scene, names, lost)
    name = next((name for name, mask in domains.items() if not mask), None)
    target = where(case.stack, lost)
    which = "which this file declares" if declared else "for which this file may also be used"
    severity = "warning" if declared else "note"
    if name is None:
        demands = [scene.first(name) for name in names]
        texts = listed([asked(demand) for demand in demands])
        message = f"{texts}: no compatible set of releases has wheels for {target}, {which}"
        return _declared(case, case.finding("TL403", severity, message, demands))
    package = case.stack.packages[name]
    there = releases(package, package.on(lost) & ~package.pre & package.alike)
    date = as_of(case.known.date)
    message = f"{asked(scene.first(name))} has no wheel for {target}, {which} (there: {there}, {date})"
    return _declared(case, case.finding("TL403", severity, message, [scene.first(name)]))


def _declared(case: Case, finding: Finding) -> Finding:
    """With a remedy that no version is: declare less."""
    what = "requires-python" if case.document.python else "the target"
    finding.remedy = Remedy(f"Narrow {what} to where there are wheels, or allow releases that have them there.")
    return finding
