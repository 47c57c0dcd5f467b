"""TL601 for a package whose folder has another name: only upper and lower case of the letters differ."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.check.fix.commands import shell
from torchlock.check.relevance import is_vital, module_of
from torchlock.finding import Remedy
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding


@rule("TL601")
def renamed_folders(context: CheckContext) -> Iterator[Finding]:
    """A copy from or by a system that takes upper and lower case for the same."""
    for name in STACK:
        path, module = in_other_case(context, name), module_of(name)
        if path:
            right = os.path.join(os.path.dirname(path), module)
            yield context.finding(
                "TL601",
                severity_of(fails=is_vital(name)),
                f"the folder of {name} is named {os.path.basename(path)}, and Python looks for {module}",
                name,
                path=path,
                because="a copy through a file system that ignores upper and lower case changed the name",
                expected_error=f"ModuleNotFoundError: No module named '{module}'",
                remedy=Remedy("Rename the folder.", commands=shell(context, "mv", path, right)),
            )


def in_other_case(context: CheckContext, name: str) -> str:
    """The path of the folder of a recorded package, if only the case of its name is wrong; "" for all others."""
    module, record = module_of(name), context.installed.get(name)
    if context.copy(name) is not None or record is None:
        return ""
    names = context.environment.tree.names(record.entry.path)
    found = (each for each in names if each.lower() == module and each != module and names[each] == "folder")
    return next((os.path.join(record.entry.path, each) for each in found), "")
