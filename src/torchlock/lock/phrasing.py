"""Versions, wheels and requirements in words, for the explanation of a conflict."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.knowledge.rules import BUILD_CUDA, GIL, HOST_PREFIX
from torchlock.lock.model import title_of
from torchlock.standards.dependency import readable_specifier

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torchlock.standards.dependency import Dependency
    from torchlock.target import Platform, Target


def spanned(versions: Iterable[str]) -> str:
    """``2.0.1``, ``2.0.1, 2.0.2`` or ``2.0.1 to 2.10.0``."""
    known = sorted(set(versions), key=lambda text: Version(text.rstrip("t")))
    return ", ".join(known) if len(known) <= 3 else f"{known[0]} to {known[-1]}"


def counted(versions: Iterable[str]) -> str:
    """As ``spanned``, for releases that need not be consecutive."""
    known = list(versions)
    return spanned(known) if len(known) <= 3 else f"{len(known)} releases from {spanned(known)}"


def named_releases(name: str, versions: Iterable[str]) -> str:
    """Releases of a project as a subject: ``torch 2.7.0, 2.8.0``, ``5 releases of torch from …``."""
    known = list(versions)
    subject = f"{len(known)} releases of {name} from" if len(known) > 3 else name
    return f"{subject} {spanned(known)}"


def wheels_in_words(version: str, tags: Iterable[str], target: Target) -> str:
    """The Pythons or platforms for which a release has wheels, in brackets; "" if it has none."""
    fitting = [tag for tag in tags if _libc(tag, target.platform)]
    installing = {tag.rpartition("-")[2] for tag in target.tag_ranks}
    here = [tag for tag in fitting if _place(tag) == str(target.platform) or installing & {*_platforms(tag)}]
    if not here:
        places = sorted(set(map(_place, fitting)))
        return f" ({version} has wheels only for {', '.join(places)})" if places else ""
    serving = {tag.rpartition("-")[0] for tag in target.tag_ranks}
    pairs = {pair for tag in here for pair in _pairs(tag)}
    if pairs & serving:
        platforms = sorted({_platforms(tag)[0] for tag in here})
        return f" ({version} has wheels for {', '.join(platforms)})"
    pythons = {_python(pair) for pair in pairs if pair.endswith("t") == target.python.free_threaded}
    numbers = {python for python in pythons if python[:1].isdigit()}
    # Tags of other implementations and unknown tags are shown as they are.
    there = f"Python {spanned(numbers)}" if numbers else _listed(sorted(pythons))
    return f" (on this platform, {version} has wheels for {there})" if there else ""


def _pairs(tags: str) -> list[str]:
    """The interpreter and ABI tags of a compressed tag set, one by one: ``cp311-abi3``."""
    interpreters, abis, _ = _parts(tags)
    return [f"{interpreter}-{abi}" for interpreter in interpreters.split(".") for abi in abis.split(".")]


def _platforms(tags: str) -> list[str]:
    return _parts(tags)[2].split(".")


def _parts(tags: str) -> tuple[str, str, str]:
    *_, interpreters, abis, platforms = ("", "", *tags.split("-"))
    return interpreters, abis, platforms


def _python(pair: str) -> str:
    """``3.11`` or ``3.13t`` for the tag of a Python or CPython; any other tag as it is."""
    interpreter, _, abi = pair.partition("-")
    match = re.fullmatch(r"(?:cp|py)([0-9])([0-9]{0,3})", interpreter)
    if not match:
        return interpreter
    return ".".join(filter(None, match.groups())) + ("t" if abi.endswith("t") else "")


_PLATFORM = re.compile(
    r"(?:(?:many|musl)?(linux)(?:[0-9]+(?![0-9])|_[0-9]+_[0-9]+(?![0-9]))?|(macos)x_[0-9]+_[0-9]+(?![0-9])|(win))_?(\w+)"
)


def _place(tags: str) -> str:
    """The platform of a wheel in the spelling of --platform, or the tag as it is."""
    platform = _platforms(tags)[0]
    match = _PLATFORM.fullmatch(platform)
    if not match:
        return platform
    system = match[1] or match[2] or "windows"
    return f"{system}-{match[4]}"


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words) if len(words) <= 3 else f"{', '.join(words[:3])} and others"


def _libc(tags: str, platform: Platform) -> bool:
    """Whether a wheel is for the C library of the platform, or for any."""
    return platform.system != "linux" or ("musllinux" in tags) == (platform.libc == "musl")


def called(name: str) -> str:
    """The name of a package or a library of the machine in a sentence."""
    if name == BUILD_CUDA:
        return "CUDA build of torch"
    if name == GIL:
        return "Python with the global interpreter lock"
    library = name.removeprefix(HOST_PREFIX)
    return library if library == name else title_of(library)


def subject_of(name: str) -> str:
    """The name before a version: ``CUDA`` for the CUDA version of the torch build."""
    return "CUDA" if name == BUILD_CUDA else called(name)


def need_in_words(dependency: Dependency) -> str:
    """A requirement in words: ``NVIDIA driver 580 or newer``, ``a CPU build of torch``, ``torch==2.8.*``."""
    if dependency.name == BUILD_CUDA:
        version = dependency.specifier.lstrip("=").removesuffix(".*")
        return "a CPU build of torch" if version == "0" else f"a torch built for CUDA {version}"
    if dependency.name == GIL:
        return "a Python with the global interpreter lock"
    if not dependency.name.startswith(HOST_PREFIX):
        return str(dependency)
    library, specifier = called(dependency.name), dependency.specifier
    lowest = specifier.removeprefix(">=")
    if specifier.startswith(">=") and "," not in specifier:
        return f"{library} {lowest} or newer"
    return f"{library} {readable_specifier(specifier)}".strip()
