"""Packages around torch: missing torch, audio backends, and dependents of removed APIs."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

from torchlock.answers import Unknown
from torchlock.audit.install_sets import Demand, cells_of_marker, cells_where, demand_of
from torchlock.audit.phrasing import as_of, asked
from torchlock.audit.supplies import Supply, build_of
from torchlock.finding import Remedy
from torchlock.knowledge.registry import rule
from torchlock.knowledge.rules import is_about_build, specifier_set
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import FAMILY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import InstallSet
    from torchlock.finding import Finding
    from torchlock.knowledge.rules import Statement
    from torchlock.manifests.document import Entry
    from torchlock.standards.dependency import Dependency

# torchaudio 2.1 to 2.8 needs one of these to read or write a file.
_BACKENDS = frozenset({"soundfile", "sox", "ffmpeg"})

# Other functions report these rules: they apply to every target, or to names, not only to pins.
_ELSEWHERE = frozenset({"TL105", "TL532"})
_LIBRARIES = {"libsox": "sox", "ffmpeg": "ffmpeg"}


# These formats add to an existing environment: a hosted notebook has torch, a job has its project.
_BESIDE = frozenset({"notebook", "workflow", "tox", "make", "docs"})


@rule("TL108")
def without_torch(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """A companion whose newest release does not require torch, in a file that does not install torch."""
    if "torch" in install_set.demands:
        return
    for name in ("torchaudio", "torchcodec"):
        if name not in install_set.names():
            continue
        mask = install_set.releases(name) or 0
        if not mask or context.stack.asks(name, mask.bit_length() - 1):
            continue
        demand = install_set.first(name)
        offer = context.offer(demand.entry)
        if demand.entry.channel == "conda" or (not demand.exact and offer.unknown and not offer.public):
            continue  # conda's package requires torch; the packages of another index are not known.
        alone = context.document.locked or context.document.kind in ("dockerfile", "shell", "pipfile")
        beside = context.document.kind in _BESIDE or (context.document.kind == "python" and demand.entry.step > 0)
        others = context.sides.names - {*context.stack.packages, "librosa", "scipy"}
        text = context.stack.packages[name].versions[mask.bit_length() - 1]
        certain = context.document.locked and demand.exact
        severity = severity_of(fails=certain, partly=(alone or not others) and not beside)
        which = f"{name} {text}" if demand.exact else f"{name} {text}, the newest ({as_of(context.known.date)}),"
        message = f"{which} does not declare torch, and this file does not request it"
        finding = context.finding("TL108", severity, message, [demand])
        finding.remedy = Remedy("Add torch on its own line.")
        yield finding


@rule("TL306", "TL305")
def backends(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """A torchaudio that imports but cannot load or save files."""
    if "torchaudio" not in install_set.names():
        return
    package = context.stack.packages["torchaudio"]
    mask = install_set.releases("torchaudio") or 0
    there = {_LIBRARIES[name] for name, version in context.known.libraries.items() if _serves(name, version)}
    there |= {name for name in _BACKENDS if context.sides.has(name, install_set.scope)}
    demand = install_set.first("torchaudio")
    if not mask & ~package.mask(">=2.9") and not context.sides.has("torchcodec", install_set.scope):
        message = f"{asked(demand)} loads and saves with torchcodec, which this file does not request"
        yield context.finding("TL305", "note", message, [demand])
    if not mask & ~package.mask(">=2.1,<2.9") and not there:
        message = f"{asked(demand)} includes no backend: it needs soundfile, libsox or FFmpeg to load and save"
        yield context.finding("TL306", "note", message, [demand])


def _serves(name: str, version: str | None) -> bool:
    """Whether a library of the machine is one that torchaudio 2.1 to 2.8 can use to load and save files."""
    if version is None or name not in _LIBRARIES:
        return False
    return name != "ffmpeg" or specifier_set(">=4.1,<7").contains(version)


@rule("TL106", "TL207", "TL701", "TL702", "TL703", "TL704", "TL705")
def dependents(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """Pinned packages, and a release that removed an API that they use (a statement forbids the pair)."""
    for entry in context.sides.pins(install_set.scope):
        for statement in context.known.forbidding(entry.name):
            if statement.rule in _ELSEWHERE or not _is_about(statement, entry):
                continue
            cells = _cells(context, install_set, statement, entry)
            for forbidden in statement.forbids if cells else ():
                beside = _beside(context, install_set, forbidden, cells)
                if beside is not None:
                    yield _clash(context, entry, statement, forbidden, *beside)


def _is_about(statement: Statement, entry: Entry) -> bool:
    """Whether a pin certainly names a release and a build that a statement is about. Ranges are not judged."""
    label = entry.specifier.partition("+")[2]
    if statement.build and label and not is_about_build(statement.build, label):
        return False
    version = _pinned(entry.specifier)
    return version is not None and specifier_set(statement.when.specifier).contains(version)


def _cells(context: AuditContext, install_set: InstallSet, statement: Statement, entry: Entry) -> int:
    """The cells of an install set where a pin is installed, in a build that a statement is about."""
    stack = context.stack
    cells = install_set.target_grid & cells_where(entry, stack) & cells_of_marker(statement.when.marker, stack)
    if not statement.build or "+" in entry.specifier or entry.name not in FAMILY or not cells:
        return cells
    supply = Supply(0, 0, entry.build, context.offer(entry))
    index = stack.packages[entry.name].mask(f"=={_pinned(entry.specifier)}").bit_length() - 1
    for place in range(len(stack.platforms)) if index >= 0 else ():
        build = build_of(context.known, entry.name, index, place, supply)
        if not isinstance(build, Unknown) and not is_about_build(statement.build, build):
            cells &= ~stack.on_platform(place)
    return cells


@lru_cache(maxsize=8192)
def _pinned(specifier: str) -> str | None:
    """The one version that a specifier set allows, without its label."""
    try:
        clauses = list(SpecifierSet(specifier))
    except ValueError:
        return None
    if len(clauses) != 1 or clauses[0].operator not in ("==", "===") or clauses[0].version.endswith(".*"):
        return None
    return clauses[0].version.partition("+")[0]


def _beside(
    context: AuditContext, install_set: InstallSet, forbidden: Dependency, cells: int
) -> tuple[Demand, str] | None:
    """The demand on the forbidden package, and its name in messages, if some cells get a forbidden release."""
    if forbidden.name in context.stack.packages:
        mask, package = install_set.releases(forbidden.name), context.stack.packages[forbidden.name]
        final = (mask or 0) & ~package.prereleases & ~package.yanked & package.on(cells)
        bad = package.mask(forbidden.specifier)
        if not final or not bad & 1 << final.bit_length() - 1:
            return None
        demand = install_set.first(forbidden.name)
        text, date = package.versions[final.bit_length() - 1], as_of(context.known.date)
        newest = f"{forbidden.name} {text}, which an installer takes ({date})"
        return demand, newest if (mask or 0) & ~bad else asked(demand)
    for entry in context.sides.pins_of(forbidden.name, install_set.scope):
        version = _pinned(entry.specifier)
        here = cells & cells_where(entry, context.stack)
        if here and version is not None and specifier_set(forbidden.specifier).contains(version):
            return Demand(entry, None, exact=True), f"{entry.name} {version}"
    return None


def _clash(
    context: AuditContext, entry: Entry, statement: Statement, forbidden: Dependency, demand: Demand, took: str
) -> Finding:
    own = (
        demand_of(entry, context.stack)
        if entry.name in context.stack.packages
        else Demand(entry, None, exact=True)
    )
    verb = "does not work" if statement.effect == "import" else "only partly works"
    needs = _complement(forbidden.specifier)
    message = f"{asked(own)} {verb} with {took}: it needs {forbidden.name}{needs}"
    return context.statement(statement, "warning", message, [own, demand])


def _complement(specifier: str) -> str:
    """The releases that a rule does not forbid, as the end of ``it needs torchaudio``."""
    clauses = [clause.strip() for clause in specifier.split(",")]
    above = [clause[1:] for clause in clauses if re.match(r"<[^=]", clause)]
    # A lower bound without a minor version is the first release that was looked at: below it nothing is known.
    below = [clause[2:] for clause in clauses if clause.startswith(">=") and ("." in clause or not above)]
    if len(above) + len(below) < 1 or any(not re.match(r"<[^=]|>=", clause) for clause in clauses):
        return f" outside {specifier}"
    if not above:
        return f"<{below[0]}"
    return f" {above[0]} or later" + (f", or earlier than {below[0]}" if below else "")
