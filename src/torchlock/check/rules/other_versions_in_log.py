"""TL613: the process of a log loaded a library without a version that another library needs of it.

The versions of the C and C++ libraries have a rule of their own (TL612).
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.packaged_libraries import in_folders_of, recorded
from torchlock.check.relevance import owner_of_file
from torchlock.finding import Remedy, Strength
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import CORE
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_OTHER = re.compile(
    r"(?P<provider>[\w./+-]{1,300}\.so[\w.]{0,20}): version [^A-Za-z\s]?"
    r"(?P<version>(?!GLIBC|CXXABI)[A-Za-z][\w.]{1,60})"
    r".{0,3} not found \(required by (?P<user>[^)\s]{1,300})\)"
)
_SYSTEM = re.compile(r"/(?:usr/)?lib(?:64)?/")
_SETVARS = re.compile(r"/oneapi/|/intel/")


@rule("TL613", on="log")
def without_version(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The library that was loaded, and the one that is installed here under its name."""
    first = log.first
    match = _OTHER.search(first.text) if first is not None else None
    if first is None or match is None or any(each.rule == "TL613" and each.severity != "note" for each in found):
        return
    name, user = os.path.basename(match["provider"]), os.path.basename(match["user"])
    package, path = _here(context, name)
    owner = _owner(context, match["user"])
    is_own = bool(path) and _is_same(context, match["provider"], path)
    own = "" if is_own else f"; that of {package} is here" if package else f"; {path} is here" if path else ""
    yield context.finding(
        "TL613",
        severity_of(fails=owner in CORE),
        f"{user}{f' of {context.named(owner)}' if owner else ''} needs {match['version']} of {name}, and "
        f"{match['provider']}, which the process in the log loaded, does not have it{own}",
        *filter(None, [owner]),
        path=match["user"],
        because="the loader takes the first library of that name: a folder in LD_LIBRARY_PATH, or one that a "
        "library names, comes before the others",
        expected_error=first.text,
        remedy=_later(name, user, package) if is_own else _remedy(match["provider"], name, package, path),
        sources=("ld-so-manual",),
        lacks=(match["version"],),
        strength=Strength.RAN,
    )


def _here(context: CheckContext, library: str) -> tuple[str, str]:
    """The package that has a library of this name here, and its path; "" for none."""
    package, path = recorded(context, library)
    if package and files.is_file(path):
        return package, path
    return "", in_folders_of(context, library)


def _is_same(context: CheckContext, provider: str, path: str) -> bool:
    """Whether the library in the log is the one that is here: torch leads from its folder to those above it."""
    inner = provider.rpartition("-packages/")[2] if "-packages/" in provider else ""
    places = (
        [os.path.normpath(os.path.join(entry.path, inner)) for entry in context.environment.sites] if inner else []
    )
    return os.path.realpath(path) in [os.path.realpath(each) for each in (*places, os.path.normpath(provider))]


def _later(name: str, user: str, package: str) -> Remedy:
    """The environment has the library itself, in a release that is too old for what another place has."""
    return Remedy(
        f"Install a later {package or f'release of what contains {name}'} in this environment. Or "
        f"install {user} there, too, so that it is not taken from the system."
    )


def _owner(context: CheckContext, path: str) -> str:
    """The package of the library that needs the version: by its folder, or because torch asks for it."""
    inner = path.rpartition("-packages/")[2].partition("/")[0] if "-packages/" in path else ""
    if inner and context.installed.get(inner) is not None:
        return inner
    return owner_of_file(context, path)


def _remedy(provider: str, name: str, package: str, path: str) -> Remedy:
    folder = os.path.dirname(provider)
    if package or path:
        script = " (do not source setvars.sh of oneAPI before)" if _SETVARS.search(provider) else ""
        return Remedy(
            f"Start Python without {folder} in LD_LIBRARY_PATH{script}, so that the loader finds the {name} that "
            "is installed here."
        )
    if _SYSTEM.match(provider):
        return Remedy(
            f"Install a later release of what has {name}, or put the folder of a later copy into LD_LIBRARY_PATH."
        )
    return Remedy(
        f"Install a later release of what has {provider}, or start Python without {folder} in LD_LIBRARY_PATH."
    )
