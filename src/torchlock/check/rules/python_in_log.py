"""TL610 for Python itself, by a log: a module that it was built without, or its shared library."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.python_library import WHY_PYTHON
from torchlock.check.relevance import owners_by_depth
from torchlock.check.rules.loading import found_missing
from torchlock.finding import Command, Remedy, Strength
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.loading.imports import extension_of_python
from torchlock.inspect.loading.outcome import MissingLibrary
from torchlock.inspect.tree_python import base_of
from torchlock.knowledge.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding
    from torchlock.inspect.loading.imports import Attempt

# The library behind each module of Python that a build omits without its headers, Debian's package of these, and
# the formula of Homebrew.
_HEADERS = {
    "_bz2": ("bzip2", "libbz2-dev", "bzip2"),
    "_ctypes": ("libffi", "libffi-dev", "libffi"),
    "_lzma": ("liblzma", "liblzma-dev", "xz"),
    "_sqlite3": ("SQLite", "libsqlite3-dev", "sqlite"),
    "_ssl": ("OpenSSL", "libssl-dev", "openssl@3"),
}
_LACKED = re.compile(rf"No module named .?(?P<name>{'|'.join(_HEADERS)})\b")
# A module of the standard library, and the library of a formula that it was linked with.
_UNLOADED = re.compile(
    r"dlopen\([^\n()]{1,300}/lib-dynload/(?P<module>_?\w{1,40})\.[^\n()]{1,60}\): Library not loaded: ['\"]?"
    r"(?P<library>(?:/opt/homebrew|/usr/local)/opt/(?P<formula>[\w.@+-]{1,60})/lib/[\w.+-]{1,80}\.dylib)"
)
_OF_PYENV = re.compile(r"[/\\]\.pyenv[/\\]versions[/\\](?P<version>3[\w.]{1,20})[/\\]lib[/\\]python3")


@rule("TL610", on="log")
def unbuilt_modules(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A module that the Python in the log was built without."""
    match = _LACKED.search(log.first.text) if log.first is not None else None
    if match is None or log.first is None:
        return
    name = match["name"]
    if _has_extension(context, name) or any(name in (each.expected_error or "") for each in found):
        return
    taker = _taker(context, log, name)
    if not taker:
        return
    library = _HEADERS[name][0]
    yield context.finding(
        "TL610",
        "error",
        f"this Python was built without its module {name}, which {taker} imports",
        taker,
        because=f"a build of Python omits the module if it does not find the headers of {library}",
        expected_error=log.first.text,
        remedy=_built_again(context, log, name),
        sources=("python-devguide",),
        strength=Strength.RAN,
        lacks=(name,),
    )


def _built_again(context: CheckContext, log: Log, name: str) -> Remedy:
    """The headers that a build of this Python needs, and the build."""
    library, package, formula = _HEADERS[name]
    if context.environment.conda:
        return Remedy(f"Reinstall Python and {library} in this environment of conda.")
    found = _OF_PYENV.search(log.text)
    pyenv = f"pyenv install --force {found['version']}" if found else ""
    again = f"build this Python again{f' ({pyenv})' if pyenv else ''}"
    if context.operating_system == "macos":
        line = f"brew install {formula} && {pyenv}"
        commands = (Command("system", line),) if pyenv else ()
        return Remedy(f"Install {formula} of Homebrew, and {again}.", commands=commands)
    return Remedy(f"Install the headers of {library} (Debian and Ubuntu: {package}), and {again}.")


@rule("TL610", on="log")
def module_without_library(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A module of Python itself whose library Homebrew removed or replaced after this Python was built."""
    match = _UNLOADED.search(log.first.text) if log.first is not None else None
    if match is None or log.first is None or context.operating_system != "macos":
        return
    taker = _taker(context, log, match["module"]) or next(iter(context.pins), "")
    if not taker or any(match["module"] in part for each in found for part in (each.message,)):
        return
    formula = match["formula"]
    pyenv = _OF_PYENV.search(log.text)
    again = f"pyenv install --force {pyenv['version']}" if pyenv else ""
    line = f"brew install {formula}"
    if "@" in formula:  # Homebrew does not keep each earlier release.
        summary = f"Build this Python again with the {formula.partition('@')[0]} that is there now"
        line = again
    else:
        summary = f"Install {formula} of Homebrew, or build this Python again"
    yield context.finding(
        "TL610",
        "error",
        f"the module {match['module']} of this Python needs {match['library']}, which dyld did not find",
        taker,
        because="this Python was compiled with a library of Homebrew, which that release no longer has",
        expected_error=log.first.text,
        remedy=Remedy(
            f"{summary}{f' ({again})' if again else ''}.", commands=(Command("system", line),) if line else ()
        ),
        sources=("python-devguide",),
        strength=Strength.RAN,
        lacks=(os.path.basename(match["library"]),),
    )


def _has_extension(context: CheckContext, name: str) -> bool:
    """Whether the Python that is examined has the module: then the log is of another Python."""
    python = context.environment.interpreter
    if python.builtin:
        return name in python.builtin or extension_of_python(context.environment, name) is not None
    minor = ".".join(python.version.split(".")[:2])
    prefix = base_of(python, context.environment.tree, context.root) or python.prefix
    there = context.environment.tree.names(os.path.join(prefix, "lib", f"python{minor}", "lib-dynload"))
    return any(each.startswith(f"{name}.") for each in there)


def _taker(context: CheckContext, log: Log, name: str) -> str:
    """The installed package whose import needs the module, by the traceback; else the one that is known to."""
    owners = owners_by_depth(context, log.frames)
    named = [path.partition("/")[0] for path in log.frames[::-1]]
    known = {"_ctypes": ["torch"], "_lzma": ["torchvision", "torch"], "_bz2": ["torchvision", "torch"]}.get(
        name, []
    )
    return next((each for each in (*named, *owners, *known) if context.installed.get(each) is not None), "")


@rule("TL610", on="log")
def python_library(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The shared library of Python, which the loader in the log did not find."""
    name = log.first.library if log.first is not None else ""
    if not name.startswith("libpython") or any(name in each.lacks for each in found) or context.live:
        return
    if context.root is not None and context.root.search(name) is not None:
        return
    lost = next((each for attempt in context.attempts for each in _needing(attempt, name)), None)
    if lost is not None:
        finding = found_missing(context, *lost, f"{WHY_PYTHON}; the log shows that it was not found")
        finding.strength = Strength.RAN
        yield finding


def _needing(attempt: Attempt, name: str) -> Iterator[tuple[Attempt, MissingLibrary]]:
    """The library that needs it: one that was not followed further, or the one that is opened."""
    yield from (
        (attempt, MissingLibrary(name, each.wanted_by)) for each in attempt.outcome.unseen if each.name == name
    )
    binary = read_binary(attempt.path, "")
    if isinstance(binary, Binary) and any(each.name == name for each in binary.needed):
        yield attempt, MissingLibrary(name, attempt.path)
