"""TL4xx: no wheel for a Python or platform that the file declares."""

from __future__ import annotations

from functools import lru_cache, reduce
from operator import or_

from torchlock.audit.phrasing import as_of, asked, listed, platforms, pythons, releases, where
from torchlock.audit.rules.versions import conflicting_sets, strict
from torchlock.audit.supplies import is_from_elsewhere, lacks_wheels
from torchlock.finding import Remedy
from torchlock.knowledge.masks import bits
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import InstallSet
    from torchlock.finding import Finding
    from torchlock.knowledge.compatibility import CompatibilityTable


_ALSO = "for which this file may also be used"
_ADMITTED = "which the range of Pythons in this file admits"
# Packages that are judged only by their wheels.
_BY_THEMSELVES = ("numpy", "soundfile")


@rule("TL403")
def unavailable(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """Demands that no release satisfies on the judged targets, although releases exist for other targets."""
    names = [name for name in (*strict(install_set), *_BY_THEMSELVES) if install_set.releases(name)]
    # Another index may have it for more targets.
    names = [
        name for name in names if name in install_set.names() and not is_from_elsewhere(context, install_set, name)
    ]
    names = [name for name in names if name not in _BY_THEMSELVES or _limits(context, install_set, name)]
    install_set = context.widened(install_set, names)
    there = {name: install_set.releases(name) or 0 for name in strict(install_set)}
    there = {name: mask for name, mask in there.items() if not lacks_wheels(context, install_set, name)}
    if not names:
        return
    if conflicting_sets(context.stack, there):
        # The Python leaves nothing of one of them: that comes before the conflict.
        if any(not mask for mask in _domains(context, install_set, names, install_set.target_grid).values()):
            yield _nowhere(context, install_set, names)
        return
    reachable = _reachable(
        context.stack, tuple((name, install_set.releases(name) or 0) for name in names), install_set.target_grid
    )
    if not reachable:
        yield _nowhere(context, install_set, names)
        return
    groups = [group & install_set.target_grid for group in context.declared if group & install_set.target_grid]
    lost = [group for group in groups if not group & reachable]
    if lost:
        yield _somewhere(context, install_set, names, lost)
        return
    left = [
        group & install_set.target_grid
        for group in context.assumed
        if group & install_set.target_grid and not group & reachable
    ]
    if left:
        yield _somewhere(context, install_set, names, left, declared=False)
    elif context.document.locked:
        yield from _later(context, install_set, names, reachable)


def _later(context: AuditContext, install_set: InstallSet, names: list[str], reachable: int) -> Iterator[Finding]:
    """A finding on a lock for the Pythons behind the first one that its open range admits.

    Its releases are fixed, so that an installer finds nothing there. It is a warning if these are most of the
    Pythons that are supported today.
    """
    stack, current = context.stack, context.known.with_current_pythons & install_set.target_grid
    if context.pythons_given or not context.document.python:
        return
    admitted = [cells for at in range(len(stack.pythons)) if (cells := stack.on_pythons([at]) & current)]
    lost = [cells for cells in admitted if not cells & reachable]
    if lost and len(lost) < len(admitted):
        finding = _somewhere(context, install_set, names, lost, declared=len(lost) * 2 > len(admitted))
        finding.message = finding.message.replace("which this file declares", _ADMITTED).replace(_ALSO, _ADMITTED)
        yield finding


def _limits(context: AuditContext, install_set: InstallSet, name: str) -> bool:
    """Whether a package cannot be installed on every target."""
    there = context.stack.packages[name].cells_of(install_set.releases(name) or 0)
    return bool(context.target_grid & ~there)


@lru_cache(maxsize=4096)
def _reachable(stack: CompatibilityTable, domains: tuple[tuple[str, int], ...], cells: int) -> int:
    """The cells where compatible releases of all these packages install."""
    found = 0
    for cell in bits(cells):
        here = {name: mask & stack.packages[name].on(1 << cell) for name, mask in domains}
        if all(here.values()) and not conflicting_sets(
            stack, {n: m for n, m in here.items() if n not in _BY_THEMSELVES}
        ):
            found |= 1 << cell
    return found


def _domains(context: AuditContext, install_set: InstallSet, names: list[str], cells: int) -> dict[str, int]:
    return {name: (install_set.releases(name) or 0) & context.stack.packages[name].on(cells) for name in names}


def _for_what(context: AuditContext, judged: int, exists: int) -> str:
    """For what there are wheels: the Pythons on the judged platforms, else the other platforms."""
    stack = context.stack
    places = {stack.coordinates(cell)[0] for cell in bits(judged)}
    here = exists & reduce(or_, (stack.on_platform(index) for index in places), 0)
    return pythons(stack, here) if here else platforms(stack, exists)


def _nowhere(context: AuditContext, install_set: InstallSet, names: list[str]) -> Finding:
    """A finding on demands without a wheel on any judged target: one package alone, or several together."""
    # If markers split the targets, other sets of entries may work. Then only a declared target is at fault.
    alone = not any(
        other is not install_set and other.scope == install_set.scope and other.names()
        for other in context.install_sets
    )
    usual = context.declares_platforms or bool(install_set.target_grid & context.mainstream)
    severity = severity_of(fails=alone, partly=usual)
    empty = [
        name for name, mask in _domains(context, install_set, names, install_set.target_grid).items() if not mask
    ]
    target = where(context.stack, install_set.target_grid)
    if empty:
        name = empty[0]
        package = context.stack.packages[name]
        exists = package.cells_of(install_set.releases(name) or 0)
        newest = package.on(install_set.target_grid) & ~package.prereleases & package.comparable
        date = as_of(context.known.date)
        hint = f"; {name} {package.versions[newest.bit_length() - 1]} is the newest that has one" if newest else ""
        there = f" (it has them for {_for_what(context, install_set.target_grid, exists)})" if exists else ""
        message = f"{asked(install_set.first(name))} has no {_file_of(name)} for {target}{there}{hint} ({date})"
        return context.finding("TL403", severity, message, [install_set.first(name)], _why_none(name))
    texts = [asked(install_set.first(name)) for name in names]
    message = f"no single Python and platform of {target} has compatible wheels for {listed(texts)}"
    return context.finding("TL403", severity, message, [install_set.first(name) for name in names])


def _somewhere(
    context: AuditContext, install_set: InstallSet, names: list[str], groups: list[int], *, declared: bool = True
) -> Finding:
    """A finding on a target, declared or possible, without compatible wheels."""
    lost = 0
    for group in groups:
        lost |= group
    domains = _domains(context, install_set, names, lost)
    name = next((name for name, mask in domains.items() if not mask), None)
    target = where(context.stack, lost)
    which = "which this file declares" if declared else _ALSO
    severity = severity_of(fails=False, partly=declared)
    if name is None:
        demands = [install_set.first(name) for name in names]
        texts = listed([asked(demand) for demand in demands])
        message = f"{texts}: no compatible set of releases has wheels for {target}, {which}"
        return _declared(context, context.finding("TL403", severity, message, demands))
    package = context.stack.packages[name]
    there = releases(package, package.on(lost) & ~package.prereleases & package.comparable)
    date = as_of(context.known.date)
    message = (
        f"{asked(install_set.first(name))} has no {_file_of(name)} for {target}, {which} (there: {there}, {date})"
    )
    finding = context.finding("TL403", severity, message, [install_set.first(name)], _why_none(name))
    return _declared(context, finding)


def _file_of(name: str) -> str:
    """What a package lacks on a target; one with an sdist can be built wherever its metadata allows it."""
    return "release" if name in _BY_THEMSELVES else "wheel"


def _why_none(name: str) -> str:
    """The reason, if it is not the one of the rule."""
    return f"each release of {name} declares the Pythons that it is for" if name in _BY_THEMSELVES else ""


def _declared(context: AuditContext, finding: Finding) -> Finding:
    """Add the remedy that other versions cannot give: declare fewer targets."""
    what = "requires-python" if context.document.python else "the target"
    finding.remedy = Remedy(
        f"Narrow {what} to targets that have wheels, or allow releases that have wheels there."
    )
    return finding
