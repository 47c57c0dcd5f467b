"""What a line of a log means by itself, as the data of its rule say it (``meaning`` in ``compat_data/rules``).

It is asked if no finding explains the line, and nothing of the stack is installed here or the line proves it in
any environment. It says nothing about files: the texts are filled with what the log shows, and from the tables of
releases.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.library_origins import ffmpeg_of
from torchlock.check.log_alone import has_stack
from torchlock.check.log_machine import system_of
from torchlock.check.log_releases import releases_in, source_build_in
from torchlock.check.log_signatures import ECHO
from torchlock.finding import Command, Remedy, Strength
from torchlock.knowledge.build_labels import is_published
from torchlock.knowledge.compatibility import newest_beside
from torchlock.knowledge.indexes import page_of
from torchlock.knowledge.names import numpy_since, numpy_without
from torchlock.knowledge.registry import get, meanings, rule
from torchlock.knowledge.stack import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log, Signature
    from torchlock.finding import Finding
    from torchlock.knowledge.registry import Meaning

# The facts of a message may stand in so many lines before and after its first one.
_NEAR = 25
_NAME = re.compile(r"\{(\w{1,30})\}")
_OPTIONAL = re.compile(r"\[([^\[\]]{1,300})\]")
# Python prints a warning of a library and goes on. torch warns of a GPU that is there and that it cannot use.
_WARNING = re.compile(r"\b(?:User|Runtime|Future|Deprecation)?Warning: (?!CUDA initialization: Unexpected error)")
# torch goes on after this warning, and fails as soon as its caller takes or gives an array.
_NO_NUMPY = "Failed to initialize NumPy: module compiled against"
# The last frame of these is the messenger, and not the package that the message is about.
_LOADERS = ("torch", "numpy", "importlib_metadata", "ctypes", "google")


# The functions about single lines come first: the rule with the highest rank decides when this one is asked.
_RULES = sorted({meaning.rule for meaning in meanings()}, key=lambda each: -get(each).rank)


@rule(*_RULES, on="unexplained")
def meant(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The meaning of the first failure of a log, if all that it has to say is known."""
    first = log.first
    if first is None or first.weight == ECHO or (_WARNING.search(first.text) and not _is_all(log)):
        return
    if any(each.rule in first.rules and each.severity != "note" for each in found):
        return  # An earlier failure of the log has the same cause.
    system = context.operating_system or system_of(log.text)
    for meaning in sorted(meanings(), key=lambda each: _place(first, each)):
        is_about = meaning.rule in first.rules and meaning.system in ("", system)
        if not is_about or not _holds_here(context, meaning):
            continue
        facts = _facts(context, meaning, log)
        if facts is not None and _is_known(meaning.says, facts):
            yield _finding(context, meaning, facts, first.text)
            return


def _is_all(log: Log) -> bool:
    """Whether all that a log shows is torch's warning that it cannot use NumPy: nothing fails after it."""
    return log.first is not None and _NO_NUMPY in log.first.text and not log.is_failing


def _place(first: Signature, meaning: Meaning) -> int:
    """The place of a meaning's rule among the likely causes of a line."""
    return first.rules.index(meaning.rule) if meaning.rule in first.rules else len(first.rules)


def _holds_here(context: CheckContext, meaning: Meaning) -> bool:
    """Whether the files of this environment do not matter for a meaning."""
    if not has_stack(context):
        return True
    return bool(meaning.absent) and meaning.absent not in context.pins


def _facts(context: CheckContext, meaning: Meaning, log: Log) -> Mapping[str, str] | None:
    """What the log shows, by name; None if the first failure is another one.

    A release of the stack, of the log or else installed, is known by the name of its package, the companion of its
    torch as ``torchcodec_for_torch``, the page of its build as ``torch_page``, and the package that failed as
    ``package``. ``source_torch`` is a torch that somebody compiled, with its whole version. ``vendor`` is the
    label of a torch that the PyTorch index does not have, nor a companion for it.
    """
    first = log.first
    match = re.search(meaning.line, first.english, re.IGNORECASE) if first is not None else None
    if first is None or match is None or not re.search(meaning.demands, log.text):
        return None
    lines = log.text.split("\n")[max(0, first.line - _NEAR) : first.line + _NEAR]
    near = re.search(meaning.near, "\n".join(lines)) if meaning.near else None
    releases = releases_in(log)
    modules = [frame.partition("/")[0].removesuffix(".py") for frame in log.frames]
    owners = [each for each in modules if each not in _LOADERS]
    installed = {
        name: pin.version.public for name, pin in context.pins.items() if name in STACK and not pin.unversioned
    }
    known = installed | {name: version for name, (version, _) in releases.items()}
    facts = {**known, **match.groupdict(), **(near.groupdict() if near is not None else {})}
    facts["source_torch"], _ = source_build_in(log)
    facts["ffmpeg"] = ffmpeg_of(facts.get("library") or facts.get("mac") or "")
    facts["package"] = owners[-1] if owners else ""
    facts["numpy_without"] = numpy_without(facts.get("numpy_name") or "")
    facts["numpy_since"] = numpy_since(facts.get("numpy_name") or "")
    for name in ("torchaudio", "torchvision", "torchcodec"):
        facts[f"{name}_for_torch"] = newest_beside(name, known.get("torch", ""))
    _, label = releases.get("torch", ("", context.label("torch") or ""))
    facts["torch_page"] = page_of(label) if is_published(label) else ""
    facts["vendor"] = label if label and not is_published(label) else ""
    return {name: text for name, text in facts.items() if text}


def _finding(context: CheckContext, meaning: Meaning, facts: Mapping[str, str], line: str) -> Finding:
    is_known = _is_known(meaning.command, facts) and not (facts.get("vendor") and "_for_torch" in meaning.command)
    command = _filled(meaning.command, facts) if is_known else ""
    return context.finding(
        meaning.rule,
        "warning",
        _filled(meaning.says, facts),
        because=_filled(meaning.because, facts),
        sources=None if meaning.because == context.matrix.because(meaning.rule) else (),
        expected_error=line,
        remedy=Remedy(_filled(meaning.fix, facts), commands=(_command(command),) if command else ()),
        strength=Strength.RAN,
    )


def _command(line: str) -> Command:
    return Command("pip" if " pip " in line else "shell", line)


def _is_known(text: str, facts: Mapping[str, str]) -> bool:
    """Whether all facts of a text are known, but for those in its brackets."""
    return set(_NAME.findall(_OPTIONAL.sub("", text))) <= facts.keys()


def _filled(text: str, facts: Mapping[str, str]) -> str:
    """A text with its facts; without the parts in brackets that have an unknown one."""

    def part(match: re.Match[str]) -> str:
        return match[1] if set(_NAME.findall(match[1])) <= facts.keys() else ""

    return _NAME.sub(lambda name: facts.get(name[1], ""), _OPTIONAL.sub(part, text))
