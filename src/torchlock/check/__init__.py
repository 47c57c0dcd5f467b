"""The check: find from outside why torchaudio does not load in an environment, and the command that fixes it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from torchlock.check.context import CheckContext
from torchlock.check.rules import import_path, records
from torchlock.check.rules.not_examined import healthy, is_examined, settled, unexamined_text
from torchlock.check.verdict import Verdict, ranked, verdict
from torchlock.errors import TorchlockError
from torchlock.finding import Finding, Strength
from torchlock.knowledge import registry
from torchlock.runtime.fence import breakage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from torchlock.check.log import Log

__all__ = [
    "CheckContext",
    "Verdict",
    "by_log",
    "examine",
    "fenced",
    "healthy",
    "is_examined",
    "prepare",
    "ranked",
    "unexamined_text",
    "verdict",
]

_RULES = "torchlock.check.rules"


def prepare() -> None:
    """Import what each check needs, while the interpreter of the environment says who it is."""
    import packaging.requirements  # noqa: F401 (the metadata of the stack is parsed with it)

    import torchlock.inspect.binaries.elf_symbols
    import torchlock.inspect.loading.processes  # noqa: F401 (imported while the interpreter answers)

    registry.functions(_RULES)


def examine(context: CheckContext, ignore: Collection[str] = ()) -> list[Finding]:
    """All findings in an environment, causes first, without those of the rules in ``ignore``.

    A rule that meets a bug becomes a finding (TL908). The other rules still run. There is nothing to find where a
    log is judged alone, without an environment.
    """
    if not context.environment.path:
        return []
    found: list[Finding] = []
    for rule in registry.functions(_RULES):
        with fenced(context, found, f"in its rule {rule.name}, so this rule was not checked"):
            found.extend(rule.function(context))
    with fenced(context, found, "while it looked for root causes"):
        found = records.blame_records(context, import_path.blame_second_copies(context, found))
    return [finding for finding in found if finding.rule not in ignore]


def by_log(context: CheckContext, log: Log, findings: list[Finding]) -> list[Finding]:
    """The findings, and those that only a log shows. The findings that the log is about come first.

    If the log shows that an installer replaced a CUDA build of torch, remedies install that build again.
    """
    from torchlock.check.log_installs import replaced_build
    from torchlock.check.log_order import chosen, confirm, promote, quote
    from torchlock.check.log_owners import owned
    from torchlock.check.relevance import owners_by_depth

    found = list(findings)
    for failure in (log, *log.later):
        promote(failure, found)
        said = {(each.rule, each.message) for each in found}
        shown = [each for each in _shown_by(context, failure, found) if (each.rule, each.message) not in said]
        owned(failure, shown)
        found += shown
        quote(failure, found)
        confirm(failure, found, {each.name for each in context.installed.distributions})
    hung = {id(effect) for each in found for effect in each.consequences}
    found = [each for each in found if id(each) not in hung]
    context.accelerator = context.accelerator or replaced_build(context, log)
    return chosen(log, settled(context, found), owners_by_depth(context, log.frames))


def _shown_by(context: CheckContext, log: Log, known: list[Finding]) -> list[Finding]:
    """The findings that a log shows, besides the known ones; if nothing explains its line, what the line means."""
    from torchlock.check.log_order import is_proven, predicts

    found = list(known)
    for rule in registry.functions(_RULES, on="log"):
        found += rule.function(context, log, found)
    if len(found) == len(known) and not any(is_proven(each) or predicts(each, log) for each in found):
        for rule in registry.functions(_RULES, on="unexplained"):
            found += rule.function(context, log, found)
        return _one_for_a_line(log, found[len(known) :])
    return found[len(known) :]


def _one_for_a_line(log: Log, found: list[Finding]) -> list[Finding]:
    """Of several meanings of the first failure the one that its signature names first; all others."""
    order = log.first.rules if log.first is not None else ()
    same = [each for each in found if log.first is not None and each.expected_error == log.first.text]
    best = min(same, key=lambda each: order.index(each.rule) if each.rule in order else len(order), default=None)
    return [each for each in found if each is best or each not in same or each.severity == "note"]


@registry.rule("TL908", on="bug")
@contextlib.contextmanager
def fenced(context: CheckContext, found: list[Finding], where: str) -> Iterator[None]:
    """A block in which a bug stops only the block: it is recorded and becomes a finding (TL908).

    ``where`` continues the sentence "torchlock failed".
    """
    try:
        yield
    except TorchlockError:
        raise
    except Exception as error:
        met = breakage(error)
        if met.place not in [each.place for each in context.broken]:
            context.broken.append(met)
            message = f"torchlock failed {where}: {met}"
            found.append(Finding("TL908", "error", message, because=met.because, strength=Strength.REPORTED))
