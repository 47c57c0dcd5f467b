"""What a folder of the PyTorch index lacks, in words: a fact if its page or a list says so, else not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

from torchlock.knowledge.releases import Catalogue, Provenance

if TYPE_CHECKING:
    from torchlock.knowledge.releases import Provenance
    from torchlock.target import Target


def missing(name: str, specifier: str, source: Provenance, target: Target, *, brief: bool = False) -> str:
    """That a folder has no release of a project that a specifier set admits; ``brief``: without the folder."""
    pins = [clause.version for clause in SpecifierSet(specifier) if clause.operator == "=="]
    what, dated = f"{name}{specifier}", Provenance(as_of=source.as_of).dated
    if not source.as_of or (pins and _is_certain(name, pins[0], source, target)):
        return f"it has no {what}" if brief else f"{source.folder} has no {what}{dated}"
    known = [release.version for release in reversed(Catalogue().releases(name) or ())]
    absent = next((version for version in known if _is_certain(name, version, source, target)), None)
    certain = f"; {name} {absent} has no such build" if absent and not specifier else ""
    return f"no {what} is known{certain}" if brief else f"no {what} is known in {source.folder}{dated}{certain}"


def without_wheel(name: str, version: str, source: Provenance, target: Target, *, brief: bool = False) -> str:
    """That a release has no wheel for the target; it ends with the date of the snapshot, unless ``brief``."""
    certain = not source.folder or _is_certain(name, version, source, target)
    return f"no wheel for {target}{'' if certain else ' is known'}{'' if brief else source.dated}"


def without_builds(source: Provenance, target: Target) -> str:
    """That the index has no builds of this kind for the platform; "" if it has, or if that is not known."""
    from torchlock.knowledge.accelerators import absence_of

    absence = absence_of(target.accelerator, str(target.platform)) if source.folder else None
    return "" if absence is None else f"{absence.because}{Provenance(as_of=source.as_of).dated}"


def _is_certain(name: str, version: str, source: Provenance, target: Target) -> bool:
    """Whether a release is certainly not there: the page was asked, or a list of its builds is complete."""
    if not source.as_of:
        return True
    if target.platform.system == "macos":  # where wheels have no label, which the list is about
        return False
    from torchlock.knowledge.builds import build_table

    public, python = version.partition("+")[0], str(target.python)
    return build_table().published(name, public, target.accelerator, str(target.platform), python) is False
