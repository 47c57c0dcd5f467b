"""The remedy for packages that PDM linked from its cache, where one link has the place of several packages."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.finding import Command, Remedy
from torchlock.inspect.record import read_record
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlock.check.context import CheckContext

# The file in which PDM writes where in its cache a package is.
_PLACE = "REFER_TO"


def without_cache(context: CheckContext, names: Iterable[str]) -> Remedy | None:
    """Make PDM install without its cache; None if no link of another package hides one of the named packages."""
    for name in sorted(names):
        link = _hiding(context, name)
        if link:
            shown = os.path.basename(link)
            return Remedy(
                f"Make PDM install again without its cache, in the folder of the project: {shown} is one link to "
                f"the files of another package in this cache, so that those of {name} are not here.",
                commands=(Command("shell", "pdm config --local install.cache false && pdm sync --reinstall"),),
            )
    return None


def _hiding(context: CheckContext, name: str) -> str:
    """The link that a package recorded as its own, and that leads into the cache folder of another; else ""."""
    package = context.installed.get(name)
    record = read_record(package) if package is not None else ""
    if package is None or isinstance(record, str):
        return ""
    try:
        place = files.read(os.path.join(package.path, _PLACE), 4096).decode(errors="replace").strip()
    except (OSError, ValueError):
        return ""
    own = os.path.basename(place.replace("\\", "/"))
    links = (f"{record.base}{os.sep}{row.path}" for row in record if not row.hash and "/" not in row.path)
    return next((each for each in links if own and os.path.islink(each) and not _leads_to(each, own)), "")


def _leads_to(link: str, folder: str) -> bool:
    """Whether a link leads into a folder of this name."""
    return folder in os.readlink(link).replace("\\", "/").split("/")
