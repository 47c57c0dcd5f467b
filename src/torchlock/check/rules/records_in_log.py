"""TL604 and TL620 by a log: any module in which it fails, whose files are gone, or are those of two packages."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.rules.shared_files import compared, found_shared, top_of
from torchlock.finding import Strength
from torchlock.inspect.library import is_library
from torchlock.inspect.ownership import rows_of
from torchlock.knowledge.registry import rule
from torchlock.knowledge.stack import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding
    from torchlock.inspect.integrity import Checked

# What Python prints of a module whose files are not there, or do not belong together.
_ABSENT = re.compile(r"No module named ['\"]?(?P<module>\w{1,60})['\"]?(?![\w.])")
_LACKING = re.compile(
    r"module ['\"]?(?P<module>\w{1,60})[\w.]{0,100}['\"]? has no attribute"
    r"|cannot import name ['\"]?\w{1,100}['\"]? from (?:partially initialized module )?['\"]?(?P<source>\w{1,60})"
)
# A part of a module that is not there: another distribution with the same files may be the one that has it.
_PART = re.compile(r"No module named ['\"]?(?P<module>[A-Za-z_]\w{0,60})(?P<part>(?:\.\w{1,60}){1,9})['\"]?")
# The exception stands in the last lines of a log.
_LAST = 40


@rule("TL620", on="log")
def shared_module(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """Two distributions with the files of a module in which a log fails; without a log only some modules count."""
    said = _last(log, _LACKING)
    module = (said["module"] or said["source"]) if said is not None else ""
    if said is None or not module:
        yield from _lost_part(context, log, found)
        return
    known = [each for each in found if each.rule == "TL620" and each.path and top_of(context, each.path) == module]
    for each in known:
        _show(each, said)
    for names, paths in context.integrity.shared.items() if not known else ():
        mine = [each for each in paths if top_of(context, each) == module and _is_code(each)]
        shared = compared(context, names, mine)
        if shared is not None:
            finding = found_shared(context, shared)
            _show(finding, said)
            yield finding


def _lost_part(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """Two distributions with the same module, of which one has the part that a log misses: that one is needed."""
    said = _last(log, _PART)
    if said is None or any(each.rule == "TL620" for each in found):
        return
    part = f"{said['module']}{said['part']}"
    for names, paths in context.integrity.shared.items():
        mine = [each for each in paths if top_of(context, each) == said["module"] and _is_code(each)]
        having = [name for name in names if mine and _records(context, name, part)]
        shared = compared(context, names, mine, having[0]) if len(having) == 1 else None
        if shared is not None:
            finding = found_shared(context, shared)
            finding.because = "; ".join(filter(None, (finding.because, f"only {having[0]} contains {part}")))
            _show(finding, said)
            yield finding


def _records(context: CheckContext, name: str, module: str) -> bool:
    """Whether the record of a distribution lists a file of a module."""
    distribution = context.installed.get(name)
    if distribution is None:
        return False
    path = os.path.join(distribution.entry.path, *module.split("."))
    starts = (f"{path}.", path + os.sep)
    return any(each.startswith(starts) and _is_code(each) for each in rows_of(distribution))


@rule("TL604", on="log")
def lost_module(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A package outside of the stack that is recorded, and whose module that a log misses has lost files."""
    said = _last(log, _ABSENT) or _last(log, _LACKING)
    module = next((each for each in said.groups() if each), "") if said is not None else ""
    if said is None or module in STACK or context.environment.frozen is not None:
        return
    known = {name for each in found if each.severity != "note" for name, _ in each.packages[:1]}
    for checked in context.integrity.checked:
        is_known = checked.distribution.name in known or checked.distribution.name in STACK
        lost = _lost(checked, module) if checked.missing and not is_known else []
        if lost:
            record = checked.distribution
            path = os.path.relpath(lost[0], record.entry.path).replace(os.sep, "/")
            finding = context.finding(
                "TL604",
                "warning",
                f"{record.name} {record.version} is recorded as installed, and {len(lost)} files of its module "
                f"{module} are not there, {path} among them",
                record.name,
                path=record.path,
                because="another package with the same files was uninstalled, or the files were deleted",
            )
            _show(finding, said)
            yield finding
            return


def _last(log: Log, pattern: re.Pattern[str]) -> re.Match[str] | None:
    """The last line of the end of a log that a pattern fits."""
    lines = log.text.split("\n")[-_LAST:]
    return next((match for line in reversed(lines) if (match := pattern.search(line[:1000]))), None)


def _show(finding: Finding, said: re.Match[str]) -> None:
    finding.severity, finding.strength = "warning", Strength.RAN
    finding.expected_error = said.string.strip()


def _is_code(path: str) -> bool:
    return path.endswith(".py") or is_library(path)


def _lost(checked: Checked, module: str) -> list[str]:
    """The recorded files of a module that are not there."""
    site = checked.distribution.entry.path
    places = os.path.join(site, module) + os.sep, os.path.join(site, f"{module}.")
    paths = [path for path in rows_of(checked.distribution) if path.startswith(places) and _is_code(path)]
    return [path for path in paths if not os.path.lexists(path)]
