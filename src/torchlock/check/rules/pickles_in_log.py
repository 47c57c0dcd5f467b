"""TL706, TL710, TL229: a pickled file in a log that names something which its module does not have.

A file of ``pickle`` or ``torch.save`` contains the names of classes and functions, and Python looks them up where
it is read. Its writer had them: another release of the package, or the program in which the class was defined.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.log_alone import has_stack
from torchlock.finding import Remedy, Strength
from torchlock.knowledge.names import history
from torchlock.knowledge.other_names import lack_of, project_of
from torchlock.knowledge.registry import rule
from torchlock.knowledge.stack import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_LOST = re.compile(
    r"Can't get attribute '(?P<name>\w{1,80})' on <module '(?P<module>[A-Za-z_][\w.]{0,120})'"
    r"(?: from '(?P<file>[^'\n]{1,300})')?"
)
_BECAUSE = "a pickled file contains the names of its classes, and Python looks for them when it reads the file"


@rule("TL706", "TL710", "TL229", on="unexplained")
def lost(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The class that a pickled file names, with the release that has it, or where else it may be defined."""
    first = log.first
    match = _LOST.search(first.text) if first is not None else None
    if first is None or match is None or has_stack(context):
        return
    module, name = match["module"], f"{match['module']}.{match['name']}"
    top, file = module.partition(".")[0], match["file"] or ""
    if module == "__main__":
        rule_id, severity = "TL229", "note"
        message = f"the file in the log contains {match['name']}, a class of the script that wrote it"
        fix = (
            f"Import or define {match['name']} in the script that reads the file, before it is read; or write the "
            "file again with the weights alone (state_dict)."
        )
    elif file and "-packages" not in file:
        rule_id, severity = "TL229", "note"
        message = f"the file in the log contains {match['name']}, which {module} of this program does not have"
        fix = (
            "Take the file that this program is made for: another one, such as a checkpoint of the training, has "
            "other contents. Or use the state of the program that wrote the file."
        )
    else:
        rule_id, severity = ("TL706" if top in STACK else "TL710"), "warning"
        since = _since(name, top)
        project = top if top in STACK else project_of(module) or top
        message = f"the file in the log contains {name}, which the {project} in the log does not have" + (
            f": it is new in {project} {since}" if since else ": another release of it wrote the file"
        )
        fix = (
            f"Use {project} {since} or later" if since else f"Use the release of {project} that wrote the file"
        ) + (
            " with the releases that belong to it."
            if top in STACK
            else ", usually a later one; or write the file again."
        )
    yield context.finding(
        rule_id,
        severity,
        message,
        because=_BECAUSE,
        expected_error=first.text,
        remedy=Remedy(fix),
        sources=("python-pickle",),
        strength=Strength.RAN,
    )


def _since(name: str, top: str) -> str:
    """The first release with a name, if the tables know that earlier ones lack it."""
    if top in STACK:
        known = history(name)
        return known.having[0] if known is not None and known.having and known.lacking else ""
    lack = lack_of(name)
    return lack.added if lack is not None else ""
