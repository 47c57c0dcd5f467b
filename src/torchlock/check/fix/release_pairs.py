"""Which release of a companion belongs to a release of torch, by the rules; without wheels and builds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.index.sources import Sources
from torchlock.knowledge.judge import NamedVersion, violations
from torchlock.knowledge.stack import MEMBERS

if TYPE_CHECKING:
    from torchlock.check import CheckContext
    from torchlock.knowledge.judge import Violation
    from torchlock.knowledge.releases import Release

# The packages that are compiled against one torch.
COMPANIONS = tuple(name for name, member in MEMBERS.items() if member.role == "companion" or name == "torchaudio")
# Their projects on GitHub, and of which of them pip compiles a release without further settings.
SOURCES = {
    "torchaudio": "pytorch/audio",
    "torchvision": "pytorch/vision",
    "torchtext": "pytorch/text",
    "torchcodec": "meta-pytorch/torchcodec",
}
COMPILED_BY_PIP = frozenset(SOURCES) - {"torchcodec"}


def release_for(context: CheckContext, name: str, torch: Version) -> Version | None:
    """The newest release of a companion that the rules allow with a torch; pre-releases count as their release.

    The one that was built for this very release comes before those that work with it, too.
    """
    own = NamedVersion("torch", Version(torch.base_version))
    other: Version | None = None
    for release in reversed(Sources(offline=True).releases(name)):
        version = Version(release.version)
        pins = {"torch": own, name: NamedVersion(name, version)}
        found = violations(pins, context.target, context.matrix, complete=False) if context.target else []
        if version.is_prerelease or any(map(_prevents_import, found)):
            continue
        if _is_for(release, own.version):
            return version
        other = other or version
    return other


def _is_for(release: Release, torch: Version) -> bool:
    """Whether the wheels of a companion require exactly this release of torch."""
    declared = release.dependencies(0) if release.tags else []
    pins = [each.specifier for each in declared if each.name == "torch"] if isinstance(declared, list) else []
    return f"=={torch}" in pins


def _prevents_import(violation: Violation) -> bool:
    """Whether a rule on the releases of torch and its companion is violated, and the import fails."""
    statement, dependency = violation.statement, violation.dependency
    is_of_both = dependency is None or dependency.name in ("torch", *COMPANIONS)
    return statement is not None and statement.effect == "import" and is_of_both
