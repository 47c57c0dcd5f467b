"""TL607 and TL610 to TL612 for a library that a log names: any package may link torch, or have a damaged file."""

from __future__ import annotations

import os
import posixpath
import re
from typing import TYPE_CHECKING

from torchlock.check.relevance import owners_of
from torchlock.check.rules.loading import unreadable
from torchlock.check.rules.third_party_extensions import judged
from torchlock.finding import Strength
from torchlock.inspect.loading.imports import Attempt
from torchlock.knowledge.registry import rule
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_PATH = re.compile(
    r"[/\\](?:site|dist)-packages[/\\]([\w.+-]{1,100}(?:[/\\][\w.+-]{1,100}){0,12}\.(?:so(?:\.\d{1,4}){0,4}|pyd|dll|dylib))(?![\w.])"
)


@rule("TL611", "TL610", "TL612", "TL607", on="log")
def named(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The library does not load with this torch, or is damaged; a note that says so becomes a warning."""
    first = log.first
    match = _PATH.search(first.text) if first is not None else None
    path = _place(context, match[1].replace("\\", "/")) if match is not None else ""
    if not path:
        return
    mine = [each for each in found if each.rule in ("TL610", "TL611", "TL612", "TL607")]
    said = context.root.name(path) if context.root is not None else path
    known = [each for each in mine if each.path == path or f"{said}: undefined symbol" in each.expected_error]
    for each in known:
        each.severity = "warning" if each.severity == "note" else each.severity
    if not known:
        yield from _loaded(context, path)


def _loaded(context: CheckContext, path: str) -> Iterator[Finding]:
    """Why a library that some package recorded does not load, if it was not examined before."""
    owner = next(iter(sorted(owners_of(context, {_inner(context, path)}))), "")
    if not owner or context.process is None or any(each.path == path for each in context.attempts):
        return
    attempt = Attempt(owner, path, "other", context.process.load(path))
    for finding in (*unreadable(context, owner, [attempt]), *judged(context, attempt)):
        finding.severity = "warning" if finding.severity == "note" else finding.severity
        yield finding


def _place(context: CheckContext, inner: str) -> str:
    """The file in a site folder of this environment; "" if it is not there."""
    parts = posixpath.normpath(inner).split(
        "/"
    )  # the libraries of a wheel are named by ``package/../package.libs``
    paths = (os.path.join(entry.path, *parts) for entry in context.environment.sites)
    return next((path for path in paths if ".." not in parts and files.is_file(path)), "")


def _inner(context: CheckContext, path: str) -> str:
    folder = next(entry.path for entry in context.environment.sites if path.startswith(entry.path + os.sep))
    return os.path.relpath(path, folder).replace(os.sep, "/")


_IMPORTED = re.compile(r"DLL load failed while importing (?P<module>\w{1,100})")


@rule("TL611", "TL610", on="log")
def imported(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A module that Windows names without its path: a note that says why it does not load becomes a warning."""
    first = log.first
    match = _IMPORTED.search(first.text) if first is not None else None
    if first is None or match is None:
        return
    notes = [each for each in found if each.rule in ("TL611", "TL610") and each.severity == "note"]
    mine = [each for each in notes if os.path.basename(each.path).partition(".")[0] == match["module"]]
    named = [each for each in mine if any(name in log.text.lower() for name, _ in each.packages[:1])]
    for each in named or (mine if len(mine) == 1 else []):
        each.severity, each.strength, each.expected_error = "warning", Strength.RAN, first.text
    if not mine and (path := _beside(context, log.frames[-1:], match["module"])):
        for each in _loaded(context, path):
            each.strength, each.expected_error = Strength.RAN, first.text
            yield each


def _beside(context: CheckContext, frames: Sequence[str], module: str) -> str:
    """The file of a compiled module in the folder of the code that imported it; "" if it is not there."""
    folders = (_place_of_folder(context, posixpath.dirname(frame)) for frame in frames)
    for folder in filter(None, folders):
        names = context.environment.tree.names(folder)
        mine = [name for name in names if name.partition(".")[0] == module and name.endswith((".pyd", ".so"))]
        if len(mine) == 1:
            return os.path.join(folder, mine[0])
    return ""


def _place_of_folder(context: CheckContext, inner: str) -> str:
    paths = (os.path.join(entry.path, *inner.split("/")) for entry in context.environment.sites if inner)
    return next((path for path in paths if ".." not in inner and files.is_folder(path)), "")
