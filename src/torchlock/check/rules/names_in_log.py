"""Names of the stack that a log shows to be missing, each looked up in what is installed and in the tables.

The caller is often outside of site-packages, where ``check`` does not search: own code, a clone, a notebook.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.importers import only_importer
from torchlock.check.lacking_names import Lookup, looked_up, owner_of, shadowing_file
from torchlock.check.log_signatures import ECHO
from torchlock.check.rules.mixed_files_in_log import is_mixed
from torchlock.check.rules.versions import path_of
from torchlock.check.tracebacks import last_caller, missing_names
from torchlock.finding import Remedy, Strength
from torchlock.knowledge.names import history, refused_calls
from torchlock.knowledge.registry import group, rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import CORE, STACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.check.tracebacks import Frame, MissingName
    from torchlock.finding import Finding

# The rules about names that a release no longer has, by package; those of torchaudio by how it is used.
REMOVED = {"torch": "TL704", "torchvision": "TL705"}
# The rules that explain why a member of the stack does not find a name of another one.
_PAIRS = group("versions", "builds", "loading", "damage", "absence")
_MOST = 5


@rule("TL704", "TL701", "TL702", "TL705", "TL706", "TL707", "TL708", on="log")
def lacking(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The names that the installed files do not define, with the release that does.

    Left out are names that the files define, those of packages that are not installed or damaged, and those that a
    finding about the same package explains.
    """
    first = log.first
    if first is None or first.weight == ECHO:
        return
    done = 0
    for missing in missing_names(log.text):
        if missing.partly or is_mixed(missing) or shadowing_file(context, missing):
            continue
        if _is_explained(context, missing, found):
            continue
        lookup = looked_up(context, missing)
        if lookup is not None and done < _MOST:
            done += 1
            caller = missing.caller or only_importer(context, missing)
            yield _finding(context, missing._replace(caller=caller), lookup)


