"""TL710: a name of a package outside the stack that a log shows to be missing, looked up in what is installed.

The frame of the traceback names the package that asked for it. No table has the names of these packages: what is
said is what the log shows and the files do not contradict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.check.lacking_names import owner_of, shadowing_file
from torchlock.check.other_packages import folder_of, is_in_files, other_release
from torchlock.check.tracebacks import missing_names
from torchlock.finding import Strength
from torchlock.inspect.module_names import ModuleNames
from torchlock.knowledge.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding


@rule("TL710", on="log")
def lacking(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The first name of another package that an import in the log did not find, if the files lack it, too."""
    first = log.first
    if first is None or first.rules[0] != "TL710":
        return
    missing = next((each for each in missing_names(log.text, of_others=True) if each.line >= first.line), None)
    if missing is None or missing.partly or shadowing_file(context, missing):
        return
    folder, provider = folder_of(context, missing.package)
    owner = owner_of(context, missing.caller)
    if not provider or owner in ("", provider) or is_in_files(context, folder, missing.name):
        return
    if not missing.by_import and not ModuleNames(folder).missing_part(missing.name):
        return  # The source does not show that it lacks the attribute.
    if any(each.severity != "note" and {owner, provider} <= set(dict(each.packages)) for each in found):
        return
    version, code = context.version(provider), missing.caller.code if missing.caller else ""
    verb = "imports" if missing.by_import else "uses"
    yield context.finding(
        "TL710",
        "warning",
        f"{context.named(owner)} {verb} {missing.name}, which {provider} {version} does not have",
        owner,
        provider,
        path=folder,
        because="the log shows that it was not found" + (f"; the line is: {code}" if code else ""),
        expected_error=missing.text,
        remedy=other_release(context, owner, provider, missing.name),
        sources=(),
        strength=Strength.RAN,
        lacks=(missing.name,),
    )
