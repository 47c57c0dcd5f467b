"""Libraries of conda, of Homebrew or of the machine: whether they load, and how to get them again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.check.conda import conda_install
from torchlock.finding import Command, Remedy
from torchlock.inspect.loading.imports import Attempt
from torchlock.inspect.loading.outcome import MissingLibrary
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.inspect.loading.process import LoaderProcess

_HOMEBREW = pattern(
    r"/(?:opt/homebrew|usr/local|\.?(?:home)?brew)/(?:lib|(?:opt|Cellar)/(?P<formula>[\w@.+-]{1,60}))/"
)


def opened(context: CheckContext, package: str, path: str, process: LoaderProcess | None = None) -> Attempt | None:
    """What happens when a package opens a library of the machine; None if it cannot be read.

    In ``process``, or in a new one, which is not asked about what it has loaded before.
    """
    if context.target is None:
        return None
    outcome = (process or context.new_process(context.target)).load(path, symbols=False)
    if context.search_path is not None and context.search_path.is_whole and context.operating_system == "macos":
        # All folders that this Python makes dyld search are known, so no other place has them.
        unfound = tuple(MissingLibrary(each.name, each.wanted_by) for each in outcome.unseen if each.is_unfound)
        rest = tuple(each for each in outcome.unseen if not each.is_unfound)
        outcome = outcome._replace(missing=(*outcome.missing, *unfound), unseen=rest)
    return Attempt(package, path, "import", outcome) if outcome.unreadable is None else None


def once_more(context: CheckContext, name: str, path: str, *others: str) -> Remedy | None:
    """Write a library again, with what it needs, by the manager that it came from; None if that is not known.

    ``others`` are the packages of conda-forge with what it needs.
    """
    prefix = context.environment.interpreter.prefix if context.environment.conda else ""
    brewed = _HOMEBREW.search(path) if context.operating_system == "macos" else None
    if brewed is not None and not (prefix and path.startswith(prefix + os.sep)):
        words = f"Install {name} of Homebrew again: what it needs was updated or removed after it."
        return Remedy(words, commands=(Command("system", f"brew reinstall {brewed['formula'] or name.lower()}"),))
    if not context.environment.conda:
        return None
    words = f"Install {name} again with what it needs, all of one channel."
    commands = conda_install(context, "-c conda-forge", "--force-reinstall", name.lower(), *others)
    return Remedy(words, commands=commands)