@rule("TL709", on="log")
def refused(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The first failure of a log, if it is a call that this torch refuses, and that earlier releases accept."""
    first, version = log.first, context.version("torch")
    if first is None or "TL709" not in first.rules or not version:
        return
    _, name, text = next((row for row in refused_calls() if row[0] in first.text), ("", "", ""))
    known = history(name) if name else None
    if known is None or known.has(version) is not False:
        return
    caller = last_caller(log.text, first.line, "torch")
    owner = owner_of(context, caller)
    yield context.finding(
        "TL709",
        "warning",
        f"{who_calls(context, caller, owner)} {text}, which torch {known.removed_in(version)} and later refuse",
        *([owner] if owner and owner not in STACK else []),
        "torch",
        path=path_of(context, "torch"),
        because=f"the line is: {caller.code}" if caller and caller.code else None,
        expected_error=first.text,
        sources=known.sources,
        strength=Strength.RAN,
        lacks=(name,),
    )


@rule("TL606", on="log")
def shadowed(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A file of the user that Python imported instead of a package, as the error itself says."""
    if any(each.rule == "TL606" and each.severity != "note" for each in found):
        return
    for missing in missing_names(log.text):
        if path := shadowing_file(context, missing):
            name = missing.package
            yield context.finding(
                "TL606",
                severity_of(fails=name in CORE),
                f"Python imported {path} instead of the package {name}",
                name,
                path=path,
                because=f"a file or folder with the name {name} beside the program comes first on the import path",
                expected_error=missing.text,
                strength=Strength.RAN,
            )
            return


def _is_explained(context: CheckContext, missing: MissingName, found: Sequence[Finding]) -> bool:
    """Whether a finding explains why this caller does not find the name.

    A package of the stack that fails on another one does not fit to it: that finding is better. A package with a
    rule has its finding already.
    """
    bad = [part for each in found if each.severity != "note" for part in (each, *each.consequences)]
    owner = owner_of(context, missing.caller)
    if missing.caller is None and (caused := _of_package(missing, bad)):
        caused.expected_error = caused.expected_error or missing.text
        return True
    if missing.caller is None:
        return any(each.expected_error and each.expected_error in missing.text for each in bad)
    if owner in STACK:
        return any(each.rule in _PAIRS for each in bad if owner in dict(each.packages))
    mine = next((each for each in bad if each.rule in group("removed") and owner in dict(each.packages)), None)
    if mine is not None:
        _name(context, mine, missing)
    return mine is not None


def _name(context: CheckContext, finding: Finding, missing: MissingName) -> None:
    """Let the finding about a package name what its log shows first, if its rule names something else."""
    if finding.strength >= Strength.RAN or missing.package not in dict(finding.packages):
        return
    lookup = looked_up(context, missing)
    if lookup is None:
        return
    if missing.name not in finding.because and lookup.lost not in finding.because:
        shown = f"the log shows that it uses {lookup.lost}, {_lack(context, missing.package, lookup)}"
        finding.because = "; ".join(filter(None, (shown, finding.because)))
    finding.expected_error = missing.text
    finding.strength = Strength.RAN


def _of_package(missing: MissingName, bad: Sequence[Finding]) -> Finding | None:
    """The finding about an installed package whose rule says that it uses this very name."""
    name = re.compile(rf"\b{re.escape(missing.name)}\b")
    return next((each for each in bad if each.rule in group("removed") and name.search(each.because)), None)


def _finding(context: CheckContext, missing: MissingName, lookup: Lookup) -> Finding:
    package, owner = missing.package, owner_of(context, missing.caller)
    others = [owner] if owner and owner not in STACK else []
    return context.finding(
        _rule_of(missing, lookup),
        "warning",
        f"{who_calls(context, missing.caller, owner)} uses {lookup.lost}, {_lack(context, package, lookup)}",
        *others,
        package,
        path=path_of(context, package),
        because=_because(missing, lookup),
        expected_error=missing.text,
        sources=lookup.sources,
        remedy=Remedy(f"Add `import {lookup.lost}` to that file.") if lookup.is_unloaded else None,
        strength=Strength.RAN,
        lacks=lookup.lacks,
    )


def _rule_of(missing: MissingName, lookup: Lookup) -> str:
    if lookup.is_unloaded:
        return "TL707"
    if lookup.added and not lookup.removed:
        return "TL706"
    if missing.package == "torchaudio":
        return "TL701" if missing.by_import else "TL702"
    return REMOVED.get(missing.package, "TL708")


def _lack(context: CheckContext, package: str, lookup: Lookup) -> str:
    named = context.named(package)
    if lookup.is_unloaded:
        return f"a module that the import of {named} does not load"
    if lookup.removed:
        return f"which {named} does not have: {lookup.removed} removed it"
    if lookup.added:
        return f"which {named} does not have: it is new in {lookup.added}"
    return f"which {named} does not have" + (", nor any other release" if lookup.is_nowhere else "")


def named_caller(context: CheckContext, missing: MissingName) -> str:
    """The package or the file that asked for a missing name."""
    return who_calls(context, missing.caller, owner_of(context, missing.caller))


def who_calls(context: CheckContext, caller: Frame | None, owner: str) -> str:
    """The package, the file or the cell of a line of code, for the beginning of a sentence."""
    if caller is None:
        return "the code that printed the log"
    if owner and owner not in STACK:
        return context.named(owner)
    if caller.code.startswith("raise "):  # It hands an error on, which another line had.
        return f"the code whose error {caller.path} hands on"
    where = f", line {caller.line}," if caller.line else ""
    if caller.is_cell:
        return f"a cell of a notebook ({caller.path}){where}"
    return f"{caller.path}{where}"


def _because(missing: MissingName, lookup: Lookup) -> str:
    package = missing.package
    if lookup.is_unloaded:
        reason = "the log shows that nothing had imported it"
    elif lookup.is_read:
        reason = f"the log shows that it was used, and the source of {package} does not define it"
    else:
        reason = f"the log shows that it was used and that this {package} did not have it"
    code = missing.caller.code if missing.caller else ""
    return f"{reason}; the line is: {code}" if code else reason
