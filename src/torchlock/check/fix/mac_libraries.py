"""Remedies for a library that a package on a Mac needs and dyld does not find."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.fix.commands import install
from torchlock.check.fix.plan import Plan
from torchlock.check.library_origins import meaning_of_missing
from torchlock.check.packaged_libraries import recorded
from torchlock.finding import Command, Remedy
from torchlock.inspect.loading.bundle_process import is_of_macos
from torchlock.knowledge.stack import STACK

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext

_OF_FORMULA = re.compile(r"(?:/opt/homebrew|/usr/local)/opt/(?P<formula>[\w.@+-]{1,60})/lib/")


def of_library(context: CheckContext, package: str, name: str) -> Remedy | None:
    """What brings a library by its name in the file of its user; None if the usual remedies are asked.

    A path in the folder of a formula says what Homebrew has to install.
    """
    if found := _OF_FORMULA.match(name):
        line = f"brew install {found['formula']}"
        summary = (
            f"Install {found['formula']} of Homebrew, which that path belongs to; or a later release of {package}."
        )
        return Remedy(summary, commands=(Command("system", line),))
    library = os.path.basename(name)
    meaning = meaning_of_missing(library)
    if package in STACK:
        return Remedy(meaning.look) if meaning is not None else None
    if is_of_macos(library):
        return Remedy(
            f"Install a later release of {package}, or use a Python of conda: {library} is in /usr/lib, and only "
            "macOS 11 and later also look there."
        )
    _, own = recorded(context, library)
    record = context.installed.get(package)
    if own and not os.path.exists(own) and record is not None:
        commands = install(context, Plan({package: record.version}, alone=True), again=True, fresh=True)
        return Remedy(f"Install {package} once more, without the installer's cache.", commands=commands)
    if meaning is not None:
        return Remedy(f"{meaning.look} Or install another release of {package}, whose wheel contains it.")
    return Remedy(
        f"Install another release of {package}, whose wheel contains {library}; or build it on this machine."
    )
