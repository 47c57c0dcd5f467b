"""TL611: a function of Python that a log shows to be missing, and that a library of this environment uses.

The symbols of Python are not judged in files alone: the Python that opens them is not always there to be read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.log_files import file_here, is_explained
from torchlock.finding import Remedy, Strength
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.knowledge.registry import rule
from torchlock.runtime.files import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_LINE = re.compile(
    r"(?P<path>/[^\s:'\"]{1,400}\.so[\w.]{0,20}): undefined symbol: (?P<symbol>_{0,2}Py[A-Z_]\w{1,80})"
)


@rule("TL611", on="log")
def of_other_python(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The library here that the log names, if it uses this function."""
    first = log.first
    match = _LINE.search(first.text) if first is not None else None
    named = file_here(context, match["path"]) if match is not None else None
    if first is None or match is None or named is None or is_explained(first, found):
        return
    if not _uses(named.path, match["symbol"]):
        return
    name = named.package
    python = f" for Python {context.python_minor}" if context.python_minor else ""
    yield context.finding(
        "TL611",
        named.severity,
        f"{named.name} of {context.named(name)} uses {match['symbol']}, a function of Python that the process in "
        "the log did not have",
        name,
        path=named.path,
        because="it was built for another version of Python than the one that opened it",
        expected_error=first.text,
        remedy=Remedy(
            f"Install {name} again{python} without the installer's cache. If it "
            "was compiled on this machine, compile it again with the header files of the Python that opens it."
        ),
        sources=("ld-so-manual",),
        strength=Strength.RAN,
        lacks=(match["symbol"],),
    )


def _uses(path: str, symbol: str) -> bool:
    binary = read_binary(path)
    symbols = binary.symbols if isinstance(binary, Binary) else None
    used = symbols.undefined if symbols is not None and not isinstance(symbols, Unreadable) else ()
    return not isinstance(used, Unreadable) and symbol in {each.name for each in used}
