"""TL611 for functions that no torch has: a library was compiled here, and not linked with what has them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.check.loader_messages import LOADER_MANUALS, no_symbol
from torchlock.finding import Remedy
from torchlock.inspect.binaries.cxx_names import demangled
from torchlock.inspect.loading.names_of_torch import names_torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.loading.outcome import UndefinedSymbol


def are_foreign(found: Sequence[UndefinedSymbol]) -> bool:
    """Whether none of these symbols is of torch, by its name."""
    return bool(found) and not any(names_torch(each.symbol) for each in found)


def unlinked(
    context: CheckContext, name: str, opened: str, found: Sequence[UndefinedSymbol], severity: str
) -> Finding:
    """The finding for symbols that no library of the process defines, and that no torch has."""
    first = found[0]
    symbol, library = demangled(first.symbol), os.path.basename(first.wanted_by)
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return context.finding(
        "TL611",
        severity,
        f"{library} of {name} uses {symbol}{more}, which no library that it loads has",
        name,
        "torch",
        path=first.wanted_by,
        because="it was linked without the library that has this function, which is none of torch; wheels of "
        f"{name} contain what they use",
        expected_error=no_symbol(context, name, opened, first.symbol, first.wanted_by),
        remedy=Remedy(
            f"Compile {name} again, where the library with {symbol} and its header files are found, or "
            f"without the part that uses it; or install the wheel of {name} for {context.named('torch')}."
        ),
        sources=LOADER_MANUALS,
        lacks=tuple(dict.fromkeys(each.symbol for each in found)),
    )
