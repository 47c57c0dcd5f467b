"""TL604 for editable installations: the checkout is gone, or the file that names it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from torchlock.check.relevance import is_vital
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import FAMILY
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.distributions import Distribution


@rule("TL604")
def without_source(context: CheckContext) -> Iterator[Finding]:
    """A warning for an image, into which a volume may bring the checkout when it runs."""
    if not _is_known(context):
        return
    mapped = {item.module for item in context.environment.editables}
    for distribution in context.installed.distributions:
        name, source = distribution.name, distribution.source
        is_editable = name in mapped or (source is not None and source.editable)
        if name in FAMILY and is_editable and context.copy(name) is None:
            yield _found(context, distribution)


def _is_known(context: CheckContext) -> bool:
    """Whether all folders of the path, and those that editable installations name, can be looked at."""
    environment = context.environment
    has_archives = any(entry.state == "file" and entry.kind != "stdlib" for entry in environment.path)
    is_whole = context.root is not None and not context.root.is_partial
    return (context.live or is_whole) and not has_archives and not any(environment.unreadable)


def _found(context: CheckContext, distribution: Distribution) -> Finding:
    name, folder = distribution.name, _folder(distribution)
    real = context.root.real(folder) if folder and context.root is not None else folder
    if folder and files.is_folder(real):
        state = f"nothing adds its folder {folder} to the import path"
        because = "the .pth file or the module that names the folder is gone; a new installation writes both"
    else:
        state = f"its folder {folder} does not exist".replace("  ", " ")
        because = "the checkout was moved or deleted; an editable installation has its files there only"
        because += "" if context.live else ", unless a volume brings them"
    return context.finding(
        "TL604",
        severity_of(fails=is_vital(name) and context.live),
        f"{name} {distribution.version} is installed in editable mode, and {state}",
        name,
        path=distribution.path,
        because=because,
        expected_error=f"ModuleNotFoundError: No module named '{name}'",
    )


def _folder(distribution: Distribution) -> str:
    """The checkout, by the record; "" if it does not name it."""
    parts = urlsplit(distribution.source.url) if distribution.source is not None else None
    return unquote(parts.path) if parts is not None and parts.scheme == "file" else ""
