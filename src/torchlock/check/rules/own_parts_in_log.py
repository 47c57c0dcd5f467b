"""What a log alone shows of packages that do not fit: to themselves (TL601), to torch (TL101 to TL104).

It is asked if no finding explains the line, and nothing of the stack is installed here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.check.log_alone import has_stack
from torchlock.check.log_releases import releases_in
from torchlock.check.log_signatures import ECHO
from torchlock.check.rules.names_in_log import who_calls
from torchlock.check.stated_pairs import stated_hint
from torchlock.check.tracebacks import missing_names
from torchlock.finding import Command, Remedy, Strength
from torchlock.knowledge.names import history, is_loaded, is_module
from torchlock.knowledge.other_names import project_of
from torchlock.knowledge.registry import group, rule
from torchlock.knowledge.stack import FAMILY, STACK
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.check.tracebacks import MissingName
    from torchlock.finding import Finding

_PAIRS = {"torchaudio": "TL101", "torchcodec": "TL102", "torchvision": "TL103", "torchtext": "TL104"}
# They import what a file names, which another release may have written.
_READERS = ("torch/serialization.py",)
_OF_PACKAGE = re.compile(r"[/\\](?:site|dist)-packages[/\\](?P<package>\w{1,60})[/\\]")


@rule("TL601", on="unexplained")
def own_part(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A package that does not find a part of itself, which no release can have left out."""
    missing = _first(context, log)
    if missing is None or not missing.asker or missing.partly or not missing.by_import:
        return
    if missing.asker in _READERS:
        return
    package = missing.package
    project = package if package in STACK else project_of(package)
    is_compiled = missing.name.rpartition(".")[2].startswith("_")  # Nobody else has such a part.
    if not project and not is_compiled:
        return
    project = project or normalise(package)
    line = f"python -m pip install --force-reinstall --no-deps --no-cache-dir {project}"
    yield context.finding(
        "TL601",
        "warning",
        f"{package} does not find a part of itself: {missing.asker} imports {missing.name}",
        because="its installation is incomplete, has files of two releases, or was made for another Python",
        expected_error=missing.text,
        remedy=Remedy(
            f"Install {project} again with the Python that runs the code, in the release that the other packages "
            "need.",
            commands=() if package in FAMILY or not project_of(package) else (Command("pip", line),),
        ),
        strength=Strength.RAN,
        lacks=(missing.name,),
    )


@rule("TL101", "TL102", "TL103", "TL104", on="unexplained")
def other_torch(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A companion whose own code takes a name from torch that this torch does not have."""
    missing = _first(context, log)
    companion = companion_asking(missing) if missing is not None and not missing.partly else ""
    if missing is None or missing.caller is None or not companion:
        return
    known = history(missing.name)
    is_new = known is not None and known.lacking and known.having and _is_before(known.lacking[0], known.having[0])
    since = f"; torch {known.having[0]} is the first one with it" if known is not None and is_new else ""
    yield context.finding(
        _PAIRS[companion],
        "warning",
        f"the {companion} in the log was built for another torch: its own code uses {missing.name}, which the "
        f"torch in the log does not have{since}",
        because=f"the line is: {missing.caller.code}" if missing.caller.code else "the traceback shows it",
        expected_error=missing.text,
        remedy=Remedy(
            f"Compare the two releases (python -m pip list) with those that belong together (torchlock lock torch "
            f"{companion}), and install the {companion} for that torch, or the torch for that {companion}."
            f"{stated_hint(log, companion)}"
        ),
        sources=known.sources if known is not None else (),
        strength=Strength.RAN,
    )


def _is_before(release: str, other: str) -> bool:
    return Version(release) < Version(other)


def companion_asking(missing: MissingName) -> str:
    """The companion of torch whose own code asked torch for a name; "" if it was other code."""
    match = _OF_PACKAGE.search(missing.caller.path) if missing.caller is not None else None
    is_companion = match is not None and missing.package == "torch" and match["package"] in _PAIRS
    return match["package"] if match is not None and is_companion else ""


@rule("TL606", on="log")
def two_places(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """torch and torchaudio from two environments, in a log in which a library of them does not load."""
    first = log.first
    if first is None or has_stack(context) or not log.split or not set(first.rules) & set(_loading()):
        return
    places = dict(log.prefixes)
    is_users = "/.local/" in f"{places['torch']}/" or "AppData\\Roaming\\Python" in places["torch"]
    user = " Or start Python with PYTHONNOUSERSITE=1, or uninstall torch from that folder of the user."
    yield context.finding(
        "TL606",
        "warning",
        f"the process in the log mixes two environments: torch is from {places['torch']}, and torchaudio from "
        f"{places['torchaudio']}",
        because="a torchaudio loads only with the torch that it was built for",
        expected_error=first.text,
        remedy=Remedy(
            "Install both in one environment, and start Python without the other (look at PYTHONPATH)."
            + (user if is_users else "")
        ),
        strength=Strength.RAN,
    )


@rule("TL606", "TL707", on="unexplained")
def never_missing(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A name of the stack that all releases have: it was not imported, or Python imported something else."""
    missing = _first(context, log)
    known = history(missing.name) if missing is not None and not missing.by_import else None
    if missing is None or known is None or known.lacking or missing.partly:
        return
    if missing.file and "-packages" not in missing.file:
        return  # The error names the file that has the name of the package.
    package, first = missing.package, known.having[0]
    is_unsure = is_module(missing.name) and not is_loaded(missing.name)
    told = releases_in(log).get(package, ("", ""))[0]
    look = (
        f"Run print({package}.__file__) to see where it is, and rename a file or folder of yours with this name."
    )
    if is_unsure:
        because, fix = (
            "the module was not imported, or something else has this name",
            f"Add `import {missing.name}`. ",
        )
    elif told and Version(told) < Version(first):
        because, look = f"the {package} in the log is {told}, which is older", ""
        fix = f"Install {package} {first} or later with {_partner(package)}."
    else:
        what = f"import {package} imports this module itself" if is_loaded(missing.name) else "they all define it"
        because = (
            f"{what}: so this is an older {package}, something else with this name, or an installation that is "
            "incomplete or does not fit to its torch"
        )
        look = f"{look} Else install {package} {first} or later again, with {_partner(package)}."
        fix = ""
    yield context.finding(
        "TL707" if is_unsure else "TL606",
        "warning",
        f"{who_calls(context, missing.caller, '')} does not find {missing.name}, which all releases of {package} "
        f"from {first} on have",
        because=because,
        expected_error=missing.text,
        remedy=Remedy(f"{fix}{look}".strip()),
        sources=known.sources,
        strength=Strength.RAN,
    )


def _partner(package: str) -> str:
    if package == "torch":
        return "the companions that belong to it (torchlock lock torch torchaudio)"
    return f"the torch that belongs to it (torchlock lock torch {package})"


def _loading() -> frozenset[str]:
    return frozenset(group("loading", "builds", "versions"))


def _first(context: CheckContext, log: Log) -> MissingName | None:
    """The missing name of the first failure, of the stack or of another package, with nothing installed here."""
    first = log.first
    if first is None or first.weight == ECHO or has_stack(context):
        return None
    rows = (*missing_names(log.text), *missing_names(log.text, of_others=True))
    return next((each for each in rows if each.line == first.line), None)
