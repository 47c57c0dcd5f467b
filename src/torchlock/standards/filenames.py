"""Names of distribution files: which project and version they claim."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.version import Version

# The archives that pip takes for source distributions; the first is the one of PEP 625.
ARCHIVES = (".tar.gz", ".tgz", ".zip", ".tar.bz2", ".tbz", ".tar.xz", ".txz", ".tar")
_SUFFIXES = (".whl", *ARCHIVES)
# No file system holds a longer name; the tags in one would multiply without end.
_LONGEST = 255


def is_distribution(filename: str) -> bool:
    """Whether this looks like a wheel or an sdist; eggs, installers and signatures do not."""
    return filename.endswith(_SUFFIXES) and len(filename) <= _LONGEST


def normalise(name: str) -> str | None:
    """The project name in the form of PEP 503, or None if it is no project name (a path, say)."""
    normal = re.sub(r"[-_.]+", "-", name).lower()
    return normal if re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", normal) else None


def parse(filename: str) -> tuple[str, Version] | None:
    """Project (normalised) and version, or None for a name that installers would not accept."""
    from packaging.utils import parse_sdist_filename

    from torchlock.standards.wheel_names import parsed_wheel_name

    try:
        if filename.endswith(".whl"):
            name, version, _ = parsed_wheel_name(filename)
        else:
            suffix = next((each for each in ARCHIVES if filename.endswith(each)), "")
            name, version = parse_sdist_filename(filename.removesuffix(suffix) + ".tar.gz")
    except ValueError:
        return None
    return name, version


def same_version(one: str, other: str) -> bool:
    """Whether two texts are the same version (PEP 440); other texts must be equal."""
    from packaging.version import Version

    try:
        return Version(one) == Version(other)
    except ValueError:
        return one == other
