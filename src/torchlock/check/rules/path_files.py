"""TL622: a path configuration file (``.pth``) that Python cannot decode, so that it ends at its start."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.check.fix.deletion import file_deletion
from torchlock.finding import Remedy, Strength
from torchlock.inspect.pth import passes_over_hidden
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.patterns import pattern
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_LARGEST = 1 << 20
_OF_SITE = pattern(r"Failed to import the site module")
_NOT_DECODED = pattern(r"UnicodeDecodeError: .{1,40} codec can't decode byte 0x[0-9a-f]{2} in position \d{1,7}.*")
_OF_MACOS = (
    "macOS writes such files beside others on volumes that keep no attributes (exFAT, network shares, archives)"
)


@rule("TL622")
def undecodable(context: CheckContext) -> Iterator[Finding]:
    """The files that a Python whose text is UTF-8 cannot decode. The code page of a Windows is not known."""
    if context.operating_system not in ("linux", "macos"):
        return
    for path, error in _undecodable(context):
        skips = _passes_over(context, path)
        if skips is not True:
            yield _found(context, path, f"UnicodeDecodeError: {error}", fails=skips is False)
            return


@rule("TL622", on="log")
def named_by_log(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A Python of a log that ended while it read such a file: the one that is here is it, on Windows too."""
    said = _NOT_DECODED.search(log.text) if _OF_SITE.search(log.text) and "addpackage" in log.text else None
    if said is None:
        return
    known = next((each for each in found if each.rule == "TL622"), None)
    path = known.path if known is not None else next((path for path, _ in _undecodable(context)), "")
    if known is not None:
        known.severity, known.expected_error, known.strength = severity_of(fails=True), said[0], Strength.RAN
    elif path and _passes_over(context, path) is not True:
        finding = _found(context, path, said[0], fails=True)
        finding.strength = Strength.RAN
        yield finding


def _undecodable(context: CheckContext) -> Iterator[tuple[str, str]]:
    """The ``.pth`` files of the folders of packages that are not UTF-8, with the words of Python."""
    tree = context.environment.tree
    for entry in context.environment.path:
        if not entry.is_site:
            continue
        names = tree.names(entry.path)
        for name in sorted(name for name in names if name.endswith(".pth") and names[name] == "file"):
            path = os.path.join(entry.path, name)
            try:
                files.read(path, _LARGEST).decode("utf-8")
            except UnicodeDecodeError as error:
                yield path, str(error)
            except OSError:
                continue


def _passes_over(context: CheckContext, path: str) -> bool | None:
    """Whether this Python passes over the file, as its name begins with a dot; None if its release is unknown."""
    if not os.path.basename(path).startswith("."):
        return False
    return passes_over_hidden(context.environment.interpreter.version)


def _found(context: CheckContext, path: str, error: str, *, fails: bool) -> Finding:
    name, folder = os.path.basename(path), os.path.basename(os.path.dirname(path))
    is_hidden = name.startswith("._")
    if is_hidden and not fails:
        ends = "a Python before 3.8.19, 3.9.19, 3.10.14, 3.11.8 or 3.12.2 ends when it reads it at its start"
    else:
        ends = "Python ends when it reads it at its start"
    words = f"Delete {name}"
    if is_hidden:
        words += (
            " and the other files whose names begin with ._, which nothing needs (on a Mac: dot_clean -m FOLDER). "
            "macOS writes them again on such a volume: keep the environment on a volume of its own format, or use "
            "a Python that passes over them: 3.8.19, 3.9.19, 3.10.14, 3.11.8, 3.12.2 or later"
        )
    else:
        words += ", or write it again in UTF-8; the package that wrote it does so when it is installed again"
    return context.finding(
        "TL622",
        severity_of(fails=fails, partly=not fails),
        f"{name} in {folder} is not text: {ends}",
        path=path,
        because=_OF_MACOS if is_hidden else None,
        expected_error=error,
        remedy=Remedy(f"{words}.", commands=file_deletion(context, path) if is_hidden else ()),
    )
