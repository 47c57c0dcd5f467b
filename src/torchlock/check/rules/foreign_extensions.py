"""TL608 for packages outside of the stack: an extension module that was built for another Python."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.check.relevance import owners_by_depth
from torchlock.finding import Strength
from torchlock.inspect.extensions import of_other_pythons
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding
    from torchlock.inspect.distributions import Distribution
    from torchlock.inspect.extensions import Extension


@rule("TL608")
def foreign_extensions(context: CheckContext) -> Iterator[Finding]:
    """A note for each package that requires torch: whether its import opens the module is not known."""
    for distribution in context.users_of_torch():
        for extension, theirs in of_other_pythons(distribution, context.python_minor)[:1]:
            yield _finding(context, extension, theirs)


@rule("TL608", on="log")
def missed(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A module that a log misses, and that is there for another Python; a note about it becomes a warning."""
    module = log.first.module if log.first is not None else ""
    asked = module.rpartition(".")[2]
    for distribution in _asking(context, log) if asked else ():
        for extension, theirs in of_other_pythons(distribution, context.python_minor):
            if _module(extension) != asked or log.first is None:
                continue
            known = [each for each in found if each.path == extension.path and each.severity == "note"]
            finding = known[0] if known else _finding(context, extension, theirs)
            finding.severity, finding.strength = severity_of(fails=False, partly=True), Strength.RAN
            finding.expected_error = log.first.text
            yield from () if known else (finding,)
            return


def _asking(context: CheckContext, log: Log) -> list[Distribution]:
    """The packages in the traceback, then those that require torch."""
    named = (context.installed.get(name) for name in owners_by_depth(context, log.frames) if name not in STACK)
    return [*filter(None, named), *context.users_of_torch()]


def _finding(context: CheckContext, extension: Extension, theirs: str) -> Finding:
    name, mine = extension.distribution, context.python_minor
    return context.finding(
        "TL608",
        "note",
        f"{_module(extension)} of {context.named(name)} was built for Python {theirs}, this is Python {mine}",
        name,
        path=extension.path,
        expected_error=f"ModuleNotFoundError: No module named '{_module(extension)}'" if extension.is_top else "",
    )


def _module(extension: Extension) -> str:
    return os.path.basename(extension.path).partition(".")[0]
