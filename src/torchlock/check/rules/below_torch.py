"""TL628: packages that torch requires, in releases that fail with this Python or with another package."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.check.context import dependencies_of, version_of
from torchlock.check.relevance import module_of, owner_of_file
from torchlock.check.rules.stdlib_shadowing import lacks_what_torch_takes
from torchlock.finding import Remedy, Strength
from torchlock.inspect.import_graph import loads
from torchlock.knowledge.judge import violations
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import STACK
from torchlock.patterns import pattern
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.check.tracebacks import Frame
    from torchlock.finding import Finding
    from torchlock.knowledge.judge import Violation

_RULE = "TL628"
_TYPING = "typing-extensions"
# The first release that torch itself asks for, in releases whose metadata has a bound.
_COMPLETE = Version("4.8")
_MEMBERS = ("torch", "torchaudio", "torchvision")
_INSTALLED = pattern(r"[/\\](?:site|dist)-packages[/\\](.{1,300})$")
_NAMED = pattern(r"(?:module|from) '(\w{1,60})")
_LARGEST = 4 << 20


@rule(_RULE)
def known(context: CheckContext) -> Iterator[Finding]:
    """The releases below torch that are known to fail here. It is an error if the import of torch loads them."""
    if context.target is None or "torch" not in context.pins or context.environment.frozen is not None:
        return
    below = _below(context)
    for violation in violations(context.pins, context.target, context.matrix, complete=False, used=True):
        statement = violation.statement
        if statement is not None and statement.rule == _RULE and violation.pinned.name in below:
            yield _found(context, violation)


@rule(_RULE)
def too_old(context: CheckContext) -> Iterator[Finding]:
    """A typing-extensions without a name that torch takes, if the metadata of this torch has no bound."""
    torch, record = context.record("torch"), context.installed.get(_TYPING)
    version = version_of(record.version) if record is not None else None
    if torch is None or record is None or version is None or version >= _COMPLETE or context.target is None:
        return
    if not any(each.name == _TYPING and not each.specifier for each in dependencies_of(torch)):
        return
    from torchlock.check.fix.commands import add

    if lost := lacks_what_torch_takes(context, module_of(_TYPING)):
        yield context.finding(
            _RULE,
            severity_of(fails=True),
            f"{context.named('torch')} imports typing_extensions.{lost}, which {_TYPING} {version} does not have",
            "torch",
            _TYPING,
            path=record.path,
            because=f"the metadata of this torch allows every {_TYPING}; the copy in {record.entry.path} is found",
            expected_error=f"ImportError: cannot import name '{lost}' from 'typing_extensions'",
            remedy=Remedy(f"Install a later {_TYPING}.", commands=add(context, _TYPING, "", "-U")),
            sources=("pytorch-116945",),
            lacks=(lost,),
        )


def _below(context: CheckContext) -> set[str]:
    """The packages that torch and its companions require, and those that these require."""
    found: set[str] = set()
    queue = [name for name in _MEMBERS if name in context.pins]
    while queue and context.target is not None:
        name = queue.pop()
        record = context.record(name) if name in STACK else context.installed.get(name)
        for each in dependencies_of(record) if record is not None else ():
            if each.name not in found and context.target.holds(each.marker):
                found.add(each.name)
                queue.append(each.name)
    return found - set(STACK)


def _found(context: CheckContext, violation: Violation) -> Finding:
    name, statement, other = violation.pinned.name, violation.statement, violation.dependency
    assert statement is not None
    partner = context.named(other.name) if other is not None else f"Python {context.python_minor}"
    is_loaded = _is_loaded(context, name)
    record = context.installed.get(name)
    return context.finding(
        _RULE,
        severity_of(fails=is_loaded, partly=not is_loaded),
        f"{context.named(name)}, which torch requires, does not work with {partner}",
        name,
        *([other.name] if other is not None else []),
        path=record.path if record is not None else "",
        because=f"{statement.because}; the import of torch loads it" if is_loaded else statement.because,
        remedy=_later(context, violation) if other is None else None,
        sources=statement.sources,
        strength=Strength.MEASURED,
    )


def _is_loaded(context: CheckContext, name: str) -> bool:
    """Whether the import of the installed torch certainly loads a package."""
    copy = context.copy("torch")
    if copy is None or copy.kind not in ("package", "editable"):
        return False
    return loads(os.path.dirname(copy.path), "torch", module_of(name))


def _later(context: CheckContext, violation: Violation) -> Remedy | None:
    """The first release after those that a statement is about."""
    from torchlock.check.fix.bounds import within_bounds
    from torchlock.check.fix.commands import add

    assert violation.statement is not None
    name = violation.pinned.name
    end = re.search(r"<(\d[\d.]{0,20})", violation.statement.when.specifier)
    allowed = within_bounds(context, name, f">={end[1]}") if end is not None else None
    if allowed is None:
        return None
    return Remedy(f"Install {name}{allowed}.", commands=add(context, name, allowed))


@rule(_RULE, on="log")
def shown(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A log in which the import of torch ends in an installed package below it, if its file has that line."""
    from torchlock.check.tracebacks import endings

    if context.target is None or "torch" not in context.pins:
        return
    if any(each.rule == _RULE for each in found):
        _confirm(log, found)
        return
    below = _below(context)
    for text, frames in endings(log.text):
        place, owner, member = _ends_in(context, frames)
        if owner in below:
            yield _ending(context, text, frames[-1], place, owner, member)
            return


