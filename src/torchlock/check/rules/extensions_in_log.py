"""TL610 and TL611 for an extension module that a log names: any package may link torch, declared or not."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.relevance import owners_of
from torchlock.check.rules.third_party_extensions import judged
from torchlock.inspect.loading.imports import Attempt
from torchlock.knowledge.registry import rule
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_PATH = re.compile(
    r"[/\\](?:site|dist)-packages[/\\]([\w.+-]{1,100}(?:[/\\][\w.+-]{1,100}){0,12}\.(?:so|pyd))(?![\w.])"
)


@rule("TL611", "TL610", "TL612", on="log")
def named(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The module does not load with this torch. If a note says so already, it becomes a warning."""
    first = log.first
    match = _PATH.search(first.text) if first is not None else None
    path = _place(context, match[1].replace("\\", "/")) if match is not None else ""
    if not path:
        return
    known = [each for each in found if each.rule in ("TL610", "TL611", "TL612") and each.path == path]
    for each in known:
        each.severity = "warning" if each.severity == "note" else each.severity
    owner = next(iter(sorted(owners_of(context, {_inner(context, path)}))), "")
    if known or not owner or context.process is None or any(each.path == path for each in context.attempts):
        return
    attempt = Attempt(owner, path, "other", context.process.load(path))
    for finding in judged(context, attempt):
        finding.severity = "warning"
        yield finding


def _place(context: CheckContext, inner: str) -> str:
    """The file in a site folder of this environment; "" if it is not there."""
    paths = (os.path.join(entry.path, *inner.split("/")) for entry in context.environment.sites)
    return next((path for path in paths if ".." not in inner.split("/") and files.is_file(path)), "")


def _inner(context: CheckContext, path: str) -> str:
    folder = next(entry.path for entry in context.environment.sites if path.startswith(entry.path + os.sep))
    return os.path.relpath(path, folder).replace(os.sep, "/")
