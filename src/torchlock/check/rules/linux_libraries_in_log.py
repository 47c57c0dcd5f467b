"""TL608 by a log: on Windows, a package opens a library for Linux, because its release has no other one.

A wheel for any platform may contain libraries for one alone. The file names show it: no library of Windows ends
in ``.so``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.context import version_of
from torchlock.check.log_machine import system_of
from torchlock.check.log_signatures import ECHO
from torchlock.finding import Remedy, Strength
from torchlock.knowledge.declared import first_for
from torchlock.knowledge.registry import rule
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

# A path of Windows to a library for Linux in a package.
_LIBRARY = re.compile(
    r"[A-Za-z]:[/\\][^\n'\"<>|*?]{0,300}?[/\\](?:site|dist)-packages[/\\]+(?P<module>[A-Za-z]\w{0,60})"
    r"[/\\][^\n'\"<>|*?]{0,200}?(?P<library>[\w+-][\w.+-]{1,80}\.so)(?![\w])",
    re.IGNORECASE,
)
# The failures that follow: the loader refuses the file, does not find what a library for Linux needs, or the code
# that looks for such libraries does not know the paths of Windows.
_RULES = frozenset({"TL608", "TL607", "TL610", "TL201", "TL232"})
# The library is named within this many lines of the failure.
_NEAR = 15
_TAG = "win_amd64"


@rule("TL608", on="log")
def of_linux(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The package, the library, and the first release that has a wheel for Windows."""
    first = log.first
    if first is None or first.weight == ECHO or _RULES.isdisjoint(first.rules):
        return
    if (context.operating_system or system_of(log.text)) != "windows":
        return
    lines = log.text.split("\n")[max(0, first.line - _NEAR) : first.line + _NEAR]
    match = _LIBRARY.search("\n".join(lines))
    if match is None:
        return
    name = normalise(match["module"])
    since = first_for(name, _TAG)
    own, later = context.version(name), version_of(since)
    installed = version_of(own)
    if later is not None and installed is not None and installed >= later:
        return  # The log is of an earlier release than the installed one.
    package = context.named(name) if own else f"the {name} in the log"
    message = f"{package} opens {match['library']}, a library for Linux, and its process runs on Windows"
    yield context.finding(
        "TL608",
        "warning",
        message,
        *([name] if own else []),
        because="a library of Windows ends in .dll or .pyd; this release of the package has none that fits"
        + (f", and {since} is the first one with a wheel for Windows" if since else ""),
        expected_error=first.text,
        remedy=_later(context, name, since),
        sources=("bitsandbytes-723", "pe-format") if name == "bitsandbytes" else ("pe-format",),
        strength=Strength.RAN,
    )


def _later(context: CheckContext, name: str, since: str) -> Remedy:
    from torchlock.check.fix.commands import add, where_to_run

    if not since:
        return Remedy(
            f"Install a release of {name} that has a wheel for Windows ({_TAG} in its name), if there is one. "
            "Otherwise run the program on Linux or in WSL."
        )
    summary = f"Install {name} {since} or later, which has libraries for Windows."
    return where_to_run(context, Remedy(summary, commands=add(context, name, f">={since}", "--upgrade")))
