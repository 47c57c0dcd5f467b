"""TL527: requirements of one installation that exclude each other, as an installer printed them."""

from __future__ import annotations

import re
from itertools import permutations
from typing import TYPE_CHECKING

from torchlock.check.asked_pages import page_without
from torchlock.check.conda_log import for_other_pythons, missing_in
from torchlock.check.conflict_words import conflict_in, constrained
from torchlock.check.installer_findings import Told, finding_of, install_again
from torchlock.check.installer_log import read_installation
from torchlock.check.other_pythons import of_another_python
from torchlock.check.refused_metadata import of_refused
from torchlock.finding import Remedy
from torchlock.knowledge.compatibility import CompatibilityTable
from torchlock.knowledge.masks import bits
from torchlock.knowledge.registry import rule
from torchlock.knowledge.rules import specifier_set
from torchlock.knowledge.stack import FAMILY
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.installer_log import Installation
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_PIN = re.compile(
    r"\b(torch|torchaudio|torchvision|torchcodec|torchtext)(?:==| \(=?=?|=)(\d[\w.]{0,30})(?:\+(\w{1,20}))?"
)
# A release in a command of conda, which calls torch pytorch.
_CONDA_PIN = re.compile(
    r"['\"]?(?:py(torch)|(torchaudio|torchvision|torchtext))={1,2}(\d{1,2}\.\d{1,3}\.\d{1,3})['\"]?"
)
_OWN = re.compile(
    r"Cannot install ([^\n]{1,300}?) because|[Tt]he user requested ([^ ,]{1,80})|you require ([^ ,]{1,80})"
    r"|Because ([^ ,]{1,80}) depends on|your project depends on ([^ ,]{1,80})"
    r"|depends on both ([^\n,]{1,160}), version solving"
)
_DEPENDS = re.compile(
    r"\b(torchaudio|torchvision|torchcodec|torchtext) (\d[\w.]{0,30})(?:\+(\w{1,20}))? depends on torch\b"
)
# The requirements of the user, as pip and uv show them, and those on the torch family among them.
_BY_USER = re.compile(
    r"Cannot install ([^\n]{1,300}?) because|[Tt]he user requested ([^\n ]{1,80})|[Yy]ou require ([^,\n]{1,80})"
    r"|(?:your project|root) depends on ([^,\n]{1,80})"
)
_OF_FAMILY = re.compile(
    r"(?:^|(?<=[ ,]))(torch|torchaudio|torchvision|torchcodec|torchtext)"
    r"((?:[=<>!~]={0,2}\d[\w.*]{0,30},?){0,12})(?=[ ,]|$)"
)
_BETWEEN = re.compile(r"Cannot install ([^\n]{1,300}?) because")
# Who asks for which release: a package, or the user.
_ASKS = re.compile(
    r"(?:(?P<user>[Tt]he user requested|[Yy]ou require|[Yy]our project depends on)"
    r"|(?P<who>[A-Za-z0-9][\w.-]{0,80})(?:\[[\w,.-]{0,80}\])?(?: |={2,3})(?P<version>\d[\w.+!]{0,40}) depends on)"
    r" (?P<what>[A-Za-z0-9][\w.-]{0,80})(?:\[[\w,.-]{0,80}\])?"
    r"(?P<specifier>(?:[=<>!~]={0,2}\d[\w.*+!]{0,40},?){1,12})"
)


# What the user asks for in any release.
_ANY_RELEASE = re.compile(r"[Tt]he user requested ([A-Za-z0-9][\w.-]{0,80})(?=\s)(?! ?[=<>!~])")
# What poetry says at the end: the two requirements of the project that exclude each other.
_BOTH = re.compile(
    r"depends on both (?P<one>[\w.-]{1,80} \([^()]{1,80}\)) and (?P<other>[\w.-]{1,80} \([^()]{1,80}\)), "
    r"version solving failed"
)
_LABELLED = re.compile(r"torch\w{0,8} \([~^]?=?=?(?P<version>\d[\w.]{0,20})\+\w{1,20}\)")

# What libmamba, the solver of conda, prints.
_UNMET = re.compile(
    r"package (?P<who>[\w.+-]{1,100}) requires (?P<what>[a-z][\w.-]{0,60}(?: [\w.*,<>=|!+]{1,60})?),? "
    r"but none of the providers can be installed"
)
# What a build of a package needs in its tree, and what is asked for there.
_WOULD = re.compile(
    r"[├└]─ (?P<who>[a-z][\w.-]{0,60}) [\w.+]{1,40} would require\s[│├└─ ]{1,40}"
    r"(?P<what>[a-z][\w.-]{0,60}) (?P<spec>[^,;\n]{1,60}?),? which conflicts"
)
_REQUESTED = re.compile(
    r"[├└]─ (?P<what>[a-z][\w.-]{0,60}) (?:={1,2})(?P<spec>[\w.*]{1,40}(?: [\w.*]{1,40})?) is requested"
)
# They choose between the builds.
_CHOICES = frozenset({"pytorch-mutex", "pytorch-cuda", "cpuonly", "cudatoolkit", "python"})


