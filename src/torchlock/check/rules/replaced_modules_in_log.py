"""TL606, TL701, TL704, TL705, TL708: a single module instead of a package of the stack.

Programs put a module of their own instead of what a later release removed; code that asks for a part of it fails:
``No module named 'torchaudio.backend.common'; 'torchaudio.backend' is not a package``. A file torchaudio.py beside
the program does the same to the whole package.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.log_alone import has_stack
from torchlock.check.rules.names_in_log import REMOVED, named_caller
from torchlock.check.tracebacks import missing_names
from torchlock.finding import Remedy, Strength
from torchlock.knowledge.names import history, is_module
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import FAMILY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.check.tracebacks import MissingName
    from torchlock.finding import Finding
    from torchlock.knowledge.names import History

_SINGLE = re.compile(r"; ['\"](?P<module>\w{1,80}(?:\.\w{1,80}){0,9})['\"] is not a package")


@rule("TL606", "TL701", "TL704", "TL705", "TL708", on="unexplained")
def replaced(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The first failure of a log, if Python says that a package of the stack is a single module."""
    first = log.first
    match = _SINGLE.search(first.text) if first is not None else None
    missing = next((each for each in missing_names(log.text) if first and each.line == first.line), None)
    if match is None or missing is None or missing.package not in FAMILY:
        return
    known = history(missing.name)
    if match["module"] == missing.package:
        if not has_stack(context):
            yield _whole(context, missing)
    elif known is not None and known.having and is_module(missing.name):
        yield _part(context, missing, match["module"], known)


def _part(context: CheckContext, missing: MissingName, module: str, known: History) -> Finding:
    package = missing.package
    releases = f"{package} {known.having[0]} to {known.last}"
    return context.finding(
        "TL701" if package == "torchaudio" else REMOVED.get(package, "TL708"),
        "warning",
        f"{named_caller(context, missing)} uses {missing.name}, and other code put a module of its own instead "
        f"of {module}",
        package,
        because=f"{releases} have {missing.name}, and there {module} is a package; Python says that this one is "
        "not",
        expected_error=missing.text,
        sources=known.sources,
        remedy=Remedy(
            f"Install a later release of the code that uses {missing.name}. Or install {releases} with the "
            f"releases that belong to it, and remove the line that sets sys.modules['{module}']."
        ),
        strength=Strength.RAN,
    )


def _whole(context: CheckContext, missing: MissingName) -> Finding:
    package = missing.package
    return context.finding(
        "TL606",
        severity_of(fails=False),
        f"Python imported a single module {package} instead of the package",
        package,
        because=f"the package {package} has {missing.name}, and Python says that this {package} is not a package",
        expected_error=missing.text,
        remedy=Remedy(
            f'Rename the file {package}.py: python -c "import {package}; print({package}.__file__)" in the folder '
            f"of the program shows where it is. Without such a file, look for code that sets "
            f"sys.modules['{package}']."
        ),
        strength=Strength.RAN,
    )
