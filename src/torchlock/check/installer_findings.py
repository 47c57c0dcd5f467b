"""Findings about an installation that failed, and the commands that run it again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock.finding import Command, Remedy, Strength
from torchlock.knowledge.build_labels import is_published
from torchlock.knowledge.indexes import page_of
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import FAMILY
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.installer_log import Installation
    from torchlock.finding import Finding
    from torchlock.target import Target

# What an installation leaves if it stops: the packages are not there, or only in part.
_LEFT = ("TL615", "TL108")
_LEFT_HALF = (*_LEFT, "TL601", "TL603", "TL604", "TL605")
# The arguments that delete the cache of an installer.
PURGE = {"pip": "cache purge", "uv": "cache clean"}
# Words of a command that are safe to show as they are.
_SAFE = re.compile(r"[\w./:=+@,~\[\]\\!-]{1,300}")
# A page of the PyTorch index, and no page of links.
_PAGE = re.compile(r"https://download\.pytorch\.org/whl(?:/(?!\w{0,40}\.html)[\w.+-]{1,40}){1,3}/?")
_INSTALL = re.compile(r"(?:pip3?(?:\.\d{1,2})?(?:\.exe)?|uv pip) install (.+)")


class Told(NamedTuple):
    """What a finding says: its rule, its sentence, the reason, and the remedy."""

    rule: str
    message: str
    remedy: Remedy | None
    because: str | None = None
    sources: tuple[str, ...] | None = None
    half: bool = False


def finding_of(
    context: CheckContext, found: Sequence[Finding], asked: Installation, line: str, told: Told
) -> Finding:
    """The finding about a failed installation. What it left is its consequence.

    It is an error if torch, or the package that was asked for, is missing because of it. ``found`` are the other
    findings, ``line`` is the line of the log.
    """
    rules = _LEFT_HALF if told.half else _LEFT
    left = tuple(
        each for each in found if each.rule in rules and (each.severity != "note" or each.rule == "TL615")
    )
    missing = {name for each in left if each.rule in _LEFT for name, _ in each.packages}
    fails = "torch" in missing or asked.name in missing or any(each.severity == "error" for each in left)
    result = context.finding(
        told.rule,
        severity_of(fails=fails),
        told.message,
        because=told.because,
        expected_error=line,
        remedy=told.remedy if told.remedy is None else _named(context, asked, told.remedy),
        sources=told.sources,
        strength=Strength.RAN,
    )
    result.packages = ((asked.name, asked.version or asked.specifier),) if asked.name else ()
    result.consequences = left
    return result


def _named(context: CheckContext, asked: Installation, remedy: Remedy) -> Remedy:
    """Put the command of the user's installer first, and say where to run it if it cannot name the environment."""
    from torchlock.check.fix.commands import where_to_run

    tool = "uv" if asked.tool == "uv" else "pip" if asked.tool == "pip" else ""
    remedy.commands = tuple(sorted(remedy.commands, key=lambda each: bool(tool) and each.tool != tool))
    remedy = where_to_run(context, remedy)
    if remedy.commands and is_of_project(asked):
        remedy.summary += (
            f" {asked.tool} installs what the project's file says: change the pin there, too, and lock again."
        )
    return remedy


def is_of_project(asked: Installation) -> bool:
    """Whether the installer reads its requirements from the file of a project, such as pyproject.toml."""
    by_uv = re.match(r"uv (?:sync|lock|add|run|update)\b", asked.command) or (
        asked.tool == "uv" and not asked.command and asked.is_listed
    )
    return asked.tool in ("poetry", "pdm") or bool(by_uv)


def is_there(context: CheckContext, asked: Installation) -> bool:
    """Whether the release that was asked for is installed now, or later in the log: the failure is past."""
    if asked.is_past:
        return True
    version = asked.version or _version_of(asked)
    there = context.version(asked.name) if asked.name else ""
    public, _, label = version.partition("+")
    if not there or not public:
        return False
    return there.partition("+")[0] == public and label in ("", context.label(asked.name) or "")


def words_of(asked: Installation) -> list[str]:
    """The arguments of the command that failed: as it was written, else the requirement with its page."""
    match = _INSTALL.match(asked.command)
    words = match[1].split() if match else []
    if words and all(map(_SAFE.fullmatch, words)):
        return [each for each in words if each not in ("--no-cache-dir", "--no-cache")]
    if len(asked.requested) > 1:
        found = list(asked.requested)
    else:
        found = requirement_words(asked.name, asked.version or _version_of(asked), asked.specifier)
    is_bare = bool(found) and "--index-url" not in found and not match
    return [*(_only_page(asked) if is_bare else []), *found]


def _only_page(asked: Installation) -> list[str]:
    """The option for the page of the PyTorch index, if nothing else was asked. Others have other builds."""
    page = asked.indexes[0] if len(asked.indexes) == 1 else ""
    return ["--index-url", page] if _PAGE.fullmatch(page) else []


def _version_of(asked: Installation) -> str:
    """The version in the name of the wheel, if it is of the package that failed."""
    parts = asked.file.replace("%2B", "+").replace("%2b", "+").split("-")
    is_of_it = asked.file.endswith(".whl") and len(parts) > 2 and normalise(parts[0]) == asked.name
    return parts[1] if is_of_it else ""


def requirement_words(name: str, version: str, specifier: str = "") -> list[str]:
    """The arguments for one package; a build of the PyTorch index with the page that has it."""
    if not name:
        return []
    if specifier.startswith(" @ "):
        return [specifier.removeprefix(" @ ")]
    wanted = f"{name}=={version}" if version else f"{name}{specifier}"
    label = version.partition("+")[2]
    on_page = name in FAMILY and label and is_published(label)
    return [*(["--index-url", page_of(label)] if on_page else []), wanted]


def install_again(context: CheckContext, words: Sequence[str], *options: str) -> tuple[Command, ...]:
    """The commands of pip and uv that install this into the environment; none without words."""
    from torchlock.check.fix.commands import add_all, word

    return add_all(context, {}, *options, *(word(context, each) for each in words)) if words else ()


def after(commands: Sequence[Command], step: dict[str, str]) -> tuple[Command, ...]:
    """Put a step before each command: ``step`` has the arguments for ``pip`` and for ``uv``."""
    found = []
    for each in commands:
        words = step.get(each.tool, "")
        start = "uv" if each.tool == "uv" else each.line.partition(" install ")[0]
        found.append(each._replace(line=f"{start} {words} && {each.line}") if words else each)
    return tuple(found)


def in_python(
    context: CheckContext, python: str, words: Sequence[str], tool: str, target: Target | None = None
) -> tuple[Command, ...]:
    """The commands that install this into a new virtual environment of another Python; those of ``tool`` first.

    ``target`` is that of the log, if the environment does not show it.
    """
    from torchlock.check.fix.commands import word

    line = " ".join(word(context, each) for each in words)
    target = target or context.target
    if target is not None and target.platform.system == "windows":
        own = f"py -{python} -m venv .venv && .venv\\Scripts\\python -m pip install {line}"
    else:
        own = f"python{python} -m venv .venv && .venv/bin/python -m pip install {line}"
    by_uv = Command("uv", f"uv venv --python {python} && uv pip install {line}")
    return (Command("pip", own), by_uv) if tool == "pip" else (by_uv, Command("pip", own))
