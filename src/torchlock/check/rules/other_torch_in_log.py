"""TL613 by a log of a Mac: dyld took the libraries of another torch than the one that is installed here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.check.log_symbols import other_provider
from torchlock.finding import Command, Remedy, Strength
from torchlock.knowledge.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding


@rule("TL613", on="log")
def other_torch(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A libtorch of Homebrew or of another program, to which a variable or an rpath leads."""
    first, path = log.first, other_provider(context, log)
    if first is None or not path or "torch" not in context.pins or context.operating_system != "macos":
        return
    folder, name = os.path.split(path)
    yield context.finding(
        "TL613",
        "error",
        f"the process in the log took {name} from {folder}, and not that of {context.named('torch')}",
        "torch",
        because="dyld takes a library from the folders of DYLD_LIBRARY_PATH before the one of its own package, "
        "and a library that a program loaded before stays",
        expected_error=first.text,
        remedy=Remedy(
            f"Unset DYLD_LIBRARY_PATH, or remove {folder} from it; if it is not set, remove that other libtorch, "
            "or make the program that brings it run in a separate process.",
            commands=(Command("shell", "unset DYLD_LIBRARY_PATH"),),
        ),
        sources=("dyld-manual",),
        strength=Strength.RAN,
        lacks=(first.symbol,) if first.symbol else (),
    )
