"""A wheel that was named by its file, and that pip refuses: its tags are for another Python or machine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check import known_wheels as wheels
from torchlock.check.asked_releases import place_of
from torchlock.check.installer_findings import Told, install_again, requirement_words
from torchlock.errors import InputError
from torchlock.finding import Remedy
from torchlock.knowledge.build_labels import kind_of
from torchlock.knowledge.stack import FAMILY
from torchlock.records import replace
from torchlock.standards.filenames import platform_in, python_in, tags_of
from torchlock.target import Platform, PythonVersion, Target

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.check.installer_log import Installation
    from torchlock.inspect.interpreter import Interpreter


def refused_file(
    context: CheckContext, asked: Installation, interpreter: Interpreter, target: Target | None
) -> Told | None:
    """What the name of a refused wheel says; ``target`` is None if this Python or its machine is not known.

    None for a wheel that fits: then the pip of another Python refused it, or one that is too old for its tags.
    """
    tags = tags_of(asked.file)
    if target is not None and target.rank(tags) is not None:
        return None
    if target is not None and (later := _later_macos(tags, target)):
        message = f"{asked.file} is for macOS {later} and later, and the macOS in the log is earlier"
        summary = f"Update macOS to {later} or later, or use a wheel of {asked.name} for an earlier macOS."
        return Told("TL403", message, Remedy(summary))
    made_for, own = python_in(tags), interpreter.python
    if target is not None:
        said = f"is not for Python {target.python} on {place_of(target)}: its tags are {tags}"
    elif own is not None and made_for not in ("", str(own)):
        said = f"is for Python {made_for}, and this Python is {own}"
        target = _on_machine_of(tags, own)
    else:
        said = f"is for another Python or machine than this one: {_made_for(made_for, tags)}"
    return Told("TL403", f"{asked.file} {said}", _other_wheel(context, asked, target, made_for))


def _made_for(python: str, tags: str) -> str:
    """The Python and the machine of a wheel, in words, and its tags."""
    try:
        platform = Platform.parse(platform_in(tags))
    except InputError:
        return f"its tags are {tags}"
    version = PythonVersion.parse(python) if python else PythonVersion(3, 12, 0)
    where = place_of(Target(version, platform))
    return f"it is for {f'Python {python} on ' if python else ''}{where} ({tags})"


def _later_macos(tags: str, target: Target) -> str:
    """The release of macOS that a wheel asks for, if that is all that does not fit; else "".

    The release of the machine is that of a tree at least, and the installer that refused the wheel knows it.
    """
    found = re.fullmatch(r"macosx_(\d{1,2})_(\d{1,2})_\w{3,12}", tags.rpartition("-")[2])
    platform = target.platform
    if found is None or platform.system != "macos":
        return ""
    floor = int(found[1]), int(found[2])
    other = replace(target, platform=platform._replace(floor=floor))
    return f"{floor[0]}.{floor[1]}" if floor > platform.floor and other.rank(tags) is not None else ""


def _on_machine_of(tags: str, python: PythonVersion) -> Target | None:
    """This Python on the machine of a wheel."""
    try:
        return Target(python, Platform.parse(platform_in(tags)))
    except InputError:
        return None


def _other_wheel(context: CheckContext, asked: Installation, target: Target | None, made_for: str) -> Remedy:
    """Install the release by its name, with the build that was asked for; else a near one, or another Python."""
    version, _, label = asked.version.partition("+")
    other = f", or use Python {made_for}" if made_for and target and made_for != str(target.python) else ""
    if target is None or asked.name not in FAMILY:
        named = f", or use Python {made_for}" if made_for and not target else other
        return Remedy(f"Use the wheel of {asked.name} for this Python and machine{named}.")
    labels = [label, ""] if kind_of(label) is not None else [""]
    for each in labels:
        there = wheels.releases_with(asked.name, each, target)
        nearest = version if version in there else wheels.nearest(there, version)
        if nearest:
            written = wheels.written(asked.name, nearest, each, target)
            taken = "the installer then takes the wheel for this Python"
            summary = f"Install {asked.name} {written} by its name: {taken}{other}."
            words = requirement_words(asked.name, written)
            return Remedy(summary, commands=install_again(context, words))
    return Remedy(f"No wheel of {asked.name} is known for Python {target.python} on {place_of(target)}{other}.")
