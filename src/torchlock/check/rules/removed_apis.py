"""TL701 and TL702 for packages without a rule: names that they use and that torchaudio does not have.

Both sources are read. Uses guarded by ``try``, ``if`` or ``hasattr`` are ignored.
"""

from __future__ import annotations

import os
import re
from itertools import islice
from typing import TYPE_CHECKING

from torchlock.inspect.import_graph import files_read
from torchlock.inspect.module_names import ModuleNames, missing_uses
from torchlock.inspect.record import read_record
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.distributions import Distribution
    from torchlock.inspect.source import Use

_RULES = frozenset({"TL701", "TL702"})
_MOST = 2000


@rule("TL701", "TL702")
def removed(context: CheckContext) -> Iterator[Finding]:
    """One use in each package; a use by its import comes first."""
    copy = context.copy("torchaudio")
    if copy is None or copy.kind != "package":
        return
    names = ModuleNames(copy.path)
    if names.is_open:
        return
    lazy = context.target is not None and context.target.python.minor >= 14  # PEP 649
    for distribution in context.installed.distributions:
        if _asks_for_it(distribution) and not _has_rule(context, distribution):
            uses = [
                use
                for path in modules_of(distribution)
                for use in missing_uses(path, names, lazy_annotations=lazy)
            ]
            if uses:
                yield _finding(context, distribution, uses)


def _asks_for_it(distribution: Distribution) -> bool:
    return distribution.name not in STACK and any(
        re.match(r"torchaudio\b", line) for line in distribution.metadata.requires
    )


def _has_rule(context: CheckContext, distribution: Distribution) -> bool:
    """Whether a rule has the result for this release."""
    pin = context.pins.get(distribution.name)
    if pin is None or context.target is None:
        return True
    return any(statement.rule in _RULES for statement in context.matrix.about(distribution.name))


def _finding(context: CheckContext, distribution: Distribution, uses: list[Use]) -> Finding:
    early = {use.path: use for use in reversed(uses) if use.at_import}
    certain = {
        path
        for package in {_package(distribution, path) for path in early}
        for path in files_read(package, early)[0]
    }
    first = next((use for use in uses if use.at_import and use.path in certain), uses[0])
    at_import = first.path in certain and first.at_import
    torchaudio = context.named("torchaudio")
    what = "the import of " if at_import else ""
    verb = "uses" if at_import else "calls"
    return context.finding(
        "TL701" if at_import else "TL702",
        severity_of(fails=False, partly=at_import),
        f"{what}{context.named(distribution.name)} {verb} {first.name}, which {torchaudio} does not have",
        distribution.name,
        "torchaudio",
        path=first.path,
        because=f"line {first.line} of {os.path.basename(first.path)} names it, and torchaudio does not define it",
        expected_error=_says(first.name),
        sources=("torchaudio-init",),
    )


def _package(distribution: Distribution, path: str) -> str:
    inner = os.path.relpath(path, distribution.entry.path).split(os.sep)
    return os.path.join(distribution.entry.path, inner[0])


def _says(name: str) -> str:
    module, _, attribute = name.rpartition(".")
    return f"AttributeError: module '{module}' has no attribute '{attribute}'"


def modules_of(distribution: Distribution) -> Iterator[str]:
    """The source files of its modules, as far as they are recorded, without tests."""
    record = read_record(distribution)
    for row in islice(() if isinstance(record, str) else record, _MOST):
        parts = row.path.split("/")
        if row.path.endswith(".py") and not {"", "..", "test", "tests"} & set(parts):
            yield os.path.join(distribution.entry.path, *parts)
