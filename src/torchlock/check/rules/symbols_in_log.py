"""TL611 by a log: the symbol that it names, which a library of this environment uses and this torch lacks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.check.loader_messages import LOADER_MANUALS
from torchlock.check.log_symbols import looked_up
from torchlock.check.rules.loading import undefined_symbols
from torchlock.check.rules.other_builds_in_log import is_file_of_installed
from torchlock.check.stated_pairs import companion_of
from torchlock.check.symbol_origins import meaning_of_undefined
from torchlock.check.symbol_releases import is_prerelease, lacked_by_installed, with_releases
from torchlock.check.verdict import explains
from torchlock.finding import Remedy, Strength
from torchlock.inspect.binaries.cxx_names import described
from torchlock.inspect.loading.names_of_torch import is_torchs_symbol
from torchlock.inspect.loading.outcome import UndefinedSymbol
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.check.log_symbols import LookedUp
    from torchlock.finding import Finding


@rule("TL611", on="log")
def undefined(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A symbol that was missing when the library was loaded; a finding that explains it gets it as a proof."""
    first, named = log.first, looked_up(context, log)
    if first is None or named is None or not named.symbol or named.provider:
        return
    parts = [part for each in found if each.severity != "note" for part in (each, *each.consequences)]
    if any(named.symbol in part.lacks or first.symbol in part.lacks for part in parts):
        return
    notes = (each for each in found if each.severity == "note" and each.path == named.attempt.path)
    if (known := next((each for each in notes if named.symbol in each.lacks), None)) is not None:
        known.severity, known.strength, known.expected_error = "warning", Strength.RAN, first.text
        return
    finding = _of_torch(context, named) or _of_any(context, named)
    finding.severity = severity_of(fails=finding.severity == "error" and named.attempt.role == "import")
    finding.expected_error, finding.strength = first.text, Strength.RAN
    cause = next((each for each in found if explains(each, finding)), None)
    if cause is None:
        yield finding
    else:
        cause.consequences = (finding, *cause.consequences)


@rule("TL611", on="unexplained")
def of_other_releases(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A symbol that only some releases of torch have; the library that the log names is not here."""
    first = log.first
    if first is None or not first.library or is_file_of_installed(context, os.path.basename(first.library)):
        return
    lacks = (
        lacked_by_installed(context, first.symbol, first.library) if first is not None and first.symbol else None
    )
    if first is None or not first.symbol or (lacks is None and not is_prerelease(context)):
        return
    meaning = meaning_of_undefined(first.symbol) if is_torchs_symbol(first.symbol) or lacks is not None else None
    if meaning is None or looked_up(context, log) is not None or companion_of(first.text, first.library):
        return
    meaning = with_releases(context, first.symbol, first.library, meaning)
    yield context.finding(
        "TL611",
        "warning",
        f"{first.library or 'a library'} in the log uses {meaning.what}, and {context.named('torch')} is installed"
        f"{', so the process in the log loaded another torch' if lacks is False else ''}",
        "torch",
        because=meaning.because,
        expected_error=first.text,
        remedy=Remedy(meaning.look),
        sources=LOADER_MANUALS,
        strength=Strength.RAN,
        lacks=(first.symbol,),
    )


def _of_torch(context: CheckContext, named: LookedUp) -> Finding | None:
    """The finding about a symbol that every torch of some release has; None for any other symbol."""
    if not is_torchs_symbol(named.symbol):
        return None
    lost = UndefinedSymbol(named.symbol, named.attempt.path)
    attempt = named.attempt._replace(outcome=named.attempt.outcome._replace(undefined=(lost,)))
    return next(undefined_symbols(context, attempt.package, [attempt]), None)


def _of_any(context: CheckContext, named: LookedUp) -> Finding:
    library, package = os.path.basename(named.attempt.path), named.attempt.package
    return context.finding(
        "TL611",
        "error",
        f"{library} of {context.named(package)} uses {described(named.symbol)}, which no library that the process "
        "in the log had loaded defines",
        package,
        path=named.attempt.path,
        sources=("ld-so-manual",),
        lacks=(named.symbol,),
    )
