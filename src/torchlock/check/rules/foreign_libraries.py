"""TL608 for single libraries: one for another machine among those that a package opens, or that they need."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.check.fix.deletion import file_deletion
from torchlock.check.loader_messages import of_other_machine
from torchlock.check.relevance import owner_of_file
from torchlock.check.rules.foreign_wheels import SYSTEMS, has_other_machine
from torchlock.finding import Remedy
from torchlock.inspect.machine import machine_in
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import FAMILY, MEMBERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.loading.imports import Attempt


@rule("TL608")
def foreign_libraries(context: CheckContext) -> Iterator[Finding]:
    """At most one finding for each package whose own libraries are for this machine."""
    for name in filter(FAMILY.__contains__, MEMBERS):
        mine = (each for each in context.attempts if each.package == name and each.role == "import")
        found = next((each for each in mine if _is_foreign(each)), None)
        copy = context.copy(name)
        if found is not None and copy is not None and not has_other_machine(context, copy):
            yield _found(context, found)


def _is_foreign(attempt: Attempt) -> bool:
    reason = attempt.outcome.unreadable
    return reason is not None and reason.reason.startswith("is for ")


def _found(context: CheckContext, attempt: Attempt) -> Finding:
    name, target = attempt.package, context.target
    reason = attempt.outcome.unreadable
    assert reason is not None and target is not None
    path = reason.path or attempt.path
    owner, machine = owner_of_file(context, path), machine_in(path)
    theirs = f"{SYSTEMS[machine.system]} ({', '.join(machine.machines)})" if machine else reason.reason[7:]
    mine = f"{SYSTEMS[target.platform.system]} ({target.platform.machine})"
    how = (
        f"in the folder of {context.named(name)}" if path == attempt.path else f"which {context.named(name)} needs"
    )
    library = os.path.basename(path)
    message = f"{library}, {how}, is for {theirs}, and this Python is for {mine}"
    is_alien = (
        path == attempt.path and not owner and (context.record(name) or context.environment.frozen) is not None
    )
    return context.finding(
        "TL608",
        severity_of(fails=MEMBERS[name].effect == "import"),
        message,
        *dict.fromkeys([owner or name, name]),
        path=path,
        because="torch opens each DLL of this folder" if name == "torch" and is_alien else None,
        expected_error=of_other_machine(context, path, attempt.path, machine.machines if machine else ()),
        remedy=_delete(context, path, name) if is_alien else None,
        lacks=tuple(dict.fromkeys((library, os.path.basename(attempt.path)))),
    )


def _delete(context: CheckContext, path: str, name: str) -> Remedy:
    """Delete a file that no package recorded, or that a freezer put beside those of the package."""
    library = os.path.basename(path)
    why = "no installed package recorded it"
    if context.environment.frozen is not None:
        why = "those are for the machine of this program. Leave it out when the application is built again"
    return Remedy(
        f"Delete {library}, which is not a file of {name}: {why}.", commands=file_deletion(context, path)
    )
