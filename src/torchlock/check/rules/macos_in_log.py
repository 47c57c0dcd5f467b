"""TL619, TL312: what macOS itself refuses, as a log shows: code signatures, and builds for a later macOS."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.fix.quoting import quoted
from torchlock.check.log_alone import has_stack
from torchlock.check.log_files import file_here
from torchlock.check.rules.ffmpeg import is_mac
from torchlock.finding import Command, Remedy, Strength
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import MEMBERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

# Up to macOS 11 dyld puts the path in parentheses, and from then on in quotes, after a number.
_REFUSED = re.compile(
    r"code signature in (?:<[^>\n]{1,80}> ?)?['(](?P<path>/[^'()\n]{1,400})['(), ]{1,3}not valid for use in "
    r"process[^:\n]{0,40}: (?P<why>[^'\n]{1,160})"
)
_INVALID = re.compile(r"'(?P<path>[^'\n]{1,400})' \((?P<why>code signature invalid[^)\n]{0,80})")
# A crash report of a process that the kernel ended for a page whose signature did not fit.
_KILLED = re.compile(r"Namespace CODESIGNING")
_MAPPED = re.compile(r"(?P<path>/[^\n'()]{1,400}?\.(?:dylib|so))\b")
_LATER = re.compile(
    r"Referenced from: [^/\n]{0,80}(?P<path>/[^\n(]{1,400}?) "
    r"\((?:which was )?built for (?:macOS|Mac OS X) (?P<version>\d{1,2}(?:\.\d{1,2})?)"
)
# The loader has to know each load command whose number has the highest bit (LC_REQ_DYLD); a later macOS has more.
_COMMAND = re.compile(r": cannot load '[^'\n]{0,400}' \(load command (?P<command>0x8[0-9a-fA-F]{7}) is unknown")
# A function of macOS itself that is not there. GCC's own functions are not those of a later macOS.
_OF_MACOS = re.compile(
    r"ymbol not found: (?P<symbol>_(?!__emutls)\w{1,300})\n"
    r"[^\n]{0,20}Referenced from: {0,8}(?:<[\w-]{1,40}> )?['\"]?(?P<path>/[^\n'\"(]{1,400})[^\n]{0,80}\n"
    r"[^\n]{0,20}Expected in: {0,8}(?:<[\w-]{1,40}> )?['\"]?(?P<library>/(?:usr/lib|System)/[^\n'\"]{1,300})"
)
_PACKAGE = re.compile(r"(?:site|dist)-packages/(\w{1,80})")
_SITE = re.compile(r"(?P<site>.{1,400}?/(?:site|dist)-packages)/(?P<package>\w{1,80})")


@rule("TL619", on="log")
def refused(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A library whose code signature macOS does not accept."""
    match = _REFUSED.search(log.text) or _INVALID.search(log.text)
    first = log.first
    if match is None or first is None or not is_mac(context):
        return
    path, why = match["path"], match["why"].partition(" (errno")[0].rstrip("), ")
    name = _package_of(context, path) or _package(path)
    yield context.finding(
        "TL619",
        severity_of(fails=name in MEMBERS and MEMBERS[name].effect == "import"),
        f"macOS does not let this process load {os.path.basename(path)}{f' of {name}' if name else ''}: {why}",
        *([name] if name in context.pins else ["torch"]),
        expected_error=first.text,
        remedy=_allowed(path, why),
        sources=("pytorch-120606", "librarian-55"),
        lacks=(os.path.basename(path),),
    )


