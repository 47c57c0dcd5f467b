"""TL524: a package that an installer compiled from source without success; TL511: metadata that pip refuses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.check import known_wheels as wheels
from torchlock.check.build_output import first_error, is_in_place, output_of
from torchlock.check.installer_findings import (
    Told,
    finding_of,
    in_python,
    install_again,
    is_there,
    requirement_words,
    words_of,
)
from torchlock.check.installer_log import read_installation
from torchlock.check.log_alone import has_stack
from torchlock.check.log_machine import interpreter_of, target_of
from torchlock.check.log_machine import system_of as os_of_log
from torchlock.check.log_releases import releases_in
from torchlock.check.log_signatures import GENERAL
from torchlock.check.refused_metadata import with_old_pip
from torchlock.check.system_packages import package_command, system_of
from torchlock.finding import Command, Remedy
from torchlock.knowledge.build_failures import failure_in
from torchlock.knowledge.registry import rule
from torchlock.knowledge.systems import Library
from torchlock.standards.names import normalise
from torchlock.target import PLATFORMS, Platform, Target

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.installer_log import Installation
    from torchlock.check.log import Log, Signature
    from torchlock.finding import Finding
    from torchlock.inspect.interpreter import Interpreter
    from torchlock.knowledge.build_failures import BuildFailure
    from torchlock.target import PythonVersion

# The package that was compiled, as the lines around the failure name it.
_NAMED = (
    re.compile(r"Failed building wheel for ([\w.-]{1,80})"),
    re.compile(r"Failed to build [`']?([\w.-]{1,80})(?:==([\w.+!]{1,40}))?[`']?"),
    re.compile(r"Could not build wheels for ([\w.-]{1,80})"),
    re.compile(r"Failed to download and build [`']([\w.-]{1,80})==([\w.+!]{1,40})"),
    re.compile(r"is likely not a problem with poetry but with ([\w.-]{1,80}) \(([\w.+!]{1,40})\)"),
    re.compile(r"Building wheel for ([\w.-]{1,80}) \("),
    re.compile(r"╰─> ([A-Za-z][\w.-]{1,80})$", re.MULTILINE),
    re.compile(r"[/\\]pip-install-\w{4,16}[/\\]([A-Za-z][\w.-]{1,60}?)(?:_[0-9a-f]{32})?[/\\]setup\.py"),
    re.compile(r"writing (?:\S{0,100}/)?([A-Za-z][\w.-]{1,60})\.egg-info[/\\]"),
    re.compile(
        r"[/\\](?:built-wheels|sdists)-v\d{1,3}[/\\](?:pypi|index[/\\]\w{1,40})[/\\]"
        r"([\w.-]{1,80})[/\\](\d[\w.+!]{0,40})[/\\]"
    ),
    re.compile(
        r"(?:Downloading|Using cached|Processing) (?:\S{0,200}/)?"
        r"([A-Za-z][\w.]{0,60}(?:-[A-Za-z][\w.]{0,40}){0,4})-(\d[\w.+!]{0,40})\.(?:tar\.gz|zip)"
    ),
)


_NO_DISTUTILS = re.compile(
    r"'pkgutil' has no attribute 'ImpImporter'|No module named '?distutils|attribute 'ImpImporter'"
)
# pip made an environment for the build, and the setuptools that the package asks for does not load there.
_OLD_SETUPTOOLS = ("Installing build dependencies ... done", "Cannot import 'setuptools.build_meta'")
_PYTHON_3_12 = re.compile(r"[/\\]python3\.1[2-9][/\\]")
_OF_PYTHON_3_13 = re.compile(r"KeyError: '__version__'")
_NO_PKG_RESOURCES = re.compile(r"No module named '?pkg_resources")
# What setup scripts print.
# The metadata in a file differ from its name: no build and no requirement is at fault.
_OTHER_METADATA = re.compile(r" has (?:different|inconsistent) (?:name|version)\b")
_BUILD = re.compile(r"^\s{0,12}running build_ext|^\s{0,12}running bdist_wheel|Building wheel for ", re.MULTILINE)
# uv says for whom it takes a package.
_INCLUDED = re.compile(
    r"`(?P<parent>[\w.-]{1,60})` \(v(?P<version>[\w.]{1,30})\) (?:which )?depends on (?=`(?P<needs>[\w.-]{1,60})`)"
)
_ONLY_PYTHONS = re.compile(
    r"Cannot install on Python version|only versions? >=? ?3\.\d{1,2}[^\n]{0,20}are supported"
    r"|requires python >=|requires Python '[^'\n]{1,60}' but"
)


@rule("TL524", "TL511", on="log")
def not_built(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """Why a package was not built, and the command that installs it."""
    if log.first is not None and log.first == log.start:
        yield from _of_line(context, log, log.first, found)


@rule("TL524", on="unexplained")
def not_loaded(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A package whose build imported torch, which did not load, if nothing says why."""
    if log.start is not None and log.first != log.start:
        yield from _of_line(context, log, log.start, found)


