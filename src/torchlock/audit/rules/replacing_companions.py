"""TL101, TL103: a companion for which a later command replaces the torch that the file pins."""

from __future__ import annotations

from torchlock.audit.phrasing import as_of, releases, where
from torchlock.audit.rules.versions import RULES
from torchlock.knowledge.severity import severity_of
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import InstallSet
    from torchlock.audit.rules.newest_releases import Outcome
    from torchlock.finding import Finding

# Why a later command replaces torch.
_KEPT = "an installer keeps an installed package only if the metadata of all that it installs now allows that"


def replacements(context: AuditContext, install_set: InstallSet, found: Outcome) -> Iterator[Finding]:
    """The companions of later commands that make an installer replace the torch that the file pins."""
    stack, torch = context.stack, context.stack.packages["torch"]
    for name in dict.fromkeys(pair[0] for pair in found.replaced):
        pair = max((one for one in found.replaced if one[0] == name), key=lambda one: one[1])
        cells = found.replaced[pair]
        place = "" if cells == found.installed else f" on {where(stack, cells)}"
        platform = stack.coordinates((cells & -cells).bit_length() - 1)[0]
        wanted = releases(torch, stack.declared(name, 1 << pair[1], platform))
        message = (
            f"a later command takes {name} {stack.packages[name].versions[pair[1]]}{place} "
            f"({as_of(context.known.date)}), which asks for torch {wanted}: "
            f"it replaces torch {torch.versions[pair[2]]}"
        )
        demands = [install_set.first(name), install_set.first("torch")]
        usual = context.declares_platforms or bool(cells & context.mainstream)
        yield context.finding(RULES[name], severity_of(fails=False, partly=usual), message, demands, _KEPT)