def _confirm(log: Log, found: Sequence[Finding]) -> None:
    """Let a finding say what the log says, if the log ends in its package."""
    from torchlock.check.tracebacks import endings

    for finding in (each for each in found if each.rule == _RULE):
        names = "|".join(re.escape(module_of(name)) for name, _ in finding.packages)
        inside = re.compile(rf"[/\\](?:site|dist)-packages[/\\](?:{names})(?:[/\\]|\.py$)")
        for text, frames in endings(log.text):
            if inside.search(frames[-1].path):
                finding.expected_error, finding.strength = text, Strength.RAN


def _ends_in(context: CheckContext, frames: Sequence[Frame]) -> tuple[str, str, str]:
    """The installed file of the last frame, its package, and the member of the stack whose import led to it.

    Empty texts if none led to it, or if the file does not have that line.
    """
    inner = [match[1].replace("\\", "/") if (match := _INSTALLED.search(each.path)) else "" for each in frames]
    led = [each.partition("/")[0] for each in inner[:-1]]
    member = next((each for each in reversed(led) if each in _MEMBERS and each in context.pins), "")
    if not member or not inner[-1]:
        return "", "", ""
    last = frames[-1]
    for entry in context.environment.sites:
        path = os.path.join(entry.path, *inner[-1].split("/"))
        lines = (files.text(path, _LARGEST) or "").split("\n") if files.is_file(path) else []
        if last.code and last.line <= len(lines) and lines[last.line - 1].strip() == last.code:
            return path, owner_of_file(context, path), member
    return "", "", ""


def _ending(context: CheckContext, text: str, last: Frame, place: str, owner: str, member: str) -> Finding:
    """What a traceback proves: where the import of a member ends, and whose release it is about."""
    module = _NAMED.search(text)
    other = module[1].replace("_", "-").lower() if module is not None else ""
    partner = other if other != owner and context.installed.get(other) is not None else ""
    both = f"{context.named(owner)} or of {context.named(partner)}" if partner else context.named(owner)
    return context.finding(
        _RULE,
        severity_of(fails=True),
        f"the import of {member} ends in {context.named(owner)}, which {member} requires",
        owner,
        *([partner] if partner else []),
        path=place,
        because=f"the log shows it, and line {last.line} of the installed file is: {last.code}",
        expected_error=text,
        remedy=Remedy(
            f"Install another release of {both}: which one works is not known. {member} itself is not the reason."
        ),
        sources=(),
        strength=Strength.RAN,
    )