def _of_line(context: CheckContext, log: Log, first: Signature, found: Sequence[Finding]) -> Iterator[Finding]:
    is_build = "TL524" in first.rules and _BUILD.search(log.text) is not None
    if (first.rules[0] not in ("TL524", "TL511") and not is_build) or _OTHER_METADATA.search(first.text):
        return
    asked = _of_build(read_installation(log.text, first.line))
    is_of_others = first.weight == GENERAL and not asked.is_at_work and has_stack(context)
    if is_there(context, asked) or is_of_others:
        return
    if first.rules[0] == "TL511":
        told = _metadata(context, asked)
    else:
        told = _told(
            context, asked, output_of(log.text, first.line), interpreter_of(context, log), releases_in(log)
        )
    yield finding_of(context, found, asked, first.text, told)


def _of_build(asked: Installation) -> Installation:
    """The installation, with the name and the version of the package that was compiled."""
    if asked.is_absent:  # what the build itself asks for was not found
        asked = asked._replace(name="", specifier="", is_absent=False)
    for pattern in _NAMED:
        for match in pattern.finditer(asked.near):
            name = normalise(match[1])
            version = match[2] if match.lastindex == 2 else _version_of(name, asked)
            return asked._replace(name=name, specifier=f"=={version}" if version else "")
    return asked


def _version_of(name: str, asked: Installation) -> str:
    """The version of the archive, or of the pin in the lines around the failure."""
    stem = re.escape(name).replace(r"\\-", "[-_.]")
    found = re.search(rf"(?i)\b{stem}(?:-|==| \()(\d[\w.+!]{{0,40}}?)(?:\.tar\.gz|\.zip|\)|[\s,;(]|$)", asked.near)
    return found[1] if found else (asked.version if asked.name == name else "")


def _told(
    context: CheckContext, asked: Installation, output: str, interpreter: Interpreter, stated: Collection[str]
) -> Told:
    what = f"{asked.name} {asked.version}".strip() or "a package"
    target, own = target_of(context, interpreter), interpreter.python
    other = _with_wheels(context, asked, target) or _for_no_platform(context, asked, target)
    if other is not None:
        return other
    is_old = all(each in output for each in _OLD_SETUPTOOLS) and _PYTHON_3_12.search(output)
    if is_old or _NO_DISTUTILS.search(asked.near):
        why = "its build uses distutils or an old setuptools, which Python 3.12 and later do not have"
        return _older_python(context, asked, own, what, why)
    if _OF_PYTHON_3_13.search(asked.near) and context.target is not None and context.target.python.minor >= 13:
        why = "its setup script reads its version in a way that does not work since Python 3.13"
        return _older_python(context, asked, own, what, why)
    if _NO_PKG_RESOURCES.search(asked.near):
        return _without_pkg_resources(context, asked, what)
    cause = failure_in(output)
    if cause is not None and cause.is_older:
        return _older_python(context, asked, own, what, cause.says)
    if cause is not None:
        says = cause.in_place if cause.in_place and is_in_place(output) else cause.says
        message = f"{what} was compiled here and did not build: {says}"
        remedy = _of_cause(context, asked, cause, os_of_log(output), stated)
        return Told("TL524", message, remedy, sources=cause.sources)
    if _ONLY_PYTHONS.search(asked.near):
        return _older_python(context, asked, own, what, "it does not support this Python")
    return _of_first_error(what, output, own)


