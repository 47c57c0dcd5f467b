"""Packages around torch: missing torch, audio backends, and dependents of removed APIs."""

from __future__ import annotations

from torchlock.audit.brought import brought
from torchlock.audit.phrasing import as_of, asked, platforms, where
from torchlock.audit.rules.declared_requirements import ignores_metadata
from torchlock.finding import Remedy
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.standards.ordering import admits
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import InstallSet
    from torchlock.finding import Finding

# torchaudio 2.1 to 2.8 needs one of these to read or write a file.
_BACKENDS = frozenset({"soundfile", "sox", "ffmpeg"})

_LIBRARIES = {"libsox": "sox", "ffmpeg": "ffmpeg"}


# These formats add to an existing environment: a hosted notebook has torch, a job has its project.
_BESIDE = frozenset({"notebook", "workflow", "tox", "make", "docs"})


@rule("TL108")
def without_torch(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """A companion whose newest release does not require torch, in a file that does not install torch."""
    if "torch" in install_set.demands or _is_brought(context, install_set):
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
        elsewhere = context.sides.has("torch", install_set.scope)
        there = f" {_targets(context, install_set)}" if elsewhere else ""
        message = f"{which} does not declare torch, and this file does not request it{there}"
        finding = context.finding("TL108", severity, message, [demand])
        finding.remedy = Remedy("Add torch on its own line.")
        yield finding


def _is_brought(context: AuditContext, install_set: InstallSet) -> bool:
    """Whether other packages of the file certainly bring torch on every target of the set."""
    if install_set.locked or ignores_metadata(context.document):
        return False
    left = context.likely(install_set.target_grid)
    for one in brought(context, install_set, {"torch"}):
        left &= ~one.cells
    return not left


def _targets(context: AuditContext, install_set: InstallSet) -> str:
    """The targets of a set in words: its platforms, or its Pythons if it is for every platform."""
    stack, cells = context.stack, install_set.target_grid
    named = platforms(stack, cells)
    return f"for {where(stack, cells)}" if named == "every platform" else f"on {named}"


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
    return name != "ffmpeg" or admits(">=4.1,<7", str(version))
