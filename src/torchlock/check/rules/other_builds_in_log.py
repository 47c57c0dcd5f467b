"""TL606: the process of a log loaded another build of an installed package, from outside of the environment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.finding import Remedy, Strength
from torchlock.inspect.loading.names_of_torch import is_torchs_symbol
from torchlock.inspect.record import read_record
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import CORE, FAMILY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

# The whole path of a library in a message of the loader.
_PATH = re.compile(
    r"(?P<folder>(?:/|[A-Za-z]:\\)[^\s:'\"]{1,300}[/\\])(?P<file>[\w.+-]{1,100}\.(?:so|pyd|dylib))(?![\w.])"
)


@rule("TL606", on="unexplained")
def other_build(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A module from the folder of its source, instead of the installed one; torch lacks what it uses.

    The folder of a build is on the import path of the process.
    """
    first, there = log.first, _elsewhere(context, log)
    if first is None or there is None or any(each.rule == "TL606" and each.severity != "note" for each in found):
        return
    name, folder, file = there
    torch = context.named("torch")
    yield context.finding(
        "TL606",
        severity_of(fails=name in CORE),
        f"the process in the log loaded {file} from {folder}, instead of that of {context.named(name)}, which is "
        "installed here",
        name,
        "torch",
        because=f"the folder is on its import path; what was compiled there needs {first.symbol}, which the torch "
        "of the process does not have",
        expected_error=first.text,
        remedy=Remedy(
            f"Remove {folder} and the folder of its Python files from the import path (PYTHONPATH), so that the "
            f"installed {name} is imported; or compile that copy again, for {torch}."
        ),
        sources=("python-import-system",),
        strength=Strength.RAN,
    )


def is_file_of_installed(context: CheckContext, file: str) -> bool:
    """Whether an installed package has a file of this name."""
    return any(_has(context, each.name, file) for each in context.installed.distributions)


def is_of_other_build(context: CheckContext, log: Log) -> bool:
    """Whether the library that fails in a log is another copy of one that is installed here."""
    return _elsewhere(context, log) is not None


def _elsewhere(context: CheckContext, log: Log) -> tuple[str, str, str] | None:
    """A package whose library fails in a log outside of folders of packages, that folder, and its file."""
    first = log.first
    match = _PATH.search(first.text) if first is not None else None
    if first is None or match is None or "-packages" in match["folder"] or not is_torchs_symbol(first.symbol):
        return None
    copies = (context.copy(name) for name in FAMILY)
    if any(each is not None and each.kind == "editable" for each in copies):
        return None
    # Some packages use torch and do not require it in their metadata.
    all_names = sorted({each.name for each in context.installed.distributions} - {"torch"})
    names = [*(each.name for each in context.users_of_torch()), *sorted(FAMILY - {"torch"}), *all_names]
    owner = next((name for name in names if _has(context, name, match["file"])), "")
    return (owner, match["folder"].rstrip("/\\"), match["file"]) if owner else None


def _has(context: CheckContext, name: str, file: str) -> bool:
    """Whether the record of a distribution lists a file of this name."""
    distribution = context.installed.get(name)
    record = read_record(distribution) if distribution is not None else ""
    return not isinstance(record, str) and any(row.path.rpartition("/")[2] == file for row in record)
