"""Names of distribution files: the project and version that they state."""

from __future__ import annotations

import math
import re
from functools import lru_cache

from torchlock.patterns import pattern
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.version import Version

# The archives that pip accepts as source distributions; the first is that of PEP 625.
ARCHIVES = (".tar.gz", ".tgz", ".zip", ".tar.bz2", ".tbz", ".tar.xz", ".txz", ".tar")
_SUFFIXES = (".whl", *ARCHIVES)
# No file system allows a longer name; the tags in one would multiply without end.
_LONGEST = 255
# A name with "a.b-c.d-e.f" stands for eight tags. The longest real ones stand for some hundred.
_MOST_TAGS = 2000
# A name of a wheel that is valid if its version is: ASCII, with a name that needs no escape and plain tags.
_TAGS = r"[a-zA-Z_]\w*(?:\.[a-zA-Z_]\w*){0,5}-\w+(?:\.\w+){0,5}-\w+(?:\.\w+){0,5}"
_ORDINARY = pattern(rf"([a-zA-Z0-9]+(?:[._][a-zA-Z0-9]+)*)-([^-]+)-(?:[0-9][\w.]*-)?{_TAGS}\.whl", re.ASCII)
# Patterns as text: most runs do not need them compiled.
_PLATFORM_TAG = r"(macosx|win|linux|manylinux\w{1,6})(?:_\d+_\d+)?_(x86_64|aarch64|amd64|arm64)"
_PYTHON_TAGS = r"cp(\d)(\d{1,2})-(?:cp\d{2,3}(t)?m?u?|none)-"
# A variant wheel (PEP 825): after the platform, or after build number and tags, there is a label. A build number
# begins with a digit, and a Python tag does not.
_VARIANT = r"([^-]+-[^-]+(?:-\d[^-]*)?-[^-\d][^-]*-[^-]+-[^-]+)-([0-9a-z_.]+)"


def is_distribution(filename: str) -> bool:
    """Whether this looks like a wheel or an sdist; eggs, installers and signatures are neither."""
    return filename.endswith(_SUFFIXES) and len(filename) <= _LONGEST


def file_name(address: str) -> str:
    """The last part of an address or a path, without query and fragment, decoded."""
    last = re.split(r"[/\\]", re.split(r"[#?]", address, maxsplit=1)[0])[-1]
    if "%" not in last:
        return last
    from urllib.parse import unquote

    return unquote(last)


def split_variant(filename: str) -> tuple[str, str]:
    """The name of a wheel without its variant label (PEP 825), and the label, "" if it has none."""
    stem = filename.removesuffix(".whl")
    if stem.count("-") < 5:  # most names: no pattern is needed
        return filename, ""
    match = re.fullmatch(_VARIANT, stem)
    return (f"{match[1]}.whl", match[2]) if match else (filename, "")


def is_variant(filename: str) -> bool:
    """Whether this is a variant wheel (PEP 825), which today's pip and uv neither choose nor install."""
    return filename.endswith(".whl") and split_variant(filename)[1] != ""


def parse_wheel(filename: str) -> tuple[str, Version, tuple[int, str] | tuple[()]]:
    """The normalised project, the version, and the build number if there is one; a variant label may follow.

    Raises:
        ValueError: this is not a valid name of a wheel.
    """
    from packaging.utils import parse_wheel_filename

    if math.prod(part.count(".") + 1 for part in tags_of(filename).split("-")) > _MOST_TAGS:
        raise ValueError("the name stands for too many tags")
    name, version, build, _ = parse_wheel_filename(split_variant(filename)[0])
    return str(name), version, build


def ordinary_wheel(filename: str) -> tuple[str, str] | None:
    """Name and version as the name of a wheel has them, if ``parse`` looks at nothing else; None to call it."""
    match = _ORDINARY.fullmatch(filename)
    return (match[1], match[2]) if match else None


def build_number(filename: str) -> tuple[int, str] | tuple[()]:
    """The build number in the name of a wheel, in the order of installers; () if there is none."""
    parts = filename.removesuffix(".whl").split("-")
    if len(parts) != 6 or not parts[2][:1].isdigit():
        return ()
    match = re.match(r"([0-9]+)(.*)", parts[2])
    return (int(match[1]), match[2]) if match else ()


def tags_of(filename: str) -> str:
    """The tags in the name of a wheel, without a variant label: ``cp312-cp312-win_amd64``."""
    return "-".join(split_variant(filename)[0].removesuffix(".whl").split("-")[-3:])


@lru_cache(maxsize=4096)
def platform_in(tags: str) -> str:
    """The platform for which a wheel with these tags was built, like ``linux-x86_64``; "" for any other."""
    tag = tags.rpartition("-")[2].rpartition(".")[2]
    match = re.fullmatch(_PLATFORM_TAG, tag)
    if match is None:
        return ""
    system = {"mac": "macos", "win": "windows"}.get(match[1][:3], "linux")
    return f"{system}-{match[2]}"


def python_in(tags: str) -> str:
    """The one CPython for which a wheel with these tags was built, like ``3.12`` or ``3.13t``; "" for several."""
    match = re.match(_PYTHON_TAGS, tags)
    return f"{match[1]}.{match[2]}{match[3] or ''}" if match else ""


def cell_of(tags: str) -> tuple[str, str]:
    """``platform_in`` and ``python_in`` of a wheel: linux-x86_64 and 3.13t."""
    return platform_in(tags), python_in(tags)


def parse(filename: str) -> tuple[str, Version] | None:
    """Project (normalised) and version; None if the name is not one of a wheel or a source distribution."""
    from packaging.utils import parse_sdist_filename

    try:
        if filename.endswith(".whl"):
            name, version, _ = parse_wheel(filename)
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
