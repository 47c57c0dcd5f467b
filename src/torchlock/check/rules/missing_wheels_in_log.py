"""An installer found no file of the requested release: TL403, TL204, TL205, TL212, TL502, TL507, else TL528.

The bundled tables decide why: the build never was, its page was not asked, or no wheel is for this Python or
platform. What they do not know is said to be unknown (TL528).
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.answers import Unknown
from torchlock.check import known_wheels as wheels
from torchlock.check.asked_pages import empty_page, page_without, plain_version, unknown_page, without_companion
from torchlock.check.asked_releases import Asked, other_python
from torchlock.check.conda_log import missing_in
from torchlock.check.dependent_wheels import where_to_look
from torchlock.check.first_wheels import of_python
from torchlock.check.installer_findings import (
    Told,
    finding_of,
    install_again,
    is_there,
    requirement_words,
)
from torchlock.check.installer_log import read_installation
from torchlock.check.labelled_releases import of_page, with_label
from torchlock.check.listed_releases import (
    compiled_for_another,
    lists_others,
    lists_too_few,
    of_archives,
    of_plain_wheels,
    older_than_listed,
    with_list,
)
from torchlock.check.log_alone import context_of
from torchlock.check.log_machine import (
    interpreter_of,
    of_taken_wheels,
    system_of,
    system_of_split,
    target_of,
)
from torchlock.check.other_machines import (
    is_only_for_other_machines,
    no_wheels_for,
    on_page_only,
    on_windows_arm64,
    other_platform,
)
from torchlock.check.partly_known import partly_known
from torchlock.check.refused_files import refused_file
from torchlock.check.required_pythons import left_out, required_python
from torchlock.finding import Remedy
from torchlock.inspect.interpreter import Interpreter
from torchlock.knowledge.build_labels import kind_of
from torchlock.knowledge.builds import build_table
from torchlock.knowledge.indexes import BUILDS, PUBLIC, classify_index
from torchlock.knowledge.registry import rule
from torchlock.knowledge.rules import specifier_set
from torchlock.knowledge.stack import FAMILY
from torchlock.target import PLATFORMS, Platform, Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.installer_log import Installation
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_NOT_SUPPORTED = "is not a supported wheel on this platform"
_GLIBC = r"manylinux_(\d{1,2})_(\d{1,3})_(\w{1,20})"
_SHOWN_BY = ("TL403", "TL528", "TL527")


@rule("TL403", "TL204", "TL205", "TL212", "TL502", "TL507", "TL511", "TL528", on="log")
def no_file(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """Why an installer found no file of a release, and the command that finds one."""
    first = log.first
    if first is None or first.rules[0] not in _SHOWN_BY:
        return
    asked = with_list(log, read_installation(log.text, first.line))
    if first.rules[0] == "TL527" and not asked.is_absent:
        return
    if is_there(context, asked) or asked.is_offline or _is_of_conda(asked, first.text):
        return
    told = required_python(context, log, asked)
    if told is None and not asked.name:
        return
    yield finding_of(context, found, asked, first.text, told or _told_here(context, log, asked))


def _is_of_conda(asked: Installation, line: str) -> bool:
    """Whether conda names the packages that no channel has; what it collects before is none of them."""
    return "PackagesNotFoundError" in line or bool(missing_in(asked.near))


def _told_here(context: CheckContext, log: Log, asked: Installation) -> Told:
    """The reason for this environment; for what the log alone shows, if pip ran elsewhere."""
    interpreter = interpreter_of(context, log)
    target = target_of(context, interpreter)
    cells = _cells(interpreter, target)
    is_other = target is not None and _is_of_other_wheels(log, target)
    if cells and (is_other or all(map(partial(lists_others, asked), cells))):
        return _told(context_of(log), log, asked)
    told = _told(context, log, asked)
    if told.rule in ("TL528", "TL403") and cells and all(map(partial(lists_too_few, asked), cells)):
        elsewhere = _told(context_of(log), log, asked)
        return elsewhere if elsewhere.rule != "TL528" else told
    return told


def _cells(interpreter: Interpreter, target: Target | None) -> list[Target]:
    """The target; if only its Python is known, that on each platform."""
    if target is not None or interpreter.python is None:
        return [target] if target is not None else []
    return [Target(interpreter.python, Platform.parse(each)) for each in PLATFORMS]


def _told(context: CheckContext, log: Log, asked: Installation) -> Told:
    interpreter = interpreter_of(context, log)
    target = target_of(context, interpreter)
    if _NOT_SUPPORTED in asked.near and asked.file.endswith(".whl"):
        return refused_file(context, asked, interpreter, target) or _unknown(context, asked, target, interpreter)
    if _is_refused(asked):
        return _refused(asked)
    if split := system_of_split(asked.near):
        return partly_known(context, asked, Interpreter(), split) or _unknown(context, asked, None, Interpreter())
    if asked.tags and (told := plain_version(asked)):
        return told
    plain = of_plain_wheels(asked) if target is None else None  # a known machine has its own wheels, and a command
    if told := plain or of_archives(asked, system_of(log.text)):
        return told
    if (target is None or not asked.version) and (told := unknown_page(asked)):
        return told
    if asked.is_first_index and (told := page_without(asked)):
        return told
    is_of_tables = target is None or asked.name not in FAMILY
    if is_of_tables and (told := of_python(context, asked, interpreter, system_of(log.text))):
        return told
    if target is None:
        told = no_wheels_for(asked, interpreter.platform) or page_without(asked)
        return (
            told
            or partly_known(context, asked, interpreter, system_of(log.text))
            or _unknown(context, asked, target, interpreter)
        )
    if asked.name not in FAMILY:
        return _unknown(context, asked, target, interpreter)
    version, _, label = asked.version.partition("+")
    pinned = Asked(asked.name, version, label, target, asked)
    if target.platform.libc == "musl":
        return _musl(pinned)
    if not version:
        return _of_range(context, asked, pinned, interpreter)
    if is_only_for_other_machines(pinned):
        return other_platform(context, pinned)
    told = with_label(context, pinned) if label else _without_label(context, pinned)
    return told or _of_source_build(context, pinned) or _unknown(context, asked, target, interpreter)


def _is_of_other_wheels(log: Log, target: Target) -> bool:
    """Whether the wheels that pip took are all for another platform than a target."""
    stated = of_taken_wheels(log.text)
    return bool(stated) and not any(_is_same(each, target) for each in stated)


def _is_same(platform: str, target: Target) -> bool:
    """Whether a platform, as ``sysconfig`` spells it, is the one of a target."""
    system, machine = platform.partition("-")[0], platform.rpartition("-")[2]
    names = {"macosx": "macos", "win": "windows"}
    return (names.get(system, system), machine) == (target.platform.system, target.platform.machine)


def _is_refused(asked: Installation) -> bool:
    """Whether pip lists the very release that it did not take: it refuses its metadata."""
    return asked.tool == "pip" and bool(asked.version) and asked.version in (asked.offered or ())


def _refused(asked: Installation) -> Told:
    message = f"pip lists {asked.name} {asked.version} and refuses it: pip 24.1 and later read only valid metadata"
    summary = f'Install it with pip 24.0 (python -m pip install "pip<24.1"), or a later release of {asked.name}.'
    return Told("TL511", message, Remedy(summary))


def _musl(asked: Asked) -> Told:
    message = (
        f"no wheel of {asked.name} is for this system: it has the C library musl (Alpine), and all "
        f"wheels need glibc"
    )
    return Told("TL403", message, Remedy("Use an image with glibc, such as python:3.12-slim (Debian)."))


def _of_range(context: CheckContext, asked: Installation, pinned: Asked, interpreter: Interpreter) -> Told:
    """A requirement without an exact version: which releases have wheels here at all."""
    there = wheels.releases_with(asked.name, "", pinned.target)
    allowed = (
        [each for each in there if specifier_set(asked.specifier).contains(each)] if asked.specifier else there
    )
    if allowed:
        return _unknown(context, asked, pinned.target, interpreter)
    if not there and (told := on_page_only(context, pinned)):
        return told
    what = f"no release of {asked.requirement} has a wheel for Python {pinned.target.python} on {pinned.place}"
    newest, python = _allowed_elsewhere(asked, pinned)
    if newest:
        remedy = other_python(context, pinned._replace(version=newest), [python]).remedy
        return Told("TL403", what, remedy, f"its newest release, {newest}, has wheels for Python {python} at most")
    if there:
        words = requirement_words(asked.name, there[-1])
        summary = f"Use {asked.name} {there[0]} to {there[-1]}, which have wheels here; or a Python of that time."
        return Told("TL403", what, Remedy(summary, commands=install_again(context, words)))
    otherwise = Remedy(f"Use another Python: no {asked.name} is known for Python {pinned.target.python} here.")
    return Told("TL403", what, on_windows_arm64(asked.name, pinned.target) or otherwise)


def _allowed_elsewhere(asked: Installation, pinned: Asked) -> tuple[str, str]:
    """The newest release that a requirement allows, and the newest Python that it has wheels for; "" if none."""
    final = wheels.final_releases(asked.name)
    for version in reversed(final):
        if specifier_set(asked.specifier).contains(version) and (
            pythons := wheels.pythons_with(asked.name, version, "", pinned.target)
        ):
            return version, pythons[-1]
    return "", ""


def _of_source_build(context: CheckContext, asked: Asked) -> Told | None:
    """A pin on the version of somebody's build from source (``0.8.0a0+a751e1d``): no index has it."""
    if kind_of(asked.label) is not None or not re.fullmatch(r"\d[\d.]*a0", asked.version):
        return None
    if not re.fullmatch(r"(?:git)?[0-9a-f]{7,12}", asked.label):
        return None
    public = asked.version.removesuffix("a0")
    made = f"is a build from source, of commit {asked.label}"
    message = f"{asked.pinned} {made}: the public index does not have it"
    there = wheels.releases_with(asked.name, "", asked.target)
    if public not in there:
        return Told("TL502", message, Remedy(f"Ask for {asked.name} {public}, the release of that source."))
    commands = install_again(context, requirement_words(asked.name, public))
    return Told("TL502", message, Remedy(f"Install {asked.name} {public}.", commands=commands))


