"""The names of packages that the data know, for a question about one that is not found."""

from __future__ import annotations

from torchlock.knowledge import tables
from torchlock.knowledge.releases import Catalogue
from torchlock.spelling import meant

# Names of packages have common parts (nvidia-…, -cu12): a name must be nearer than other texts.
_LIKE = 0.8


def package_meant(name: str) -> str:
    """``; did you mean torchaudio?`` for the name of a package that no index has; "" if no known one is near."""
    return meant(name, (*Catalogue().names(), *dependents()), _LIKE)


def dependents() -> list[str]:
    """The packages that use the stack and whose requirements are known, by their names."""
    return [path.name.removesuffix(".json") for path in (tables.ROOT / "dependents").glob("*.json")]
