"""What excludes what, in the words of each installer: uv about Pythons and wheels, poetry, pdm, libmamba, pip."""

from __future__ import annotations

import re

from torchlock.check.installer_findings import Told
from torchlock.finding import Command, Remedy

# uv: a release needs another Python than the project or the installer has.
_OF_PYTHON = re.compile(
    r"(?P<who>[A-Za-z0-9][\w.-]{0,60})==(?P<version>\d[\w.+!]{0,30}) depends on Python ?"
    r"(?P<needs>[<>=!~][\d.,<>=!~* ]{1,40}\d)"
)
# uv: the project allows a Python for which no release is.
_OF_REQUESTED = re.compile(
    r"the requested Python version \((?P<own>[<>=!~][\d.,<>=!~* ]{1,40})\) does not satisfy "
    r"Python ?(?P<needs>[<>=!~][\d.,<>=!~*]{1,30}\d)"
)
_UNUSABLE = re.compile(r"all versions of (?P<who>[A-Za-z0-9][\w.\[\]-]{0,60}) cannot be used")
# uv: releases have wheels for other platforms or Pythons only.
_OF_TAG = re.compile(
    r"only (?P<there>[A-Za-z][\w.-]{0,60}[<>=!][\w.,<>=!]{1,40}) (?:has|have) wheels with a matching "
    r"(?P<kind>platform|Python ABI|Python implementation|Python) tag \(e\.g\., `(?P<tag>[\w.]{1,60})`\) and "
    r"(?:you require|your project depends on) (?P<wanted>[A-Za-z][\w.-]{0,60}[<>=!~][\w.,<>=!~*]{1,40})"
)
# poetry: the project accepts more Pythons than a package does.
_OF_RANGE = re.compile(
    r"supported Python range \((?P<own>[^()]{2,60})\) is not compatible.{1,120}?- "
    r"(?P<who>[A-Za-z0-9][\w.-]{0,60}) requires Python (?P<needs>[<>=!~][\d.,<>=!~* ]{0,40}[\d*]), so"
)
# pdm: each requirement with the one who has it.
_FROM = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]{0,60})(?:\[[\w,]{1,40}\])?(?P<specifier>[<>=!~]{1,2}[\w.,<>=!~*+]{1,40}) "
    r"\(from (?P<who>[\w.=<>+-]{1,80})\)"
)
# libmamba: a package that is asked for, and what it needs in the next line of the tree.
_TREE = re.compile(
    r"(?P<who>[a-z][\w.-]{0,60}) (?P<version>[\w.*=<>,|]{1,40}) {1,4}is not installable because it requires\s"
    r"[│├└─ ]{1,40}(?P<what>[a-z][\w.-]{0,60}) (?P<needs>[^,;\n]{1,60}?) {0,4},? which "
    r"(?:conflicts|does not exist)"
)
_ASKED = re.compile(r"[├└]─ (?P<what>[a-z][\w.-]{0,60}) (?P<spec>[\w.*=<>,|]{1,40}) {1,4}is requested")
# libmamba: a build of a channel that is not the first one with this package.
_PRIORITY = re.compile(
    r"package (?P<name>[\w.-]{1,60}?)-\d[\w.]{0,30}-\w{1,40} is excluded by strict repo priority"
)
# pip: a file of constraints beside what is asked for.
_CONSTRAINT = re.compile(
    r"The user requested (?P<asked>[A-Za-z0-9][\w.-]{0,60}\S{1,60})\s{1,20}"
    r"The user requested \(constraint\) (?P<limit>[A-Za-z0-9][\w.-]{0,60}\S{1,60})"
)


def conflict_in(near: str) -> Told | None:
    """What the lines around a failure say of two requirements that exclude each other; None if nothing is known.

    ``near`` has its line breaks: libmamba draws a tree.
    """
    text = " ".join(near.split())
    found = (
        _of_priority(text),
        _of_range(text),
        _of_tag(text),
        _of_python(text),
        _of_requested_python(text),
        _of_pdm(text),
        _of_tree(near),
    )
    return next((each for each in found if each is not None), None)


