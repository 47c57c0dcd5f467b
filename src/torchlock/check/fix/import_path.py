"""Remedies for what stands before the right copy of a package on the import path, and for remains of packages."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.check.fix.commands import shell, uninstall, unset
from torchlock.check.fix.deletion import deletion
from torchlock.check.fix.import_folders import left_folder
from torchlock.finding import Command, Remedy

if TYPE_CHECKING:
    from torchlock.check import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.environment import PathEntry


def deleted(context: CheckContext, finding: Finding) -> Remedy:
    """Delete what an interrupted installer left (TL603)."""
    return Remedy("Delete it.", commands=deletion(context, [finding.path], ""))


def moved(context: CheckContext, finding: Finding) -> Remedy:
    """Remove the copy that hides the right package."""
    name = finding.package
    copies = context.copies.get(name)
    imported = copies.imported if copies is not None else None
    if imported is None or finding.path != imported.path:
        return _renamed(context, finding.path)
    kind = imported.entry.kind if imported.entry else ""
    if kind == "user" or (imported.entry is not None and imported.entry.is_site):
        return Remedy(
            f"Remove the copy of {name} that comes first, or run Python with -s.",
            commands=uninstall(context, [name]),
        )
    if imported.entry is not None and (off := off_path(context, imported.entry)) is not None:
        return off
    if os.path.isdir(imported.path):
        return left_folder(context, os.path.dirname(imported.path), name)
    return _renamed(context, imported.path)


def off_path(context: CheckContext, entry: PathEntry) -> Remedy | None:
    """Take away what adds a folder to the path; None if Python itself adds it."""
    if entry.kind == "pth" and entry.origin is not None:
        return Remedy(f"Remove line {entry.origin.line} of {entry.origin.path}, which adds {entry.path}.")
    if entry.kind == "pythonpath":
        return Remedy(
            "Remove its folder from PYTHONPATH.", commands=(Command("shell", unset(context, "PYTHONPATH")),)
        )
    return None


def _renamed(context: CheckContext, path: str) -> Remedy:
    """Rename the user's own file or folder, which Python finds first."""
    name = os.path.basename(path)
    what = "folder" if os.path.isdir(path) else "file"
    other = os.path.join(os.path.dirname(path), f"my_{name}")
    return Remedy(f"Give the {what} another name than {name}.", commands=shell(context, "mv", path, other))
