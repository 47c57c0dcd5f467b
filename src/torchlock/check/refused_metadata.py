"""TL511: releases that pip refuses for their metadata, where the log shows only the conflict that follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.check.installer_findings import Told, install_again, words_of
from torchlock.finding import Remedy
from torchlock.knowledge.rules import specifier_set

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.check.installer_log import Installation
    from torchlock.finding import Command


def refused_releases(context: CheckContext, name: str, specifier: str) -> str:
    """The releases of a project that pip refuses, as a specifier, if a requirement allows some; "" if not."""
    for statement in context.matrix.about(name):
        refused = statement.when.specifier if statement.refused else ""
        ends = [each.version for each in specifier_set(refused)] if refused else []
        if any(each in specifier_set(refused) and each in specifier_set(specifier) for each in ends):
            return refused
    return ""


def of_refused(context: CheckContext, asked: Installation, name: str, specifier: str) -> Told | None:
    """Why pip found no release that meets the one requirement which all that it tried have; None if unknown.

    ``name`` and ``specifier`` are that requirement.
    """
    is_of_pip = bool(name) and asked.tool in ("pip", "")
    refused = refused_releases(context, name, specifier) if is_of_pip else ""
    if not refused:
        return None
    message = (
        f"pip 24.1 and later refuse {name}{refused} because of the metadata of these releases, and each release "
        f"that it tried needs {name}{specifier}"
    )
    remedy = Remedy("Use pip 24.0 for this installation.", commands=with_old_pip(context, asked))
    return Told("TL511", message, remedy)


def with_old_pip(context: CheckContext, asked: Installation) -> tuple[Command, ...]:
    """The command that installs a pip which accepts such metadata, and then what was asked for."""
    again = {each.tool: each.line for each in install_again(context, words_of(asked))}
    return tuple(
        each._replace(line=" && ".join(filter(None, [each.line, again.get("pip")])))
        for each in install_again(context, ["pip<24.1"])
        if each.tool == "pip"
    )
