"""For which Pythons and platforms a package that uses the stack has wheels, in words: an installer found none."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from torchlock.inspect.tree_platform import platform_of_tag
from torchlock.knowledge.declared import final_tags
from torchlock.knowledge.other_names import project_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_SYSTEMS = {"linux": "Linux", "macosx": "macOS", "win": "Windows"}
# The project that computes on the CPU, for those whose wheels need a GPU.
_ON_CPU = {"onnxruntime-gpu": "onnxruntime"}


def where_to_look(name: str, specifier: str = "") -> str:
    """What to do if an installer saw no file of a project: for what it has files, else what to look at.

    ``specifier`` is what was asked for; one that is not valid does not count.
    """
    asked = specifier if _is_valid(specifier) else ""
    module = name.replace("-", "_")
    project = project_of(module) or project_of(module.upper())
    if project not in ("", name):
        return (
            f"Install {project} (python -m pip install {project}): the project that has the module {module}. "
            "If another project is meant, check its name."
        )
    if known := places_in_words(name, asked):
        instead = f", or {_ON_CPU[name]}, which computes on the CPU" if name in _ON_CPU else ""
        later = f", or a release of {name} for another Python" if asked else ""
        return f"By the tables, {name}{asked} has wheels for {known}. Use one of these{later}{instead}."
    return (
        f"See for which Pythons, systems and processors {name} has files, on its page of the index. The usual "
        "reason is a Python that is newer than all of them, or another processor (ARM, a Mac with Intel); "
        "else check the name."
    )


def _is_valid(specifier: str) -> bool:
    try:
        return bool(SpecifierSet(specifier))
    except InvalidSpecifier:
        return False


def places_in_words(name: str, specifier: str = "") -> str:
    """Where a project has wheels, like "Linux (x86_64): Python 3.8 to 3.13"; "" if that is not known.

    Only releases that the specifier allows count.

    Nor if one of its wheels is for any platform: another reason is behind the failure.
    """
    places: defaultdict[str, set[int]] = defaultdict(set)
    for tags in final_tags(name, specifier):
        python, _, platforms = tags.partition("-")
        minors = {int(match[1]) for match in re.finditer(r"\bcp3(\d{1,2})\b", python)}
        found = set(_places(platforms.rpartition("-")[2]))
        if not minors or not found:
            return ""
        for place in found:
            places[place] |= minors
    return "; ".join(f"{place}: {_pythons(minors)}" for place, minors in sorted(places.items()))


def _places(platforms: str) -> Iterator[str]:
    """The systems and machines that the platform tags of a wheel name; none for ``any``."""
    for tag in platforms.split("."):
        if tag.startswith("macosx") and tag.endswith("universal2"):
            yield from ("macOS (arm64)", "macOS (x86_64)")
        system, _, machine = platform_of_tag(tag).rpartition("-")
        name = _SYSTEMS.get(system.partition("-")[0], "")
        if name and not tag.startswith("musllinux"):
            yield f"{name} ({machine})"


def _pythons(minors: set[int]) -> str:
    first, last = min(minors), max(minors)
    return f"Python 3.{first}" if first == last else f"Python 3.{first} to 3.{last}"
