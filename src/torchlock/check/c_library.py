"""The libraries of glibc, which the machine has, and which no package of Python contains."""

from __future__ import annotations

from torchlock.finding import Remedy
from torchlock.patterns import pattern

_PARTS = pattern(r"(?:lib(?:c|m|mvec|pthread|dl|rt|util|resolv|anl)|ld-linux[\w-]{0,20})\.so\.\d")

WHY_GLIBC = "it is a part of glibc, which the system contains, and no wheel does"


def is_of_glibc(library: str) -> bool:
    """Whether a library, by its name or path, is a part of glibc."""
    return _PARTS.fullmatch(library.rpartition("/")[2]) is not None


def use_whole_glibc(library: str) -> Remedy:
    """The remedy for a ``library`` of glibc that is not there."""
    return Remedy(
        f"Use a system or an image whose glibc has {library}: early releases do not have all parts, and reduced "
        "images leave some out. No wheel contains glibc."
    )
