"""TL611 about a library that is not torch's: the one that is loaded does not define what is used of it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.fix.commands import reinstall
from torchlock.check.linking import is_ffmpeg
from torchlock.check.loader_messages import LOADER_MANUALS, no_symbol
from torchlock.check.nvidia import why_outdated
from torchlock.check.relevance import owner_of_file
from torchlock.check.windows_libraries import remedy_for_dll
from torchlock.finding import Remedy
from torchlock.inspect.binaries.cxx_names import described

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.loading.outcome import UndefinedSymbol


def outdated(
    context: CheckContext, name: str, opened: str, found: Sequence[UndefinedSymbol], severity: str
) -> Finding:
    """The finding for symbols that the library which should have them does not define; ``name`` opens it."""
    first = found[0]
    user, provider = (owner_of_file(context, path) for path in (first.wanted_by, first.provider))
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    library = os.path.basename(first.provider)
    there = f"{library} of {provider} {context.version(provider)}".rstrip() if provider else first.provider
    message = (
        f"{os.path.basename(first.wanted_by)} of {f'{user} {context.version(user)}' if user else name} uses "
        f"{described(first.symbol)}{more}, which {there} does not define"
    )
    return context.finding(
        "TL611",
        severity,
        message,
        *dict.fromkeys(filter(None, (name, provider, user))),
        path=first.wanted_by,
        because=_why(context, library, provider, user or name),
        expected_error=no_symbol(context, name, opened, first.symbol, first.wanted_by),
        remedy=_remedy(context, first, provider, user or name),
        sources=LOADER_MANUALS,
        lacks=tuple(dict.fromkeys(each.symbol for each in found)),
    )


def _why(context: CheckContext, library: str, provider: str, user: str) -> str:
    """Why the symbols are missing."""
    if provider.startswith("nvidia-"):
        return why_outdated(context, provider)
    if provider == user:
        return "the two are from different releases or builds of the package: its files are mixed"
    return f"{user} was built with another release of {library} than the one that is loaded"


def _remedy(context: CheckContext, first: UndefinedSymbol, provider: str, user: str) -> Remedy | None:
    """The remedy for the library that lacks a symbol; None for one of NVIDIA, whose release torch requires."""
    library = os.path.basename(first.provider)
    if (remedy := remedy_for_dll(context, library)) is not None:
        return remedy
    if re.match(r"python3\d", library, re.I):
        return Remedy(f"Install the packages for the Python that {library} is of; or use the Python they are for.")
    if is_ffmpeg(library):
        return Remedy(f"Install the FFmpeg that {os.path.basename(first.wanted_by)} is for, instead of this one.")
    if provider == user:
        version = context.pins[user].version.public if user in context.pins else context.version(user)
        words = f"Install {user} {version} again."
        return Remedy(words, commands=reinstall(context, user, f"=={version}"))
    if provider:
        words = f"Install the release of {provider} that {user} was built with."
        return None if provider.startswith("nvidia-") else Remedy(words)
    return Remedy(
        f"Install a later release of what contains {library}; or remove this copy, if a later one is there."
    )