def _without_label(context: CheckContext, asked: Asked) -> Told | None:
    """A pin without a label, of the public index or of the pages that the log names."""
    pages = {
        found.label for each in asked.log.indexes if (found := classify_index(each)).kind == BUILDS and found.label
    }
    if pages and not any(classify_index(each).kind == PUBLIC for each in asked.log.indexes):
        return of_page(context, asked, min(pages))
    tags = wheels.public_tags(asked.name)
    if asked.version not in tags:
        return _no_such_release(context, asked, list(tags))
    if wheels.installs(asked.name, asked.version, "", asked.target) is not False:
        return None
    pythons = wheels.pythons_with(asked.name, asked.version, "", asked.target)
    return other_python(context, asked, pythons) if pythons else other_platform(context, asked)


def _no_such_release(context: CheckContext, asked: Asked, versions: list[str]) -> Told | None:
    if not wheels.is_final(asked.version) or not isinstance(
        build_table().labels(asked.name, asked.version), Unknown
    ):
        return None
    final = [each for each in versions if wheels.is_final(each)]
    if not final or Version(asked.version) > Version(final[-1]):
        return None  # It may be newer than the tables.
    there = wheels.releases_with(asked.name, "", asked.target)
    other = wheels.nearest(there, asked.version)
    message = f"{asked.name} {asked.version} was never published"
    remedy = Remedy(
        f"Install {asked.name} {other}.", commands=install_again(context, requirement_words(asked.name, other))
    )
    return Told("TL502", message, remedy if other else None)