def _of_first_error(what: str, output: str, own: PythonVersion | None) -> Told:
    """A build for whose failure no cause is known: its own words."""
    shown = first_error(output)
    message = f"{what} was compiled here and did not build; "
    message += f"its first error is: {shown}" if shown else "its output in the log says why"
    more = (
        " Otherwise look for the text of this error together with the name of the package."
        if shown
        else " The lines of the build above those of the installer say what it lacks (pip: add -v)."
    )
    other = f"Python {own}, an earlier Python for which this release has one" if own is not None else "this Python"
    summary = f"Use a release that has a wheel for {other}, or install what the build asks for.{more}"
    return Told("TL524", message, Remedy(summary))


def _of_cause(
    context: CheckContext, asked: Installation, cause: BuildFailure, shown: str, stated: Collection[str]
) -> Remedy:
    """The remedy of a known cause; packages of Debian as a command on such a system only, else in words.

    ``shown`` is the operating system that the output shows; "" if it does not. ``stated`` are the packages of the
    stack that the log shows to be there.
    """
    if cause.options:
        return Remedy(cause.fix, commands=_without_isolation(context, asked, cause, stated))
    system = system_of(context)
    if cause.apt and system is not None and system.install.startswith("apt-get"):
        return Remedy(cause.fix, commands=package_command(context, system, Library("", cause.apt, "")))
    own = os_of_log(asked.near) or shown or context.operating_system
    if cause.brew and own == "macos":
        again = cause.fix
        if "same command again" not in again:
            again = f"{again.removesuffix('.')}; then run the same command again."
        return Remedy(again, commands=(Command("system", f"brew install {' '.join(cause.brew)}"),))
    named = f" (on Debian and Ubuntu: {' '.join(cause.apt)})." if cause.apt and own in ("", "linux") else "."
    if cause.apt and own == "windows":
        named = "; on Windows, most packages are installed from a wheel: use a Python for which this one has one."
    commands = (Command("system", cause.command),) if cause.command else ()
    return Remedy(cause.fix.removesuffix(".") + named, commands=commands)


def _without_isolation(
    context: CheckContext, asked: Installation, cause: BuildFailure, stated: Collection[str]
) -> tuple[Command, ...]:
    """Install what the build needs and what is not there, then the package itself."""
    words = requirement_words(asked.name, asked.version, asked.specifier)
    if not words:
        return ()
    there = {*context.pins, *stated}
    needs = [each for each in cause.first if each not in there or each in ("setuptools", "wheel")]
    first = {each.tool: each.line for each in install_again(context, needs)}
    second = install_again(context, [*cause.options, *words])
    return tuple(each._replace(line=f"{first[each.tool]} && {each.line}") for each in second if each.tool in first)


def _with_wheels(context: CheckContext, asked: Installation, target: Target | None) -> Told | None:
    """A package of the catalogue whose release has wheels for other Pythons than this one."""
    if target is None or not asked.version or wheels.installs(asked.name, asked.version, "", target) is not False:
        return None
    pythons = wheels.pythons_with(asked.name, asked.version, "", target)
    there = [
        each for each in wheels.releases_with(asked.name, "", target) if Version(each) > Version(asked.version)
    ]
    own = target.python
    older_parent = _parent(asked)
    message = f"{asked.name} {asked.version} has no wheel for Python {own}, and did not build from source"
    if pythons:
        message += f": it has wheels for Python {wheels.ranges(pythons)}"
        older = [each for each in pythons if int(each[2:].rstrip("t")) < own.minor]
        best = older[-1] if older else pythons[0]
        later = f"; or install {asked.name} {there[0]}, which has a wheel for Python {own}" if there else ""
        words = words_of(asked)
        return Told(
            "TL524",
            message,
            Remedy(
                f"Use Python {best}{later}.{older_parent}",
                commands=in_python(context, best, words, asked.tool, target),
            ),
        )
    if not there:
        return None
    words = [f"{asked.name}=={there[0]}"]
    return Told(
        "TL524", message, Remedy(f"Install {asked.name} {there[0]}.", commands=install_again(context, words))
    )


