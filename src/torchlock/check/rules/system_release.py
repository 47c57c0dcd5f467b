"""TL612 on macOS: libraries that were built for a later macOS than the machine has."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.library import is_library
from torchlock.inspect.loading.root import Root
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.patterns import pattern
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding

_PLIST = "/System/Library/CoreServices/SystemVersion.plist"
_PRODUCT = pattern(r"<key>ProductVersion</key>\s{0,20}<string>(\d{1,2}(?:\.\d{1,2}){0,2})</string>")
_LARGEST = 1 << 16
# Every macOS from 11 on says this to a program that was linked for an earlier one.
_OF_COMPATIBILITY = (10, 16)
_MOST = 200


@rule("TL612")
def for_later_macos(context: CheckContext) -> Iterator[Finding]:
    """A note for each package: dyld loads such a library if it uses only what this macOS has."""
    mine = macos_of(context) if context.operating_system == "macos" else None
    told: set[str] = set()
    for package, path in _libraries(context) if mine is not None else ():
        binary = read_binary(path, context.target.platform.machine if context.target is not None else "")
        least = binary.least_macos if isinstance(binary, Binary) else None
        if package in told or least is None or mine is None or least <= mine:
            continue
        told.add(package)
        made_for, here = (".".join(map(str, each)) for each in (least, mine))
        library = f"{os.path.basename(path)} of {context.named(package)}"
        yield context.finding(
            "TL612",
            severity_of(fails=False, partly=False),
            f"{library} was built for macOS {made_for} or later, and this machine has macOS {here}; "
            "whether it loads is unknown",
            package,
            path=path,
            because="dyld loads it only if it uses nothing that this macOS does not have",
        )


def _libraries(context: CheckContext) -> Iterator[tuple[str, str]]:
    """The libraries that imports of the stack open, and all in the folder of torch."""
    copy = context.copy("torch")
    folder = os.path.join(copy.path, "lib") if copy is not None else ""
    names = sorted(filter(is_library, context.environment.tree.names(folder))) if folder else []
    yield from (("torch", os.path.join(folder, name)) for name in names[:_MOST])
    yield from ((each.package, each.path) for each in context.attempts if each.role != "optional")


def macos_of(context: CheckContext) -> tuple[int, int] | None:
    """The release of macOS that runs there, as its Python or the files of the machine say it."""
    text = context.environment.interpreter.macos if context.live else _of_files(context)
    numbers = re.match(r"(\d{1,2})(?:\.(\d{1,2}))?", text)
    found = (int(numbers[1]), int(numbers[2] or 0)) if numbers is not None else None
    return None if found == _OF_COMPATIBILITY else found


def _of_files(context: CheckContext) -> str:
    if context.search_path is None:
        return ""
    plist = files.text(Root(context.search_path.root).real(_PLIST), _LARGEST) or ""
    product = _PRODUCT.search(plist)
    return product[1] if product is not None else ""
