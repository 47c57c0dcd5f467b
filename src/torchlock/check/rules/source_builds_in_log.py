"""TL524: a package that an installer compiled from source without success; TL511: metadata that pip refuses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from packaging.version import Version

from torchlock.check import known_wheels as wheels
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
from torchlock.check.system_packages import package_command, system_of
from torchlock.finding import Command, Remedy
from torchlock.knowledge.registry import rule
from torchlock.knowledge.systems import Library
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.installer_log import Installation
    from torchlock.check.log import Log, Signature
    from torchlock.finding import Finding

# The package that was compiled, as the lines around the failure name it.
_NAMED = (
    re.compile(r"Failed building wheel for ([\w.-]{1,80})"),
    re.compile(r"Failed to build [`']?([\w.-]{1,80})(?:==([\w.+!]{1,40}))?[`']?"),
    re.compile(r"Could not build wheels for ([\w.-]{1,80})"),
    re.compile(r"Failed to download and build [`']([\w.-]{1,80})==([\w.+!]{1,40})"),
    re.compile(r"is likely not a problem with poetry but with ([\w.-]{1,80}) \(([\w.+!]{1,40})\)"),
    re.compile(r"Building wheel for ([\w.-]{1,80}) \("),
    re.compile(r"╰─> ([A-Za-z][\w.-]{1,80})$"),
    re.compile(
        r"(?:Downloading|Using cached|Processing) (?:\S{0,200}/)?"
        r"([A-Za-z][\w.]{0,60}(?:-[A-Za-z][\w.]{0,40}){0,4})-(\d[\w.+!]{0,40})\.(?:tar\.gz|zip)"
    ),
)


class _Cause(NamedTuple):
    """A line of a build that shows why it failed: the sentence, and the remedy."""

    line: re.Pattern[str]
    says: str
    remedy: str
    words: tuple[str, ...] = ()
    command: str = ""
    packages: tuple[str, ...] = ()  # of Debian and Ubuntu
    formula: str = ""  # of Homebrew


_CAUSES = (
    _Cause(
        re.compile(
            r"[/\\](?:pip-build-env-\w{1,20}|builds-v\d{1,3})[/\\].{0,200}[/\\]torch[/\\].{0,200}"
            r"(?:undefined symbol|cannot open shared object|WinError|Library not loaded|[Ss]ymbol not found)"
            r"|(?:WinError 12[67]|Library not loaded).{0,200}[/\\](?:pip-build-env-\w{1,20}|builds-v\d{1,3})[/\\]"
        ),
        "the torch that the installer put into the environment of the build does not load",
        "Install torch first, in the release that this package is made for, then the package without isolation.",
        ("--no-build-isolation",),
    ),
    _Cause(
        re.compile(r"No module named '?torch'?\b"),
        "its build imports torch, which an isolated build does not have",
        "Install torch first, in the release that this package is made for, then the package without isolation.",
        ("--no-build-isolation",),
    ),
    _Cause(
        re.compile(
            r"CUDA_HOME environment variable is not set|nvcc was not found"
            r"|No such file or directory: '[^'\n]{0,80}nvcc"
        ),
        "its build needs the CUDA toolkit (nvcc), which the wheels of torch do not contain",
        (
            "Install the CUDA toolkit of the version that torch was built for and set CUDA_HOME, or use a "
            "wheel of this package."
        ),
    ),
    _Cause(
        re.compile(r"Microsoft Visual C\+\+ 14|Unable to find vcvarsall|command '?cl\.exe'? failed: No such"),
        "its build needs the C++ compiler of Visual Studio",
        (
            "Install the Microsoft C++ Build Tools (workload: desktop development with C++), or use a "
            "Python for which a wheel exists."
        ),
        command="winget install Microsoft.VisualStudio.2022.BuildTools",
    ),
    _Cause(
        re.compile(r"Python\.h: No such file"),
        "its build needs the header files of Python",
        "Install the header files of this Python.",
        packages=("python3-dev",),
    ),
    _Cause(
        re.compile(r"xcrun: error: invalid active developer path"),
        "the command line tools of Xcode, which have the compiler, are not there any more",
        "Install the command line tools again, which an update of macOS may remove.",
        command="xcode-select --install",
    ),
    _Cause(
        re.compile(r"clang(?:\+\+)?: error: unsupported option '-fopenmp'"),
        "its build asks for OpenMP, which the compiler of Apple does not have",
        "Install the compiler of LLVM and libomp with Homebrew, and let the build use it: set CC to "
        "$(brew --prefix llvm)/bin/clang and CXX to $(brew --prefix llvm)/bin/clang++.",
        command="brew install llvm libomp",
    ),
    _Cause(
        re.compile(r"command '[^'\n]{0,300}/_build_env/bin/[\w.-]{1,60}' failed: No such file"),
        "the Python of conda names a tool of the machine that built it, which is not here",
        "Install the compilers of conda-forge in this environment (conda install -c conda-forge compilers), or "
        "set AR, CC and CXX to the tools of the system, such as AR=/usr/bin/ar.",
    ),
    _Cause(
        re.compile(
            r"command '?[^'\n]{0,60}(?:gcc|g\+\+|cc|c\+\+|clang)'? failed: No such file|(?:gcc|g\+\+"
            r"|cc): (?:command )?not found|unable to execute '?[^'\n]{0,40}(?:gcc|g\+\+|cc)'?"
        ),
        "its build needs a C compiler",
        "Install a C compiler.",
        packages=("build-essential",),
    ),
    _Cause(
        re.compile(r"portaudio\.h: No such file|portaudio\.h' file not found"),
        "its build needs the header files of PortAudio",
        "Install PortAudio with its header files.",
        packages=("portaudio19-dev",),
        formula="portaudio",
    ),
    _Cause(
        re.compile(r"sndfile\.h: No such file"),
        "its build needs the header files of libsndfile",
        "Install libsndfile with its header files.",
        packages=("libsndfile1-dev",),
        formula="libsndfile",
    ),
    _Cause(
        re.compile(
            r"libav(?:format|codec|device|util)[^\n]{0,60}(?:not found|No such file)"
            r"|pkg-config[^\n]{0,40}(?:not found|is required)"
        ),
        "its build needs FFmpeg with its header files and pkg-config",
        "Install FFmpeg's header files and pkg-config, or a release that has a wheel.",
        packages=(
            "pkg-config",
            *("libavformat-dev", "libavcodec-dev", "libavdevice-dev", "libavutil-dev", "libavfilter-dev"),
            *("libswscale-dev", "libswresample-dev"),
        ),
        formula="pkg-config ffmpeg",
    ),
    _Cause(
        re.compile(
            r"(?:can't find|No such file or directory:? ?'?|requires? a?) ?[Rr]ust|rustc"
            r"|cargo[^\n]{0,30}not (?:found|installed)"
        ),
        "its build needs the Rust compiler",
        "Use a Python for which a wheel exists, or install Rust.",
    ),
    _Cause(
        re.compile(
            r"CMake must be installed|cmake[^\n]{0,20}(?:not found|No such file)"
            r"|No such file or directory: '?cmake"
        ),
        "its build needs CMake",
        "Install CMake, then run the same command again.",
    ),
)
_NO_DISTUTILS = re.compile(
    r"'pkgutil' has no attribute 'ImpImporter'|No module named '?distutils|attribute 'ImpImporter'"
)
_OF_PYTHON_3_13 = re.compile(r"KeyError: '__version__'")
_NO_PKG_RESOURCES = re.compile(r"No module named '?pkg_resources")
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
    if first.rules[0] not in ("TL524", "TL511"):
        return
    asked = _of_build(read_installation(log.text, first.line))
    if is_there(context, asked):
        return
    told = _metadata(context, asked) if first.rules[0] == "TL511" else _told(context, asked)
    yield finding_of(context, found, asked, first.text, told)


def _of_build(asked: Installation) -> Installation:
    """The installation, with the name and the version of the package that was compiled."""
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


def _told(context: CheckContext, asked: Installation) -> Told:
    what = f"{asked.name} {asked.version}".strip() or "a package"
    other = _with_wheels(context, asked)
    if other is not None:
        return other
    if _NO_DISTUTILS.search(asked.near):
        why = "its build uses distutils or an old setuptools, which Python 3.12 and later do not have"
        return _older_python(context, asked, what, why)
    if _OF_PYTHON_3_13.search(asked.near) and context.target is not None and context.target.python.minor >= 13:
        why = "its setup script reads its version in a way that does not work since Python 3.13"
        return _older_python(context, asked, what, why)
    if _NO_PKG_RESOURCES.search(asked.near):
        return _without_pkg_resources(context, asked, what)
    for cause in _CAUSES:
        if cause.line.search(asked.near):
            message = f"{what} was compiled here and did not build: {cause.says}"
            return Told("TL524", message, _of_cause(context, asked, cause))
    if _ONLY_PYTHONS.search(asked.near):
        return _older_python(context, asked, what, "it does not support this Python")
    message = f"{what} was compiled here and did not build; its output in the log says why"
    return Told(
        "TL524",
        message,
        Remedy("Use a release that has a wheel for this Python, or install what the build asks for."),
    )


def _of_cause(context: CheckContext, asked: Installation, cause: _Cause) -> Remedy:
    """The remedy of a known cause; packages of Debian as a command on such a system only, else in words."""
    if cause.words:
        return Remedy(cause.remedy, commands=_without_isolation(context, asked, cause.words))
    system = system_of(context)
    if cause.packages and system is not None and system.install.startswith("apt-get"):
        return Remedy(cause.remedy, commands=package_command(context, system, Library("", cause.packages, "")))
    if cause.formula and context.operating_system == "macos":
        line = f"brew install {cause.formula}"
        summary = f"{cause.remedy.rstrip('.')}, with Homebrew; then run the same command again."
        return Remedy(summary, commands=(Command("system", line),))
    named = f" (on Debian and Ubuntu: {' '.join(cause.packages)})." if cause.packages else "."
    commands = (Command("system", cause.command),) if cause.command else ()
    return Remedy(cause.remedy.removesuffix(".") + named, commands=commands)


def _without_isolation(
    context: CheckContext, asked: Installation, options: tuple[str, ...]
) -> tuple[Command, ...]:
    """Install what the build needs, then the package itself."""
    words = requirement_words(asked.name, asked.version, asked.specifier)
    if not words:
        return ()
    needs = ["setuptools", "wheel", *([] if "torch" in context.pins else ["torch"])]
    first = {each.tool: each.line for each in install_again(context, needs)}
    second = install_again(context, [*options, *words])
    return tuple(each._replace(line=f"{first[each.tool]} && {each.line}") for each in second if each.tool in first)


def _with_wheels(context: CheckContext, asked: Installation) -> Told | None:
    """A package of the catalogue whose release has wheels for other Pythons than this one."""
    target = context.target
    if target is None or not asked.version or wheels.installs(asked.name, asked.version, "", target) is not False:
        return None
    pythons = wheels.pythons_with(asked.name, asked.version, "", target)
    there = [
        each for each in wheels.releases_with(asked.name, "", target) if Version(each) > Version(asked.version)
    ]
    own = target.python
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
            Remedy(f"Use Python {best}{later}.", commands=in_python(context, best, words, asked.tool)),
        )
    if not there:
        return None
    words = [f"{asked.name}=={there[0]}"]
    return Told(
        "TL524", message, Remedy(f"Install {asked.name} {there[0]}.", commands=install_again(context, words))
    )


def _older_python(context: CheckContext, asked: Installation, what: str, why: str) -> Told:
    message = f"{what} was compiled here and did not build: {why}"
    words = words_of(asked)
    own = context.target.python.minor if context.target is not None else 12
    best = f"3.{min(11, own - 1)}"
    summary = f"Use Python {best}, or a later release of {asked.name or 'this package'}."
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
    commands = install_again(context, ["pip<24.1"])
    again = {each.tool: each.line for each in install_again(context, words_of(asked))}
    lines = tuple(
        each._replace(line=" && ".join(filter(None, [each.line, again.get("pip")])))
        for each in commands
        if each.tool == "pip"
    )
    return Told(
        "TL511",
        message,
        Remedy("Use pip 24.0 for this installation, or a later release of this package.", commands=lines),
    )