def _parent(asked: Installation) -> str:
    """The advice about the package that asks for this one, as uv names it; "" if it does not."""
    every = _INCLUDED.finditer(" ".join(asked.near.split()))
    found = next((match for match in every if normalise(match["needs"]) == asked.name), None)
    if found is None:
        return ""
    parent = found["parent"]
    return (
        f" It is taken for {parent} {found['version']}: if that is an old release, ask for a later {parent} "
        "beside it, so that the installer does not go back to a release without an upper limit on Python."
    )


def _for_no_platform(context: CheckContext, asked: Installation, target: Target | None) -> Told | None:
    """A release of the catalogue without a wheel for this Python on any platform, if the platform is not known."""
    own = context.environment.interpreter.python
    if target is not None or own is None or asked.version not in wheels.public_tags(asked.name):
        return None
    targets = [Target(own, Platform.parse(name)) for name in PLATFORMS]
    if any(wheels.installs(asked.name, asked.version, "", each) is not False for each in targets):
        return None
    return next((told for each in targets if (told := _with_wheels(context, asked, each))), None)


def _older_python(
    context: CheckContext, asked: Installation, own: PythonVersion | None, what: str, why: str
) -> Told:
    """A package whose code is for Pythons before ``own``, the one of the environment or of the log."""
    named = f"Python {own}" if own is not None else "this Python"
    message = f"{what} was compiled here and did not build: {why.replace('this Python', named)}"
    words = words_of(asked)
    later = f"or a later release of {asked.name or 'this package'}."
    if own is None:
        return Told("TL524", message, Remedy(f"Use an earlier Python than the one in the log, {later}"))
    best = f"3.{min(11, own.minor - 1)}"
    summary = f"Use Python {best}, {later}"
    return Told(
        "TL524", message, Remedy(summary, commands=in_python(context, best, words, asked.tool) if words else ())
    )


def _without_pkg_resources(context: CheckContext, asked: Installation, what: str) -> Told:
    """setuptools 82 removed pkg_resources: the build works with an earlier one."""
    message = (
        f"{what} was compiled here and did not build: its build imports pkg_resources, which setuptools 82 removed"
    )
    words = requirement_words(asked.name, asked.version, asked.specifier)
    first = {each.tool: each.line for each in install_again(context, ["setuptools<82", "wheel"])}
    second = install_again(context, ["--no-build-isolation", *words]) if words else ()
    commands = tuple(
        each._replace(line=f"{first[each.tool]} && {each.line}") for each in second if each.tool in first
    )
    summary = "Install setuptools below 82, then this package without build isolation, so that its build uses it."
    if not words:  # the log does not name the package: what was asked for is installed again
        commands = install_again(context, ["setuptools<82", "wheel"])
        summary = "Install setuptools below 82, then run your installation again with --no-build-isolation."
    return Told("TL524", message, Remedy(summary, commands=commands))


def _metadata(context: CheckContext, asked: Installation) -> Told:
    """pip 24.1 and later refuse a release whose metadata has an invalid requirement."""
    found = re.search(
        (
            r"Ignoring version ([\w.+!]{1,40}) of ([\w.-]{1,80}) since"
            r"|Requested ([\w.-]{1,80})[^\n]{0,200} has invalid metadata"
        ),
        asked.near,
    )
    what = (
        f"{found[2]} {found[1]}" if found and found[2] else found[3] if found else asked.requirement or "a release"
    )
    message = f"pip refuses {what} because of its metadata: pip 24.1 and later read only valid requirements"
    summary = "Use pip 24.0 for this installation, or a later release of this package."
    return Told("TL511", message, Remedy(summary, commands=with_old_pip(context, asked)))
