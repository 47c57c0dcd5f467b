"""The remedy for a library of an installed package, which is in a folder where torch does not search."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.check.fix.search_path import put_first
from torchlock.check.packaged_libraries import places
from torchlock.finding import Remedy

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding


def of_other_folder(context: CheckContext, finding: Finding) -> Remedy | None:
    """Make the loader search the folders of the packages that have all that torch lacks; None if they do not."""
    if finding.package != "torch" or context.operating_system != "linux":
        return None
    there = places(context, finding.lacks)
    folders = [os.path.dirname(path) for path in there.values()]
    if not any(name in there for name in finding.lacks):
        return None
    rest = [name for name in finding.lacks if name not in there]
    if rest:
        known = ", ".join(f"{name} is in {os.path.dirname(path)}" for name, path in list(there.items())[:3])
        return Remedy(f"Add these folders to LD_LIBRARY_PATH, and install what contains {rest[0]}: {known}.")
    return put_first(context, folders, "Make the loader find what these packages contain")
