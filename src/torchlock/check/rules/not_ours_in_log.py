"""TL229: a known failure in a log that no package of the environment causes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.finding import Remedy, Strength
from torchlock.knowledge.registry import meanings, rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding
    from torchlock.knowledge.registry import Meaning


@rule("TL229", on="log")
def not_ours(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A note: what failed, and that the installed packages are not at fault."""
    first = log.first
    if first is None or first.rules[0] not in ("TL229", "TL523") or any(each.rule == "TL523" for each in found):
        return
    rows = (each for each in meanings() if each.rule == "TL229")
    for meaning in rows:
        if (match := re.search(meaning.line, first.text)) is not None:
            yield _finding(context, meaning, match)
            return


def _finding(context: CheckContext, meaning: Meaning, match: re.Match[str]) -> Finding:
    message = f"{meaning.says.format_map(match.groupdict())}: this is not a fault of the installed packages"
    return context.finding(
        "TL229",
        "note",
        message,
        because=meaning.because,
        expected_error=match.string,
        remedy=Remedy(meaning.fix),
        sources=None if meaning.because == context.matrix.because("TL229") else (),
        strength=Strength.RAN,
    )
