"""TL621 by the headers of a library: it is whole, and the glibc of this machine does not map it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.check.executable_stack import WHY, unmark
from torchlock.check.fix.commands import reinstall
from torchlock.check.relevance import is_vital, owner_of_file
from torchlock.check.rules.loading import chosen
from torchlock.finding import Remedy
from torchlock.inspect.ownership import all_have_content, rows_of
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.loading.outcome import Refusal

_WHY_ALIGNED = "glibc before 2.35 checks this alignment; patchelf 0.18 writes files that do not have it"


@rule("TL621")
def refused_by_glibc(context: CheckContext) -> Iterator[Finding]:
    """One finding for each package whose import opens a library that glibc refuses."""
    for name in STACK:
        mine = [each for each in context.attempts if each.package == name and each.role == "import"]
        mine += chosen(context, name)
        refused = next((each.outcome.refused for each in mine if each.outcome.refused is not None), None)
        if refused is not None:
            yield _found(context, name, refused)


def _found(context: CheckContext, name: str, refused: Refusal) -> Finding:
    library = os.path.basename(refused.path)
    owner = owner_of_file(context, refused.path)
    glibc = ".".join(map(str, refused.glibc))
    of = f" of {context.named(owner)}" if owner else ""
    what = "is marked to need an executable stack" if refused.stack else "has segments that are not aligned"
    printed = (
        "cannot enable executable stack as shared object requires: Invalid argument"
        if refused.stack
        else "ELF load command address/offset not properly aligned"
    )
    return context.finding(
        "TL621",
        severity_of(fails=is_vital(name)),
        f"{library}{of}, which {name} loads, {what}, which glibc {glibc} refuses",
        *dict.fromkeys([owner or name, name]),
        path=refused.path,
        because=WHY if refused.stack else _WHY_ALIGNED,
        expected_error=f"ImportError: {library}: {printed}",
        remedy=unmark(context, owner, refused.path) if refused.stack else _realign(context, owner, refused.path),
        sources=("ctranslate2-1849", "pytorch-cpu-feedstock-350") if refused.stack else ("patchelf-510",),
    )


def _realign(context: CheckContext, owner: str, path: str) -> Remedy:
    """Install it again if it was changed here; else the machine needs a later glibc."""
    record = context.installed.get(owner) if owner else None
    row = rows_of(record).get(os.path.normpath(path)) if record is not None else None
    if record is not None and row is not None and not all_have_content({path: row}):
        words = f"Install {owner} {record.version} again: patchelf changed its library after the installation."
        return Remedy(words, commands=reinstall(context, owner, f"=={record.version}"))
    return Remedy("Use a later release of the system, with glibc 2.35 or later; or a build of another release.")