def _of_priority(text: str) -> Told | None:
    """conda leaves out packages of a channel because one before it has other builds of them."""
    names = list(dict.fromkeys(match["name"] for match in _PRIORITY.finditer(text)))
    if not names:
        return None
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    message = (
        f"conda leaves out builds that are asked for ({', '.join(names[:3])}{more}): they are in a channel after "
        "another one that has these packages, too"
    )
    summary = (
        "Remove the build strings from the file, so that the first channel can serve; or let conda take packages "
        "from every channel, as the environment was made."
    )
    because = "with strict priority, conda takes a package only from the first channel that has it in any build"
    commands = (Command("conda", "conda config --set channel_priority flexible"),)
    return Told("TL527", message, Remedy(summary, commands=commands), because, ("finetune-sam-33",))


def _of_python(text: str) -> Told | None:
    found = _OF_PYTHON.search(text)
    if found is None:
        return None
    name = f"{found['who']} {found['version']}"
    message = f"{name} is for Python {found['needs']}, and the installation is not for these Pythons alone"
    summary = (
        f"Make requires-python of the project narrower, so that it is within {found['needs']}; or use such a "
        f"Python, or another release of {found['who']}."
    )
    return Told("TL527", message, Remedy(summary))


def _of_requested_python(text: str) -> Told | None:
    found = _OF_REQUESTED.search(text)
    if found is None:
        return None
    who = _UNUSABLE.search(text)
    name = who["who"] if who else "a package that is asked for"
    message = f"{name} needs Python {found['needs']}, and the project is for Python {found['own']}"
    summary = (
        f"Make requires-python of the project {found['needs']}, or ask for a release of {name} that is for Python "
        f"{found['own']}; the Python that runs does not matter."
    )
    return Told("TL527", message, Remedy(summary))


def _of_tag(text: str) -> Told | None:
    found = _OF_TAG.search(text)
    if found is None:
        return None
    kind = "platform" if found["kind"] == "platform" else "Python"
    wanted = found["wanted"].rstrip(",")
    message = f"{wanted} has no wheel for this {kind} ({found['tag']}): only {found['there']} has one"
    summary = f"Ask for {found['there']}, with the releases that belong to it; or use another {kind}."
    return Told("TL527", message, Remedy(summary))


def _of_range(text: str) -> Told | None:
    found = _OF_RANGE.search(text)
    if found is None:
        return None
    message = f"the project is for Python {found['own']}, and {found['who']} is for Python {found['needs']} only"
    summary = (
        f"Make the Python of the project narrower in pyproject.toml (requires-python, or python of poetry), so "
        f"that it is within {found['needs']}; then lock again."
    )
    return Told("TL527", message, Remedy(summary))


def _of_pdm(text: str) -> Told | None:
    rows = [match for match in _FROM.finditer(text) if match["who"] != "requirements.txt"]
    first = next((one for one in rows if any(_differs(one, other) for other in rows)), None)
    if first is None:
        return None
    second = next(other for other in rows if _differs(first, other))
    words = [
        f"{'the project' if each['who'] == 'project' else each['who']} asks for {each['name']}{each['specifier']}"
        for each in (first, second)
    ]
    summary = "Loosen one of these requirements, or use another release of a package that has one of them."
    return Told("TL527", f"{words[0]}, and {words[1]}", Remedy(summary))


def _differs(one: re.Match[str], other: re.Match[str]) -> bool:
    return one["name"] == other["name"] and one["specifier"] != other["specifier"] and one["who"] != other["who"]


def _of_tree(near: str) -> Told | None:
    found = _TREE.search(near)
    if found is None:
        return None
    asked = {match["what"]: match["spec"].strip("*=") for match in _ASKED.finditer(near)}
    what, needs = found["what"], found["needs"].strip(" *=")
    other = f"{what} {asked[what]} is asked for" if what in asked else "what else is asked for excludes it"
    message = f"{found['who']} {found['version'].strip('*=')} requires {what} {needs}, and {other}"
    summary = f"Ask for {what} {needs} instead, or for another release of {found['who']}."
    return Told("TL527", message, Remedy(summary))


def constrained(text: str) -> Told | None:
    """A file of constraints that excludes what is asked for; None if the text does not show it."""
    found = _CONSTRAINT.search(text)
    if found is None:
        return None
    message = (
        f"{found['asked']} is asked for, and a file of constraints (-c, PIP_CONSTRAINT) says {found['limit']}"
    )
    summary = (
        "Ask for the release of the constraint, with the releases that belong to it; or change that file. Images "
        "of vendors have one (PIP_CONSTRAINT), which protects their own torch."
    )
    return Told("TL527", message, Remedy(summary))