@rule("TL205", "TL511", "TL527", on="log")
def excluded(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """What excludes what; for the torch family, the companion of the pinned torch."""
    first = log.first
    if first is None or first.rules[0] != "TL527":
        return
    asked = read_installation(log.text, first.line)
    if asked.is_absent or missing_in(asked.near) or for_other_pythons(asked.near)[0]:
        return
    pins = _pins(asked.near)
    told = (
        _of_family(context, pins)
        or _without_command(_of_family(context, _conda_pins(asked)))
        or of_another_python(context, asked, _wanted(asked.near), _tried(asked.near))
        or _of_page(asked)
        or of_refused(context, asked, *_only_want(" ".join(asked.near.split())))
        or _in_words(asked.near)
    )
    yield finding_of(context, found, asked._replace(name="", specifier=""), first.text, told)


def _pins(near: str) -> dict[str, tuple[str, str]]:
    """The releases that were asked for, with their labels: name → version, label.

    A companion of which pip lists one release only is pinned, too.
    """
    pins = {normalise(match[1]): (match[2], match[3] or "") for match in _PIN.finditer(_requested(near))}
    listed: dict[str, set[tuple[str, str]]] = {}
    for match in _DEPENDS.finditer(near):
        listed.setdefault(match[1], set()).add((match[2], match[3] or ""))
    return {**{name: min(found) for name, found in listed.items() if len(found) == 1}, **pins}


def _conda_pins(asked: Installation) -> dict[str, tuple[str, str]]:
    """The releases in a command of conda, without labels: name → version, label."""
    words = asked.command.split() if asked.tool == "conda" else []
    found = (_CONDA_PIN.fullmatch(word) for word in words)
    return {match[1] or match[2]: (match[3], "") for match in found if match is not None}


def _requested(near: str) -> str:
    """The user's own requirements, and the package whose requirement excludes one of them."""
    text = " ".join(near.split())
    return " ".join(part for found in _OWN.findall(text) for part in found if part)


def _wanted(near: str) -> dict[str, str]:
    """What the user asked for, and the companions that pip tried: name → specifier."""
    found = dict.fromkeys((match[1] for match in _DEPENDS.finditer(near)), "")
    stated = " ".join(part for match in _BY_USER.findall(near) for part in match if part)
    for name, specifier in _OF_FAMILY.findall(stated):
        if specifier or name not in found:
            found[name] = specifier.rstrip(",")
    return found


def _tried(near: str) -> dict[str, list[str]]:
    """The releases of each companion that the installer tried, as it shows them."""
    found: dict[str, list[str]] = {}
    for match in _DEPENDS.finditer(near):
        found.setdefault(match[1], []).append(match[2])
    return found


def _of_family(context: CheckContext, pins: dict[str, tuple[str, str]]) -> Told | None:
    """A torch and a companion of other releases: the companion that this torch has."""
    if "torch" not in pins or len(pins) < 2:
        return None
    table = CompatibilityTable()
    torch, label = pins["torch"]
    versions = table.packages["torch"].versions
    if torch not in versions:
        return None
    wanted, wrong = [f"torch=={torch}" + (f"+{label}" if label else "")], []
    for name in [each for each in pins if each in FAMILY - {"torch"} and each in table.packages]:
        mine = table.fits_torch(name, 1 << versions.index(torch))
        package = table.packages[name]
        if pins[name][0] in package.versions and mine >> package.versions.index(pins[name][0]) & 1:
            continue
        fitting = [package.versions[index] for index in bits(mine)]
        if not fitting:
            return None
        wrong.append(f"{name} {pins[name][0]}")
        same = [each for each in fitting if each.rpartition(".")[2] == torch.rpartition(".")[2]]
        wanted.append(f"{name}=={(same or fitting)[-1]}" + (f"+{label}" if label else ""))
    if not wrong:
        return None
    message = f"{' and '.join(wrong)} and torch {torch} exclude each other: each companion is made for one torch"
    page = ["--index-url", f"https://download.pytorch.org/whl/{label}"] if label else []
    remedy = Remedy(f"Install {', '.join(wanted)}.", commands=install_again(context, [*page, *wanted]))
    return Told("TL527", message, remedy)


def _without_command(told: Told | None) -> Told | None:
    """The same for conda: the command is one of pip."""
    if told is None or told.remedy is None:
        return told
    return told._replace(remedy=Remedy(told.remedy.summary.replace("torch==", "pytorch==", 1)))


def _in_words(near: str) -> Told:
    """Who asks for what, as the installer says; else what it could not install together."""
    if told := constrained(" ".join(near.split())):
        return told
    if asks := _asks(" ".join(near.split())):
        summary = "Loosen one of these requirements, or use another release of a package that has one of them."
        return Told("TL527", asks, Remedy(summary))
    if told := _of_conda(near) or _of_poetry(" ".join(near.split())) or conflict_in(near):
        return told
    if wanted := "".join(_only_want(" ".join(near.split()))):
        message = (
            f"the installer found no {wanted} for its Python and machine, and each release that it tried needs it"
        )
        summary = f"Use a Python for which {wanted} has wheels (look at python --version, and at the system)."
        return Told("TL527", message, Remedy(summary))
    between = _BETWEEN.search(near)
    names = between[1].strip() if between and re.search(r",| and ", between[1]) else ""
    message = f"the requirements of {names or 'this installation'} exclude each other"
    return Told("TL527", message, Remedy("Loosen one of the pins that the log names."))


def _of_conda(near: str) -> Told | None:
    """The package whose requirement conda could not meet, and what was asked for instead."""
    found = _UNMET.search(near)
    if found is None:
        return None
    what = found["what"].rstrip(",")
    name = what.split(" ")[0]
    if (told := _of_variants(near, found["who"], name)) is not None:
        return told
    asked = re.search(
        rf"[├└]─ {re.escape(name)} (?:={{1,2}}|>=)? ?([\w.*]{{1,40}})[^\n]{{0,60}} is requested", near
    )
    other = f", and {name} {asked[1]} is asked for" if asked else ", and what else is asked for excludes it"
    message = f"{found['who']} requires {what}{other}"
    package = re.split(r"-\d", found["who"])[0]
    summary = f"Ask for {what.removesuffix('.*')} instead, or for another release of {package}."
    return Told("TL527", message, Remedy(summary))


def _of_variants(near: str, who: str, name: str) -> Told | None:
    """The package of which each build of a release needs something else than what is asked for, if it is one."""
    wants: dict[str, list[str]] = {}
    for match in _WOULD.finditer(near):
        if match["who"] == name:
            wants.setdefault(match["what"], []).append(match["spec"].strip(" *"))
    asked = {match["what"]: match["spec"].strip() for match in _REQUESTED.finditer(near)}
    # What only one of the builds needs is a choice; what is asked for in another form excludes them.
    found = [(each, specs) for each, specs in wants.items() if each in asked and each not in _CHOICES]
    if len(found) != 1:
        return None
    what, specs = found[0]
    message = f"{who} requires a {name} that needs {what} {specs[0]}, and {what} {asked[what]} is asked for"
    summary = f"Ask for {what} without the build {asked[what].split()[-1]}, or use {name} from conda-forge."
    return Told("TL527", message, Remedy(summary))


def _of_poetry(text: str) -> Told | None:
    """The two requirements of the project that poetry names; a label in them may be what excludes."""
    found = _BOTH.search(text)
    if found is None:
        return None
    message = f"{found['one']} and {found['other']} of this project exclude each other"
    labelled = _LABELLED.fullmatch(found["one"])
    if labelled is not None and f"depends on torch ({labelled['version']})" in text:
        summary = (
            f'Write the versions without the label (torch = "{labelled["version"]}"), and name a source of poetry '
            "with the page of that build for these packages: a companion declares its torch without the label."
        )
        return Told("TL527", message, Remedy(summary))
    return Told("TL527", message, Remedy("Loosen one of these two requirements, or use another release of one."))


def _of_page(asked: Installation) -> Told | None:
    """The release that alone is wanted, if the page of the build that the log names does not have it."""
    name, specifier = _only_want(" ".join(asked.near.split()))
    version = specifier.removeprefix("==")
    if not version or version == specifier:
        return None
    return page_without(asked._replace(name=name, specifier=specifier))


def _only_want(text: str) -> tuple[str, str]:
    """The one requirement, name and specifier, of all that were tried: it excludes nothing; else "".

    It is one also beside a user who asks for any release of it.
    """
    found = {(normalise(match["what"]), match["specifier"].rstrip(",")) for match in _ASKS.finditer(text)}
    if len(found) != 1:
        return "", ""
    name, specifier = next(iter(found))
    any_release = {normalise(match[1]) for match in _ANY_RELEASE.finditer(text)}
    return (name, specifier) if len(_ASKS.findall(text)) > 1 or name in any_release else ("", "")


def _asks(text: str) -> str:
    """The requirements on one package that exclude each other, with those who have them; "" if none are shown."""
    found: dict[str, dict[str, str]] = {}
    for match in _ASKS.finditer(text):
        who = "the user asks for" if match["user"] else f"{match['who']} {match['version']} needs"
        specifier = match["specifier"].rstrip(",")
        found.setdefault(normalise(match["what"]), {}).setdefault(specifier, f"{who} {match['what']}{specifier}")
    several = [each for each in found.values() if len(each) > 1]
    for each in several:
        for one, other in permutations(each, 2):
            if _excludes(one, other):
                return f"{each[one]} and {each[other]}: no release meets both"
    return f"{' and '.join(list(several[0].values())[:3])}: the installer found none for all" if several else ""


def _excludes(pin: str, other: str) -> bool:
    """Whether an exact pin is outside another requirement."""
    version = re.fullmatch(r"={2,3}([\w.!]{1,40})(?:\+\w{1,20})?", pin)
    return version is not None and not specifier_set(re.sub(r"\+\w+", "", other)).contains(version[1])
