"""TL601 for the packages that projects use with torch: a part of their files is gone, and their import fails."""

from __future__ import annotations

import os
from itertools import groupby
from typing import TYPE_CHECKING

from torchlock.check.context import dependencies_of
from torchlock.check.relevance import needed_by_stack
from torchlock.check.rules.shared_files import TWINS
from torchlock.inspect.import_graph import files_read
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.distributions import Distribution
    from torchlock.inspect.integrity import Fault


@rule("TL601")
def damaged_users(context: CheckContext) -> Iterator[Finding]:
    """A warning for each package whose own import reads a file that is gone: torch works without the package."""
    lost = [each for each in context.integrity.faults if each.kind == "missing" and _is_source(each)]
    if not lost:
        return
    names = _used_with_torch(context)
    for name, group in groupby(sorted(lost, key=lambda each: each.distribution), lambda each: each.distribution):
        package, faults = context.installed.get(name), list(group)
        if package is not None and (name in names or _top(package, faults[0]) in TWINS):
            yield from _found(context, package, faults)


def _is_source(fault: Fault) -> bool:
    """Whether a lost file is Python, and not empty: the empty __init__.py of a namespace may be gone."""
    return fault.path.endswith(".py") and fault.expected not in ("", "0") and not os.path.isfile(f"{fault.path}c")


def _used_with_torch(context: CheckContext) -> set[str]:
    """The packages outside of the stack that require torch, and what these require."""
    users = context.users_of_torch()
    target = context.target
    needed = {
        item.name
        for each in users
        for item in dependencies_of(each)
        if target is not None and target.holds(item.marker)
    }
    return ({each.name for each in users} | needed) - {*STACK, *needed_by_stack(context)}


def _top(package: Distribution, fault: Fault) -> str:
    """The top-level module of which a lost file is a part."""
    return os.path.relpath(fault.path, package.entry.path).split(os.sep)[0]


def _found(context: CheckContext, package: Distribution, faults: Sequence[Fault]) -> Iterator[Finding]:
    read = next(_read(package, faults), "")
    if not read:
        return
    name = package.name
    count = context.integrity.counts[name, "missing"]
    shown = os.path.relpath(read, package.entry.path).replace(os.sep, "/")
    lacks = f"{count} files that were" if count > 1 else "a file that was"
    yield context.finding(
        "TL601",
        severity_of(fails=False),
        f"{name} lacks {lacks} installed with it, {shown}{' among them' if count > 1 else ''}",
        name,
        path=read,
        because="its own import reads this file; the uninstallation of another package with the same folder, or "
        "an interrupted installation, removes such files",
    )


def _read(package: Distribution, faults: Sequence[Fault]) -> Iterator[str]:
    """The lost files that the import of a package reads, where a part of its folder is still there."""
    lost = {os.path.normpath(each.path) for each in faults}
    for top in dict.fromkeys(_top(package, each) for each in faults):
        folder = os.path.join(package.entry.path, top)
        own = os.path.join(folder, "__init__.py")
        if own in lost and os.path.isdir(folder):
            yield own
        elif os.path.isfile(own):
            yield from sorted(files_read(folder, sorted(lost))[0])
