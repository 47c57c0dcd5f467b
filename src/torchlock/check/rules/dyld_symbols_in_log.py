"""TL611 by a log of a Mac: a symbol that is neither of torch nor of macOS, and who should have it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.conda_files import owner_in_conda, update
from torchlock.check.fix.linked_again import linked_again
from torchlock.check.log_files import files_of_line, is_explained
from torchlock.check.symbol_origins import meaning_of_undefined
from torchlock.finding import Remedy, Strength
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.binaries.cxx_names import described
from torchlock.inspect.loading.names_of_torch import is_torchs_symbol
from torchlock.inspect.machine import suffix_of
from torchlock.inspect.tree_python import settings_of
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.runtime.files import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log, Signature
    from torchlock.check.log_files import NamedFile
    from torchlock.finding import Finding

_PAIR = re.compile(
    r"Referenced from: {0,8}(?:<[\w-]{1,40}> )?['\"]?(?P<user>/[^\n'\"(]{1,400}?)['\"]?\s*\n"
    r"[^\n]{0,20}Expected in: {0,8}(?:<[\w-]{1,40}> )?['\"]?(?P<provider>/[^\n'\"(]{1,400})"
)
_FLAT = re.compile(r"flat namespace")
_OF_PYTHON = re.compile(r"_{1,2}Py[A-Z_]\w{1,100}")
# How a version names an alpha, a beta or a candidate: 3.11.0a6, 3.11.0.alpha.6, 3.13.0rc1.
_PRERELEASE = re.compile(r"3\.\d{1,2}\.\d{1,2}(?:(?:a|b|rc)\d{1,2}|\.(?:alpha|beta|candidate)\.\d{1,2})\b")


@rule("TL611", on="log")
def earlier_python(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A function of Python that a module for this very Python uses and the running one does not have."""
    first = _of_mac(context, log, found)
    if first is None or not _OF_PYTHON.fullmatch(first.symbol):
        return
    minor = context.python_minor
    named = next(files_of_line(context, log), None)
    suffix = suffix_of(named.name) if named is not None else None
    if named is None or suffix is None or not minor or suffix.python != minor:
        return
    shown = _prerelease(context)
    what = (
        f"which is {shown}, a prerelease,"
        if shown
        else f"which is a prerelease of Python {minor} or another program,"
    )
    yield context.finding(
        "TL611",
        named.severity,
        f"{named.name} of {context.named(named.package)} uses {first.symbol.removeprefix('_')} of Python {minor}, "
        f"and the Python in the log, {what} does not have it",
        named.package,
        path=named.path,
        because="wheels are built for the final releases of Python; alphas and betas lack some of their functions",
        expected_error=first.text,
        remedy=Remedy(f"Create the environment again with a final release of Python {minor}."),
        sources=("pytorch-102267",),
        strength=Strength.RAN,
        lacks=(first.symbol,),
    )


def _prerelease(context: CheckContext) -> str:
    """The version of this Python, if its own files say that it is a prerelease; else ""."""
    python = context.environment.interpreter
    settings = settings_of(python.prefix, context.environment.tree) if python.prefix else {}
    texts = (python.version, settings.get("version", ""), settings.get("version_info", ""), python.base_prefix)
    return next((match[0] for each in texts if (match := _PRERELEASE.search(each))), "")


@rule("TL611", on="log")
def unlinked(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """An extension module that was compiled on this Mac, and not linked with the library of its functions."""
    first = _of_mac(context, log, found)
    if first is None or not _FLAT.search(log.text) or is_torchs_symbol(first.symbol):
        return
    named = next((each for each in files_of_line(context, log) if _uses(each, first.symbol)), None)
    if named is None or _OF_PYTHON.fullmatch(first.symbol):
        return
    meaning = meaning_of_undefined(first.symbol)
    what = meaning.what if meaning is not None else described(first.symbol)
    yield context.finding(
        "TL611",
        named.severity,
        f"{named.name} of {context.named(named.package)} uses {what}, and no library that the process had loaded "
        "defines it",
        named.package,
        path=named.path,
        because=meaning.because
        if meaning is not None
        else "it was linked without the library that has it, as "
        "modules are that were compiled on this machine while that library was not there",
        expected_error=first.text,
        remedy=linked_again(context, named.package, meaning.look if meaning is not None else ""),
        sources=("dyld-manual",),
        strength=Strength.RAN,
        lacks=(first.symbol,),
    )


@rule("TL611", on="log")
def conda_pair(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """Two libraries that conda installed, of builds that do not belong together."""
    first, match = _of_mac(context, log, found), _PAIR.search(log.text)
    if first is None or match is None or not context.environment.conda:
        return
    user = owner_in_conda(context, match["user"].strip())
    provider = owner_in_conda(context, match["provider"].strip())
    if user is None or provider is None or user == provider:
        return
    opened = next(files_of_line(context, log), None)
    about = opened.package if opened is not None else "torch"
    yield context.finding(
        "TL611",
        opened.severity if opened is not None else severity_of(fails=False),
        f"{os.path.basename(match['user'].strip())} of {user.name} {user.version} uses {described(first.symbol)}, "
        f"which {os.path.basename(match['provider'].strip())} of {provider.name} {provider.version} does not have",
        about,
        because="conda installed both, in builds that were not built for each other",
        expected_error=first.text,
        remedy=update(context, provider.name, user.name),
        sources=("pytorch-cpu-feedstock-311",),
        strength=Strength.RAN,
        lacks=(first.symbol,),
    )


def _of_mac(context: CheckContext, log: Log, found: Sequence[Finding]) -> Signature | None:
    """The first failure of a log of a Mac that is about a symbol and that nothing else explains."""
    first = log.first
    if first is None or not first.symbol or context.operating_system != "macos" or is_explained(first, found):
        return None
    return first


def _uses(file: NamedFile, symbol: str) -> bool:
    """Whether a library asks for a symbol without naming the library that has it."""
    binary = read_binary(file.path)
    symbols = binary.symbols if isinstance(binary, Binary) else binary
    used = symbols.undefined if not isinstance(symbols, Unreadable) else symbols
    if isinstance(used, Unreadable):
        return False
    return any(each.name == symbol and not each.library for each in used)
