"""Other copies and other records of a package that is there: whether the rules allow them instead of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.check.context import version_of
from torchlock.knowledge.judge import NamedVersion, violations

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext


def fits_as(context: CheckContext, name: str, version: str, label: str = "") -> bool:
    """Whether the import works by the rules with this version of a package; False if that cannot be judged."""
    parsed = version_of(version)
    if parsed is None or context.target is None:
        return False
    pins = {**context.pins, name: NamedVersion(name, parsed, build=label or parsed.local)}
    found = violations(pins, context.target, context.matrix, complete=False)
    about = [
        each for each in found if each.pinned.name == name or (each.dependency and each.dependency.name == name)
    ]
    return not [each for each in about if each.statement is not None and each.statement.effect == "import"]


def fitting_record(context: CheckContext, name: str) -> str:
    """The version of another record of a package in the same folder, with which the import works; "" if none."""
    record = context.record(name)
    others = [each for each in context.installed.distributions if each.name == name and each is not record]
    beside = [each.version for each in others if record is not None and each.entry.path == record.entry.path]
    versions = [version for each in beside if (version := version_of(each)) is not None]
    mine = version_of(record.version) if record is not None else None
    fitting = [each for each in versions if mine is not None and each.public != mine.public]
    return next((str(each) for each in fitting if fits_as(context, name, each.public)), "")