def _unknown(context: CheckContext, asked: Installation, target: Target | None, interpreter: Interpreter) -> Told:
    """What the log says, and what the tables say; why no file was found is not known."""
    tool = asked.tool or "the installer"
    if asked.tags:
        return _of_tags(asked, tool)
    if told := older_than_listed(asked, interpreter.python) or left_out(asked, interpreter.python):
        return told
    message = f"{tool} found no file of {asked.requirement or asked.name} for this Python and platform"
    there = wheels.releases_with(asked.name, "", target) if target is not None and asked.name in FAMILY else []
    if asked.offered:
        public = asked.version.partition("+")[0]
        same = f"{public} is one, in another build" if public in asked.offered else ""
        summary = f"Ask for a release that it lists: {same or f'the newest is {asked.offered[-1]}'}."
        summary = (not same and compiled_for_another(asked)) or summary
    elif asked.offered == () and (told := empty_page(context, asked) or without_companion(asked)):
        return told
    elif asked.is_listed and asked.version and target is not None:
        summary = (
            f"{tool} knows this release, from a lock or a page: see which files it lists there. After a change of "
            "Python or platform, lock again."
        )
    elif there and target is not None:
        summary = (
            f"The public index has {asked.name} {there[-1]} for {target}: update {asked.tool or 'the installer'}, "
            "ask the public index, and use a 64-bit CPython."
        )
    elif asked.offered == ():
        message = f"{tool} saw no file of {asked.name} at all for this Python and platform"
        summary = where_to_look(asked.name, asked.specifier)
    else:
        summary = "Check the name, the Python, and which index is asked."
    return Told("TL528", message, Remedy(summary))


def _of_tags(asked: Installation, tool: str) -> Told:
    """The installer itself lists for what there are wheels."""
    if (told := _of_older_glibc(asked, tool)) is not None:
        return told
    is_python = all(re.fullmatch(r"(?:cp|pp|py)\d{1,4}\w*|abi3|none", each) for each in asked.tags)
    what = "Python" if is_python else "platform"
    message = (
        f"{asked.requirement or asked.name} has no wheel for this {what}: {tool} found only those for "
        f"{', '.join(asked.tags[:6])}"
    )
    return Told("TL403", message, Remedy(f"Use one of these {what}s, or another release of {asked.name}."))


def _of_older_glibc(asked: Installation, tool: str) -> Told | None:
    """There are wheels for this architecture and a newer glibc than the one that the installer sees."""
    own = re.search(rf"You're on [^\n]{{0,40}}\(`{_GLIBC}`\)", " ".join(asked.near.split()))
    there = [match for each in asked.tags if (match := re.fullmatch(_GLIBC, each)) and own and match[3] == own[3]]
    if own is None or not there:
        return None
    needed, has = min((int(each[1]), int(each[2])) for each in there), (int(own[1]), int(own[2]))
    if needed <= has:
        return None
    glibc = ".".join(map(str, needed))
    message = (
        f"{asked.requirement or asked.name} has wheels for glibc {glibc} and newer only, and {tool} takes this "
        f"machine for one with glibc {has[0]}.{has[1]}"
    )
    summary = f"Use a system with glibc {glibc} or newer, or an earlier release of {asked.name}."
    if tool == "uv":
        summary += (
            f" If this machine has that glibc already (ldd --version shows it), {tool} remembers an earlier "
            "one: run the command with --refresh."
        )
    return Told("TL403", message, Remedy(summary))
