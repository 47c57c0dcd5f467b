"""Libraries that another build left in a package's folder: no record lists them, no installer removes them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.check.fix.deletion import file_deletion
from torchlock.finding import Remedy
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.library import is_library
from torchlock.knowledge.cuda_libraries import with_cuda

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.loading.outcome import MissingLibrary


def is_left(context: CheckContext, name: str, path: str) -> bool:
    """Whether no package recorded a library in the folder of this one, and none of the libraries there needs it.

    Packagers of conda and of Linux distributions add libraries that a record does not list.
    """
    record = context.record(name)
    if record is None or record.installer in ("", "conda", "debian", "rpm"):
        return False
    foreign = (each for each in context.integrity.faults if (each.kind, each.distribution) == ("foreign", name))
    is_foreign = os.path.normcase(path) in (os.path.normcase(each.path) for each in foreign)
    return is_foreign and not _is_needed(context, path)


def needs(context: CheckContext, name: str, missing: MissingLibrary) -> str:
    """What is said of a library that is not found, and of the one in the folder of a package that needs it."""
    left = is_left(context, name, missing.wanted_by)
    of = f", which is in the folder of {name} and in no record," if left else f" of {name}"
    return f"{os.path.basename(missing.wanted_by)}{of} needs {with_cuda(missing.name)}, which is not found"


def _is_needed(context: CheckContext, path: str) -> bool:
    """Whether another library of the same folder needs one by its name."""
    folder, name = os.path.split(path)
    others = [each for each in context.environment.tree.names(folder) if is_library(each) and each != name]
    found = (read_binary(os.path.join(folder, each)) for each in others)
    return any(
        os.path.basename(needed.name).lower() == name.lower()
        for each in found
        if isinstance(each, Binary)
        for needed in each.needed
    )


def without_left(context: CheckContext, finding: Finding) -> Remedy | None:
    """Delete the library of a finding, if another build left it; None for all other findings."""
    name = finding.package
    if not is_left(context, name, finding.path):
        return None
    left = os.path.basename(finding.path)
    words = f"Delete {left}: the installed {name} did not install it, and no library beside it needs it."
    commands = file_deletion(context, finding.path)
    return Remedy(f"{words} An installation of {name} does not remove it.", commands=commands)
