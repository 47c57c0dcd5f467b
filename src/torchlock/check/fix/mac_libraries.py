"""Remedies for a library that a package on a Mac needs and dyld does not find."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.conda import conda_install
from torchlock.check.fix.commands import install
from torchlock.check.fix.linked_again import linked_again
from torchlock.check.fix.plan import Plan
from torchlock.check.library_origins import meaning_of_missing
from torchlock.check.packaged_libraries import recorded
from torchlock.finding import Command, Remedy
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.loading.bundle_process import is_of_macos
from torchlock.inspect.loading.root import Root
from torchlock.knowledge.stack import STACK
from torchlock.runtime import files

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.check.log_files import NamedFile

_OF_FORMULA = re.compile(r"(?P<folder>(?:/opt/homebrew|/usr/local)/opt/(?P<formula>[\w.@+-]{1,60})/lib)(?:/|$)")


def of_library(context: CheckContext, user: NamedFile, name: str) -> Remedy | None:
    """What brings a library by its name in the file of its user; None if the usual remedies are asked."""
    package, library = user.package, os.path.basename(name)
    if found := _formula(user, name):
        return _of_formula(context, package, found)
    meaning = meaning_of_missing(library)
    if package in STACK:
        return Remedy(meaning.look) if meaning is not None else None
    if is_of_macos(library):
        return Remedy(
            f"Install a later release of {package}, or use a Python of conda: {library} is in /usr/lib, and only "
            "macOS 11 and later also look there."
        )
    return _of_package(context, package, library, meaning.look if meaning is not None else "")


def _formula(user: NamedFile, name: str) -> re.Match[str] | None:
    """The formula of Homebrew in whose folder its user looks for a library."""
    if not name.startswith("@rpath/"):
        return _OF_FORMULA.match(name)
    binary = read_binary(user.path)
    folders = binary.rpath if isinstance(binary, Binary) else ()
    return next(filter(None, map(_OF_FORMULA.match, folders)), None)


def _of_formula(context: CheckContext, package: str, found: re.Match[str]) -> Remedy:
    """A folder of a formula says what Homebrew has to install, if it did not install a later release of it."""
    formula, search = found["formula"], context.search_path
    if search is not None and files.is_folder(Root(search.root).real(found["folder"])):
        return linked_again(context, package, why=f"the {formula} that Homebrew has now is another release")
    summary = f"Install {formula} with Homebrew: the path is in its folder. Or use a later release of {package}."
    return Remedy(summary, commands=(Command("system", f"brew install {formula}"),))


def _of_package(context: CheckContext, package: str, library: str, look: str) -> Remedy:
    record = context.installed.get(package)
    if record is not None and record.installer == "conda":
        commands = tuple(
            each._replace(line=each.line.replace("conda install", "conda update", 1))
            for each in conda_install(context, "--all")
        )
        return Remedy(
            f"Update all packages of this environment with conda, for what {package} needs; or create the "
            "environment again.",
            commands=commands,
        )
    _, own = recorded(context, library)
    if own and not os.path.exists(own) and record is not None:
        commands = install(context, Plan({package: record.version}, alone=True), again=True, fresh=True)
        return Remedy(f"Install {package} again, without the installer's cache.", commands=commands)
    if look:
        return Remedy(f"{look} Or install another release of {package}, whose wheel contains it.")
    return Remedy(
        f"Install another release of {package}, whose wheel contains {library}; or build it on this machine."
    )
