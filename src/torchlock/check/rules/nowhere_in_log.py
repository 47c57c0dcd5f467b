"""What a log alone shows to be missing, and what no release explains.

A name of the stack that none of its releases has (TL701 to TL708), a package in a folder of its source (TL606).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.log_alone import has_stack
from torchlock.check.log_releases import releases_in
from torchlock.check.log_signatures import ECHO
from torchlock.check.rules.mixed_files_in_log import is_private
from torchlock.check.rules.names_in_log import REMOVED, named_caller
from torchlock.check.tracebacks import missing_names
from torchlock.finding import Remedy, Strength
from torchlock.knowledge.names import MEASURED, history, is_module
from torchlock.knowledge.other_names import project_of
from torchlock.knowledge.registry import rule
from torchlock.knowledge.stack import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.check.tracebacks import MissingName
    from torchlock.finding import Finding

_MEANT = re.compile(r"Did you mean: ['\"](?P<name>\w{1,80})['\"]")
_TOP = re.compile(r"[/\\](?:site|dist)-packages[/\\](\w{1,80})[/\\.]")
_FRAME = re.compile(r'File "(?P<path>[^"\n]{1,400}\.py)", line \d')


@rule("TL701", "TL702", "TL705", "TL708", on="unexplained")
def of_stack(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A name of a member of the stack that none of its known releases has."""
    missing = next((each for each in missing_names(log.text) if log.first and each.line == log.first.line), None)
    known = history(missing.name) if missing is not None and missing.package in MEASURED else None
    if missing is None or known is None or missing.caller is None or has_stack(context):
        return
    if known.having or _is_of_own(missing):
        return
    meant = _MEANT.search(missing.text)
    other = f"{missing.name.rpartition('.')[0]}.{meant['name']}" if meant is not None else ""
    instead = history(other) if other else None
    words = (
        f"Write {other}, which Python found there. Otherwise i" if instead is not None and instead.having else "I"
    )
    by = "TL701" if missing.by_import else "TL702"
    yield context.finding(
        by if missing.package == "torchaudio" else REMOVED.get(missing.package, "TL708"),
        "warning",
        f"{named_caller(context, missing)} uses {missing.name}, which no release of {missing.package} from "
        f"{known.lacking[0]} to {known.lacking[-1]} has",
        because="the tables of names show it; an earlier release, a nightly build or a changed copy may have it",
        expected_error=missing.text,
        sources=known.sources,
        remedy=Remedy(
            f"{words}nstall a later release of the code that uses it; code for {missing.package} before "
            f"{known.lacking[0]} needs the torch of that time, too."
        ),
        strength=Strength.RAN,
    )


@rule("TL702", "TL705", "TL708", on="unexplained")
def of_module(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A module that the stated release of its package has, and that its package does not import by itself."""
    missing = next((each for each in missing_names(log.text) if log.first and each.line == log.first.line), None)
    if missing is None or missing.by_import or not is_module(missing.name) or has_stack(context):
        return
    known, (version, _) = history(missing.name), releases_in(log).get(missing.package, ("", ""))
    if known is None or not version or known.has(version) is not True or _is_of_own(missing):
        return
    yield context.finding(
        "TL702" if missing.package == "torchaudio" else REMOVED.get(missing.package, "TL708"),
        "warning",
        f"{named_caller(context, missing)} uses the module {missing.name}, which {missing.package} {version} has, "
        "and which nothing imported",
        because="import of a package makes those of its modules known that it imports itself; the others need a "
        "statement of their own",
        expected_error=missing.text,
        sources=("python-import-system", *known.sources),
        remedy=Remedy(f"Write import {missing.name} before that line."),
        strength=Strength.RAN,
    )


@rule("TL701", "TL702", "TL704", "TL705", "TL708", on="unexplained")
def of_no_table(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A name that the stack in the log does not have, and that no table has: which release has it is not known."""
    first = log.first
    missing = next((each for each in missing_names(log.text) if first and each.line == first.line), None)
    if first is None or first.weight == ECHO or missing is None or has_stack(context):
        return
    is_users = bool(missing.file) and "-packages" not in missing.file
    if history(missing.name) is not None or missing.asker or missing.partly or is_users or is_private(missing):
        return
    top = _TOP.search(missing.caller.path) if missing.caller is not None else None
    code = top[1] if top is not None and top[1] != missing.package else "the code"
    told = releases_in(log).get(missing.package, ("", ""))[0]
    by = "TL701" if missing.by_import else "TL702"
    yield context.finding(
        by if missing.package == "torchaudio" else REMOVED.get(missing.package, "TL708"),
        "warning",
        f"{named_caller(context, missing)} uses {missing.name}, which the {missing.package}"
        f"{f' {told}' if told else ''} in the log does not have: it was written for another release",
        because="the log shows it; which releases have this name is not known",
        expected_error=missing.text,
        remedy=Remedy(
            f"Look which {missing.package} {code} requires (its requirements, python -m pip check), and install "
            f"that one with the releases that belong to it; or a release of {code} for this {missing.package}."
        ),
        strength=Strength.RAN,
    )


def _is_of_own(missing: MissingName) -> bool:
    """Whether the package itself asked for the name, or Python imported another file under its name."""
    is_users = bool(missing.file) and "-packages" not in missing.file
    return bool(missing.asker) or missing.partly or is_users or is_private(missing) or _is_private(missing)


def _is_private(missing: MissingName) -> bool:
    return any(each.startswith("_") for each in missing.name.split("."))


@rule("TL606", on="unexplained")
def of_source(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A package that Python imported from a folder of its source, without a part that the build makes."""
    first = log.first
    rows = (*missing_names(log.text), *missing_names(log.text, of_others=True))
    missing = next((each for each in rows if first is not None and each.line == first.line), None)
    if first is None or missing is None or not missing.by_import or "No module named" not in missing.text:
        return
    package = missing.package
    paths = _FRAME.findall("\n".join(log.text.split("\n")[max(0, first.line - 12) : first.line]))
    is_inside = paths and "-packages" not in paths[-1] and f"/{package}/" in paths[-1].replace("\\", "/")
    if not is_inside or not (package in STACK or project_of(package)) or has_stack(context):
        return
    yield context.finding(
        "TL606",
        "warning",
        f"Python imported {package} from a folder with its source, {paths[-1]}, which has no {missing.name}",
        because="a part that the build of a package writes is not in its source, and the folder in which Python "
        "starts is searched first",
        expected_error=first.text,
        sources=("python-import-system",),
        remedy=Remedy(
            f"Start Python elsewhere, and remove that folder from PYTHONPATH, so that the installed {package} "
            "is imported. Or build it there (python -m pip install --no-build-isolation ., beside setup.py)."
        ),
        strength=Strength.RAN,
    )