@rule("TL619", on="log")
def killed(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A process that macOS ended, because a library was changed after it was signed."""
    first = log.first
    if first is None or not is_mac(context) or not _KILLED.search(log.text):
        return
    files = (file_here(context, match["path"]) for match in _MAPPED.finditer(log.text))
    named = next(filter(None, files), None)
    if named is None:
        return
    yield context.finding(
        "TL619",
        named.severity,
        f"macOS ended the process in the log, because a library was changed after it was signed: the report names "
        f"{named.name} of {context.named(named.package)}",
        named.package,
        path=named.path,
        expected_error=first.text,
        remedy=_allowed(context.search_path.name(named.path) if context.search_path else named.path, "invalid"),
        sources=("pytorch-120606", "librarian-55"),
        strength=Strength.RAN,
        lacks=(named.name,),
    )


def _allowed(path: str, why: str) -> Remedy:
    """Remove the mark of a download, sign the file again, or use a Python without library validation."""
    if "Team ID" in why:
        return Remedy(
            "Use a Python that may load libraries of others, such as that of Homebrew, uv, conda or python.org: "
            "this program is signed with the hardened runtime, and loads libraries of its own developer only."
        )
    if "invalid" in why:
        line = f"codesign --force --sign - {quoted(path)}"
        return Remedy(
            "Sign the file again: it was changed after it was signed. Or install its package again.",
            commands=(Command("system", line),),
        )
    folder = found["site"] if (found := _SITE.match(path)) else os.path.dirname(path)
    line = f"xattr -dr com.apple.quarantine {quoted(folder)}"
    return Remedy(
        "Remove the mark that a browser or an unpacking program gave to the files (com.apple.quarantine).",
        commands=(Command("system", line),),
    )


@rule("TL312", on="log")
def later_macos(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A library that uses functions of a later macOS."""
    match, first = _LATER.search(log.text), log.first
    if match is None or first is None or not is_mac(context) or "ymbol not found" not in log.text:
        return
    if "/System/" not in log.text and "/usr/lib/" not in log.text and "newer than running" not in log.text:
        return
    path, version = match["path"].strip(), match["version"]
    if not (package := _package_of(context, path)):
        return
    yield context.finding(
        "TL312",
        severity_of(fails=package in MEMBERS and MEMBERS[package].effect == "import"),
        f"{os.path.basename(path)} of {context.named(package)} was built for macOS {version}, and this macOS is "
        "older",
        package,
        expected_error=first.text,
        remedy=Remedy(f"Update macOS to {version} or later, or install an earlier release of {package}."),
        lacks=(first.symbol,) if first.symbol else (),
    )


@rule("TL312", on="log")
def later_function(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A library that uses a function of macOS which this macOS does not have, and does not say its release."""
    match, first = _OF_MACOS.search(log.text), log.first
    if match is None or first is None or not is_mac(context) or _LATER.search(log.text):
        return
    path = match["path"].strip()
    if not (package := _package_of(context, path)):
        return
    library = os.path.basename(match["library"])
    yield context.finding(
        "TL312",
        severity_of(fails=package in MEMBERS and MEMBERS[package].effect == "import"),
        f"{os.path.basename(path)} of {context.named(package)} uses {match['symbol'].removeprefix('_')}, which "
        f"{library} of this macOS does not have: this macOS is older than the one of that build",
        package,
        expected_error=first.text,
        remedy=Remedy(f"Update macOS, or install an earlier release of {package}."),
        strength=Strength.RAN,
        lacks=(match["symbol"],),
    )


@rule("TL312", on="log")
def later_format(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A library with a load command that the loader of this macOS does not know."""
    match, first = _COMMAND.search(log.text), log.first
    path = log.text[: match.start()].rpartition("\n")[2] if match is not None else ""
    name = ["", *_PACKAGE.findall(path)][-1]
    if match is None or first is None or name not in context.pins or not is_mac(context):
        return
    yield context.finding(
        "TL312",
        severity_of(fails=name in MEMBERS and MEMBERS[name].effect == "import"),
        f"{os.path.basename(path)} of {context.named(name)} is linked for a later macOS: the loader of "
        f"this one does not know its load command {match['command']}",
        name,
        because="a loader refuses a library if it does not know a load command that is marked as required",
        expected_error=first.text,
        remedy=Remedy(f"Update macOS, or install an earlier release of {name}."),
        sources=("dyld-load-commands",),
        lacks=(first.library,) if first.library else (),
    )


def _package_of(context: CheckContext, path: str) -> str:
    """The installed package of a file that a log names; "" if it is of none that is known here."""
    if (named := file_here(context, path)) is not None:
        return named.package
    name = _package(path)
    return name if name in context.pins or (name in MEMBERS and not has_stack(context)) else ""


def _package(path: str) -> str:
    found = _SITE.match(path)
    return found["package"] if found else ""
