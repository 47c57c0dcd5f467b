"""The symbol that a log shows to be missing, looked up in the very library that the log names."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock.check.linking import libraries_of_torch
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.runtime.files import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.inspect.binaries.binary import Symbols
    from torchlock.inspect.loading.imports import Attempt

# dyld names the library that it opens first, and then the one that uses the symbol.
_USER = re.compile(r"Referenced from: {0,8}(?:<[\w-]{1,40}> )?(?P<path>[^\s(][^\n(]{0,400})")
_FLAT = re.compile(r"symbol not found in flat namespace", re.IGNORECASE)
_INNER = re.compile(r"[/\\](?:site|dist)-packages[/\\]([^\s'\":,()]{1,300})")


# Where dyld looked for a symbol of torch.
_EXPECTED = re.compile(
    r"Expected in: {0,8}(?:<[\w-]{1,40}> )?['\"]?"
    r"(?P<path>/[^\n'\"(]{0,400}/lib(?:torch|torch_cpu|torch_python|c10)\.dylib)"
)


class LookedUp(NamedTuple):
    """A library that lacks a symbol in a log, as this environment has it.

    ``symbol`` is the one that the log names, as the table of the library spells it; "" if the library does not use
    it. ``provider`` is the library of torch that defines it; "" if none does.
    """

    attempt: Attempt
    symbol: str
    provider: str


def looked_up(context: CheckContext, log: Log) -> LookedUp | None:
    """The library and the symbol of the first failure; None if it names none, or if not all was read."""
    first = log.first
    if first is None or not first.symbol or (attempt := _named(context, log)) is None:
        return None
    own = _symbols(context, [attempt.path])
    used = own[0].undefined if own else None
    torchs = _symbols(context, paths := libraries_of_torch(context))
    if used is None or isinstance(used, Unreadable) or not paths or len(torchs) < len(paths):
        return None
    spelled = {first.symbol, f"_{first.symbol}", first.symbol.removeprefix("_")}
    symbol = next((each.name for each in used if each.name in spelled), "")
    if not symbol and _FLAT.search(first.text) and _USER.search(log.text) is None:
        return None  # dyld names the library that it opens, and one that this needs may use the symbol.
    defining = (path for path, each in zip(paths, torchs, strict=True) if symbol and each.defines(symbol) is True)
    return LookedUp(attempt, symbol, next(defining, ""))


def other_provider(context: CheckContext, log: Log) -> str:
    """The path of a libtorch that is not of this environment, in which dyld looked for a symbol; "" if none."""
    found = _EXPECTED.search(log.text)
    if found is None or _INNER.search(found["path"]) is not None:
        return ""
    prefix = context.environment.interpreter.prefix
    is_of_conda = bool(context.environment.conda) and f"/{os.path.basename(prefix)}/lib/" in found["path"]
    return "" if is_of_conda else found["path"]


def _named(context: CheckContext, log: Log) -> Attempt | None:
    """The library that the log says to use the symbol, by its path in the folder of packages, or by its name."""
    first, user = log.first, _USER.search(log.text)
    path = user["path"].strip() if user else ""
    library = os.path.basename(path.replace("\\", "/")) or (first.library if first is not None else "")
    inner = _INNER.search(path or (first.text if first is not None else ""))
    tail = inner[1].replace("\\", "/") if inner is not None and inner[1].endswith(library) else library
    mine = [each for each in context.attempts if f"/{each.path.replace(os.sep, '/')}".endswith(f"/{tail}")]
    return mine[0] if library and len({each.path for each in mine}) == 1 else None


def _symbols(context: CheckContext, paths: Iterable[str]) -> list[Symbols]:
    """The symbols of those libraries that can be read."""
    machine = context.target.platform.machine if context.target else ""
    found = [read_binary(path, machine) for path in paths]
    tables = [each.symbols for each in found if isinstance(each, Binary)]
    return [each for each in tables if not isinstance(each, Unreadable)]
