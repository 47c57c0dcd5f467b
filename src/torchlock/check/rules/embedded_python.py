"""TL615: an embedded Python for Windows whose ``._pth`` file does not lead to its folder of packages."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.finding import Remedy, Strength
from torchlock.knowledge.registry import rule
from torchlock.patterns import pattern
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_NAME = pattern(r"python(3\d{0,2})?t?\._pth", re.IGNORECASE)
_LARGEST = 64 << 10


@rule("TL615", on="log")
def not_searched(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A log without a module that is there: a launcher of an application may make Python find it."""
    first = log.first
    module = first.module.partition(".")[0] if first is not None else ""
    if first is None or not module or first.rules[:1] != ("TL615",):
        return
    site = next((entry.path for entry in context.environment.sites if _has(context, entry.path, module)), "")
    path = _settings_without(context, site) if site else ""
    if not path:
        return
    name = os.path.basename(path)
    yield context.finding(
        "TL615",
        "error",
        f"{name} does not list {os.path.basename(os.path.dirname(site))}{os.sep}{os.path.basename(site)}: this "
        f"Python does not find {module}, which is installed there",
        module,
        path=path,
        because="with such a file, Python searches only what it lists, and more if it has the line import site",
        expected_error=first.text,
        remedy=Remedy(
            f"Take the # from the line import site in {name}, or add that line; then start Python again."
        ),
        sources=("python-windows-pth",),
        strength=Strength.RAN,
    )


def _has(context: CheckContext, folder: str, module: str) -> bool:
    names = context.environment.tree.names(folder)
    return module in names or f"{module}.py" in names


def _settings_without(context: CheckContext, site: str) -> str:
    """The ``._pth`` file beside python.exe that neither lists a folder of packages nor imports ``site``."""
    prefix = context.environment.interpreter.prefix
    names = context.environment.tree.names(prefix) if prefix and not context.live else ()
    path = next((os.path.join(prefix, name) for name in names if _NAME.fullmatch(name)), "")
    text = files.text(path, _LARGEST) if path else None
    if text is None:
        return ""
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    listed = (os.path.normpath(os.path.join(prefix, line.replace("\\", "/"))) for line in lines if line)
    return "" if "import site" in lines or site in listed else path
