"""What stands around torch: what must bring it, backends, and dependents that call what is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from torchlock.audit.demands import demand_of
from torchlock.audit.wording import asked
from torchlock.finding import Remedy
from torchlock.matrix import is_virtual, specifier_set
from torchlock.words import spelled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.audit.case import Case
    from torchlock.audit.demands import Demand, Scene
    from torchlock.document import Entry
    from torchlock.finding import Finding
    from torchlock.matrix import Statement

# Of these torchaudio 2.1 to 2.8 needs one to read or write a file.
_BACKENDS = frozenset({"soundfile", "sox", "ffmpeg"})

_LIBRARIES = {"libsox": "sox"}


def without_torch(case: Case, scene: Scene) -> Iterator[Finding]:
    """A companion whose newest release declares no torch, and nothing that brings one."""
    if "torch" in scene.demands:
        return
    for name in ("torchaudio", "torchcodec"):
        if name not in scene.names():
            continue
        mask = scene.releases(name) or 0
        if not mask or case.stack.asks(name, mask.bit_length() - 1):
            continue
        demand = scene.first(name)
        alone = case.document.locked or case.document.kind in ("dockerfile", "shell", "pipfile")
        others = {entry.name for entry in case.document.entries} - {*case.stack.packages, "librosa", "scipy"}
        text = case.stack.packages[name].texts[mask.bit_length() - 1]
        severity = (
            "error" if case.document.locked and demand.exact else "warning" if alone or not others else "note"
        )
        message = f"{name} {text} declares no torch, and nothing here asks for it"
        finding = case.finding("TL108", severity, message, [demand])
        finding.remedy = Remedy("Ask for torch as well, on a line of its own.")
        yield finding


def backends(case: Case, scene: Scene) -> Iterator[Finding]:
    """torchaudio that imports, but has nothing to load or save with."""
    if "torchaudio" not in scene.names():
        return
    package = case.stack.packages["torchaudio"]
    mask = scene.releases("torchaudio") or 0
    names = {entry.name for entry in case.document.entries if entry.scope in ("", scene.scope)}
    names |= {_LIBRARIES.get(name, name) for name, version in case.known.libraries.items() if version is not None}
    demand = scene.first("torchaudio")
    if not mask & ~package.mask(">=2.9") and "torchcodec" not in names:
        message = f"{asked(demand)} loads and saves through torchcodec, which nothing here asks for"
        yield case.finding("TL305", "note", message, [demand])
    if not mask & ~package.mask(">=2.1,<2.9") and not names & _BACKENDS:
        message = f"{asked(demand)} brings no backend: without soundfile, libsox or FFmpeg it cannot load or save"
        yield case.finding("TL306", "note", message, [demand])


def dependents(case: Case, scene: Scene) -> Iterator[Finding]:
    """Pinned packages beside a release that took away what they call (the statements that forbid something)."""
    for entry in case.document.entries:
        if (
            entry.scope not in ("", scene.scope)
            or not entry.specifier
            or entry.constraint
            or entry.name == "torch"
        ):
            continue
        for statement in case.known.matrix.about(entry.name):
            for forbidden in statement.forbids:
                found = _forbidden(case, scene, entry, statement, forbidden.name, forbidden.specifier)
                if found is not None:
                    yield found


def _forbidden(
    case: Case, scene: Scene, entry: Entry, statement: Statement, name: str, specifier: str
) -> Finding | None:
    """Whether a dependent that is certainly spoken of stands beside what it certainly or probably gets."""
    if is_virtual(name) or name not in scene.demands or name not in case.stack.packages:
        return None
    if not _within(entry.specifier, statement.when.specifier):
        return None
    package, mask = case.stack.packages[name], scene.releases(name)
    if not mask:
        return None
    bad = package.mask(specifier)
    final = mask & ~package.pre & ~package.yanked & package.on(scene.cells)
    if not final or not bad & 1 << final.bit_length() - 1:
        return None
    demand = scene.first(name)
    certain = not mask & ~bad
    took = (
        asked(demand) if certain else f"{name} {package.texts[final.bit_length() - 1]}, which an installer takes"
    )
    dependent = (
        f"{entry.name} {entry.specifier.lstrip('=')}"
        if entry.specifier.startswith("==")
        else (f"{entry.name}{spelled(entry.specifier)}")
    )
    message = f"{dependent} does not work with {took}: it needs {name}{_complement(specifier)}"
    severity = (
        "error" if certain and statement.rule.startswith("TL7") and effect(statement) == "import" else "warning"
    )
    own = _dependent(case, entry)
    return case.statement(statement, severity, message, [own, demand])


def effect(statement: Statement) -> str:
    return str(getattr(statement, "effect", "import"))


def _dependent(case: Case, entry: Entry) -> Demand:
    from torchlock.audit.demands import Demand

    return demand_of(entry, case.stack) if entry.name in case.stack.packages else Demand(entry, None)


def _within(specifier: str, allowed: str) -> bool:
    """Whether a pin is one of the releases that a statement speaks of; ranges are not judged."""
    try:
        clauses = list(SpecifierSet(specifier))
    except InvalidSpecifier:
        return False
    if len(clauses) != 1 or clauses[0].operator not in ("==", "===") or clauses[0].version.endswith(".*"):
        return False
    return specifier_set(allowed).contains(clauses[0].version.partition("+")[0])


def _complement(specifier: str) -> str:
    """What is left of a package that a rule forbids from some version on."""
    return (
        f"<{specifier.removeprefix('>=')}"
        if specifier.startswith(">=") and "," not in specifier
        else (f" outside {specifier}")
    )
