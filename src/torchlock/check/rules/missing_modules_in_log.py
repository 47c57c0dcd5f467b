"""TL609: a module that an installed package imports, and that no package here has, as a log shows.

The metadata of the package say whether it requires the module, only with an extra, or not at all.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, NamedTuple

from torchlock.check.context import dependencies_of
from torchlock.check.fix.commands import add
from torchlock.check.lacking_names import owner_of
from torchlock.check.log_signatures import ECHO
from torchlock.check.relevance import module_of, owners_of
from torchlock.check.tracebacks import last_caller
from torchlock.finding import Remedy, Strength
from torchlock.knowledge.python_changes import removed
from torchlock.knowledge.registry import rule
from torchlock.knowledge.stack import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding
    from torchlock.inspect.distributions import Distribution

_NO_MODULE = re.compile(r"No module named ['\"]?(?P<module>[A-Za-z_]\w{0,60})['\"]?(?![\w.])")
_EXTRA = re.compile(r"extra\s{0,3}==\s{0,3}['\"]([\w.-]{1,60})['\"]")


class _Asked(NamedTuple):
    """What a package says about a module: the project and its versions, and the extra that requires it ("")."""

    project: str
    specifier: str
    extra: str
    by: str = ""


# Modules that a project had, and that its later releases do not have: what its metadata would have to require.
_PARTS = {"pkg_resources": _Asked("setuptools", "<82", "", "setuptools up to 81 has it")}


def _part_of(module: str) -> _Asked | None:
    return _PARTS.get(module)


@rule("TL609", on="unexplained")
def missing_module(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The first failure of a log, if a file of an installed package imports a module that is not here."""
    first = log.first
    match = _NO_MODULE.search(first.text) if first is not None and first.weight != ECHO else None
    if first is None or match is None or _is_known(context, match["module"]):
        return
    module, caller = match["module"], last_caller(log.text, first.line, match["module"])
    owner = owner_of(context, caller) or _owner_of_folder(context, log)
    record = context.installed.get(owner) if owner and owner not in STACK else None
    if record is None:
        return
    asked = _asked(context, record, module) or _part_of(module)
    yield context.finding(
        "TL609",
        "warning",
        f"{context.named(owner)} imports {module}, which is not installed{_said(asked, owner, module)}",
        owner,
        because=f"the line is: {caller.code}" if caller is not None and caller.code else None,
        expected_error=first.text,
        remedy=_remedy(context, owner, module, asked),
        strength=Strength.RAN,
        lacks=(module,),
    )


def _owner_of_folder(context: CheckContext, log: Log) -> str:
    """The package of the first folder of a traceback, if the file itself is of another release."""
    tops = dict.fromkeys(path.partition("/")[0] for path in log.frames)
    owners = (sorted(owners_of(context, [f"{top}/__init__.py"])) for top in tops)
    return next((each[0] for each in owners if each), "")


def _is_known(context: CheckContext, module: str) -> bool:
    """Whether the module is here, is a part of the stack or of Python, or was one."""
    is_pythons = module in sys.stdlib_module_names or removed(module) is not None
    return is_pythons or module in STACK or context.environment.has_module(module)


def _asked(context: CheckContext, record: Distribution, module: str) -> _Asked | None:
    """The requirement whose name is that of the module; one without an extra comes first."""
    name = module.lower().replace("_", "-")
    found = []
    for each in dependencies_of(record):
        extra = _EXTRA.search(each.marker or "")
        is_mine = each.name in (name, f"py{name}", f"python-{name}")
        if is_mine and context.target is not None and context.target.holds(each.marker, extra[1] if extra else ""):
            found.append(_Asked(each.name, each.specifier, extra[1] if extra else ""))
    return min(found, key=lambda each: each.extra != "", default=None)


def _is_own_part(owner: str, module: str) -> bool:
    """Whether a module has the name of a compiled part of a package: ``_k2`` of k2."""
    return module.startswith(f"_{module_of(owner)}")


def _said(asked: _Asked | None, owner: str, module: str) -> str:
    if asked is None and _is_own_part(owner, module):
        return ": names like this are those of compiled parts, which this build does not contain"
    if asked is None:
        return ", and which its metadata do not require"
    if asked.by:
        return f": {asked.by}"
    return f"; its extra {asked.extra} requires it" if asked.extra else ", although its metadata require it"


def _remedy(context: CheckContext, owner: str, module: str, asked: _Asked | None) -> Remedy:
    """Install what the metadata name; else words, as a project with the name of a module may be another one."""
    if asked is not None:
        line = f"{asked.project}{asked.specifier}"
        return Remedy(f"Install {line}.", commands=add(context, asked.project, asked.specifier))
    if _is_own_part(owner, module):
        return Remedy(
            f"Install another build of {owner} that contains {module}, for this Python and torch: look at the "
            "pages that the project names for its wheels, or build it from source."
        )
    return Remedy(
        f"If you use that part of {owner}, install the project that has {module}, in a build for this torch if it "
        f"is compiled against torch. Otherwise use a release of {owner} which does not import it."
    )
