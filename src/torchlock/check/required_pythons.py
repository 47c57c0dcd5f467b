"""A release that requires another Python than the one that installs it, as the installer prints it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from torchlock.check.installer_findings import Told, in_python, words_of
from torchlock.check.log_machine import interpreter_of, target_of
from torchlock.finding import Remedy
from torchlock.knowledge.rules import specifier_set
from torchlock.standards.filenames import file_name
from torchlock.standards.names import normalise
from torchlock.target import LAST_PATCH, PYTHONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.check.installer_log import Installation
    from torchlock.check.log import Log
    from torchlock.target import PythonVersion

_SPECIFIER = r"[<>=!~][\w.*<>=!~, |]{1,80}"
# What pip, poetry, uv and some setup scripts print.
_PRINTED = (
    re.compile(
        rf"Package '(?P<name>[\w.-]{{1,80}})' requires a different Python: (?P<own>3[\d.]{{1,8}}) not in "
        rf"'(?P<needs>{_SPECIFIER})'"
    ),
    re.compile(
        rf"Link requires a different Python \((?P<own>3[\d.]{{1,8}}) not in: '(?P<needs>{_SPECIFIER})'\): "
        r"[^\s(]{0,300}/(?P<file>[\w.+%-]{1,120})"
    ),
    re.compile(
        rf"- (?P<name>[\w.-]{{1,80}}) requires Python (?P<needs>{_SPECIFIER}?), so it will not be satisfied for "
        r"Python (?P<range>[<>=!~^][\w.<>=,*^~]{1,60})"
    ),
    re.compile(
        r"the (?:current|requested) Python version \((?P<own>3[\d.]{1,8})\) does not satisfy "
        r"Python(?P<needs>[<>=!~][\w.*<>=!~,]{1,60}) and (?P<name>[A-Za-z0-9][\w.-]{0,80})"
        r"(?:\[[\w,.-]{0,80}\])?(?:==(?P<version>[\w.+!]{1,40}))? depends on Python"
    ),
    re.compile(
        r"(?P<name>[\w.-]{1,80}) requires [Pp]ython (?P<needs>[<>=]{1,2} ?3[\d.]{1,8}(?:(?: and |, ?)[<>=]{1,2} ?3"
        r"[\d.]{1,8}){0,2}),? but your Python version is (?P<own>3[\d.]{1,8})"
    ),
)
# The releases that pip left out.
_LEFT_OUT = "Ignored the following versions that require a different python version"
_IGNORED = re.compile(r"Ignored the following versions that require a different python version: ([^\n]{1,6000})")
_ITEM = re.compile(rf"(?P<version>\d[\w.+!]{{0,40}}) Requires-Python (?P<needs>{_SPECIFIER})")


class _Required(NamedTuple):
    """A release, its Requires-Python, and the Python that installs it ("" if the installer does not say it).

    ``range`` are the Pythons of a project, for which no release of its requirement may be missing.
    """

    name: str
    version: str
    needs: str
    own: str
    range: str = ""


def required_python(context: CheckContext, log: Log, asked: Installation) -> Told | None:
    """The Python that a release requires, and one that it accepts; None if the log does not say so."""
    found = next(_read(asked), None)
    if found is None:
        return None
    target = target_of(context, interpreter_of(context, log))
    own = found.own or (str(target.python) if target is not None else "") or next(iter(log.pythons), "")
    own = "" if found.range else own
    name = f"{found.name} {found.version}".strip() or "a package in the log"
    accepted = [minor for minor in PYTHONS if _accepts(found.needs, minor)]
    if not accepted:
        return None
    minor = int(own.split(".")[1]) if re.fullmatch(r"3\.\d{1,2}(?:\.\d{1,3})?", own) else max(PYTHONS) + 1
    if minor in accepted and own.count(".") < 2:
        return None
    earlier = [each for each in accepted if each < minor]
    best = f"3.{earlier[-1] if earlier else accepted[0]}"
    message = f"{name} requires Python {found.needs}, and this one is {own or 'another one'}"
    if found.range:
        message = f"{name} requires Python {found.needs}, and the project is for Python {found.range}"
    project = asked._replace(name=found.name) if found.name and not asked.name else asked
    summary = (
        f"Use Python {best}, or a release of {found.name or 'this package'} for this Python, if there is one."
    )
    if asked.tool in ("poetry", "pdm"):
        summary = f"Use Python {best}, and give the project a range of Pythons that each requirement accepts."
    commands = in_python(context, best, words_of(project), asked.tool, target) if words_of(project) else ()
    return Told("TL403", message, Remedy(summary, commands=commands))


def left_out(asked: Installation, python: PythonVersion | None) -> Told | None:
    """A project of which pip lists nothing, after it left out releases for other Pythons; None for others."""
    if _LEFT_OUT not in asked.near or not asked.is_absent or asked.offered or _ITEM.search(asked.near):
        return None
    here = f"Python {python}" if python is not None else "this Python"
    message = (
        f"pip found no file of {asked.requirement or asked.name} for {here}, and left out releases for others"
    )
    summary = (
        f"Use a Python that {asked.name} supports, most often an earlier one than {here}: its page on the index "
        "shows which (Requires: Python)."
    )
    because = "the log says that pip ignored versions that require a different Python version"
    return Told("TL528", message, Remedy(summary), because)


def _read(asked: Installation) -> Iterator[_Required]:
    """What the lines around the failure say."""
    text = " ".join(asked.near.split())
    for pattern in _PRINTED:
        for match in pattern.finditer(text):
            groups = match.groupdict()
            name, version = groups.get("name") or "", groups.get("version") or ""
            if groups.get("file"):
                stem = re.match(r"([\w.-]+?)-(\d[\w.+!]*?)(?:-|\.tar|\.zip|\.whl)", file_name(groups["file"]))
                name, version = (stem[1], stem[2]) if stem else (asked.name, "")
            own = groups.get("own") or ""
            spans = (groups.get("range") or "").strip()
            yield _Required(normalise(name), version, _plain(groups["needs"]), own.rstrip("."), spans)
    ignored = _IGNORED.search(asked.near)
    if ignored is None or not asked.name or not asked.is_absent:
        return
    items = [(each["version"], _plain(each["needs"])) for each in _ITEM.finditer(ignored[1])]
    mine = [each for each in items if _is_allowed(each[0], asked.specifier)]
    if mine and not [each for each in asked.offered or () if _is_allowed(each, asked.specifier)]:
        version, needs = max(mine, key=lambda each: Version(each[0]))
        yield _Required(asked.name, version, needs, "")


def _plain(needs: str) -> str:
    return re.sub(r"\s", "", needs.replace(" and ", ",")).rstrip(",;")


def _is_allowed(version: str, specifier: str) -> bool:
    try:
        Version(version)
        return not specifier or specifier_set(specifier).contains(version)
    except ValueError:
        return False


def _accepts(needs: str, minor: int) -> bool:
    """Whether a Requires-Python accepts the last patch release of a Python."""
    try:
        return SpecifierSet(needs).contains(f"3.{minor}.{LAST_PATCH.get(minor, 0)}")
    except InvalidSpecifier:
        return False
