"""TL609, TL601: an application that PyInstaller made lacks a module, or a file of a package, as a log shows.

Nothing can be installed beside it: the remedy is for the one who builds it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.log_alone import has_stack
from torchlock.check.log_signatures import ECHO
from torchlock.finding import Remedy, Strength
from torchlock.knowledge.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

# The loader of PyInstaller in a traceback, and what it says if a program ends.
_FROZEN = re.compile(r"pyimod\d\d_importers|[/\\]_MEI\w{4,20}[/\\]|Failed to execute script '")
_NO_MODULE = re.compile(r"No module named ['\"]?(?P<module>[A-Za-z_][\w.]{0,100})")
_NO_NAME = re.compile(
    r"module ['\"](?P<module>[A-Za-z_][\w.]{0,100})['\"] has no attribute ['\"](?P<name>\w{1,80})"
)
_NO_FILE = re.compile(
    r"No such file or directory: '(?P<file>(?![^'\n]{1,300}-packages)[^'\n]{1,200}[/\\]"
    r"(?:_MEI\w{4,20}|_internal)[/\\]{1,2}(?P<package>\w{1,60})[/\\][^'\n]{1,200})'"
)
_NO_STUB = re.compile(
    r"non-existent stub '[^'\n]{1,300}?(?P<package>\w{1,60})[/\\]{1,2}(?P<file>\w{1,40}\.py\w{0,2})'"
)


@rule("TL609", "TL601", on="log")
def frozen(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """What the builder of the application left out."""
    first = log.first
    if first is None or first.weight == ECHO or has_stack(context):
        return
    module, file = _NO_MODULE.search(first.text), _NO_FILE.search(first.text)
    if module is not None and _FROZEN.search(log.text):
        name, top = module["module"].rstrip("."), module["module"].partition(".")[0]
        how = f"--collect-all {top}" if "." in name else f"--hidden-import {name}"
        yield _finding(context, "TL609", f"the module {name}", how, first.text)
    elif (name_lost := _NO_NAME.search(first.text)) is not None and _FROZEN.search(log.text):
        top = name_lost["module"].partition(".")[0]
        what = f"{name_lost['name']} of {name_lost['module']}, or with another {top}"
        yield _finding(context, "TL609", what, f"--collect-submodules {top}", first.text)
    elif (stub := _NO_STUB.search(first.text)) is not None and _FROZEN.search(log.text):
        what = f"the stub file of {stub['package']} ({stub['file']}), which lazy_loader reads"
        how = f"--collect-data {stub['package']} and the newest lazy_loader"
        yield _finding(context, "TL601", what, how, first.text)
    elif file is not None:
        name = re.split(r"[/\\]+", file["file"])[-1]
        how = f"--collect-data {file['package']}"
        yield _finding(context, "TL601", f"the file {name} of {file['package']}", how, first.text)


def _finding(context: CheckContext, rule_id: str, what: str, how: str, line: str) -> Finding:
    return context.finding(
        rule_id,
        "warning",
        f"the application of the log was built by PyInstaller without {what}",
        because="PyInstaller takes what it sees in the code: modules that are imported by name, and files of "
        "packages, are not among it",
        expected_error=line,
        remedy=Remedy(
            f"Build the application again with {how}, in an environment where the program runs; without its "
            "source, use another release of it."
        ),
        sources=("pyinstaller-collect",),
        strength=Strength.RAN,
    )
