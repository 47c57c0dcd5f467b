"""The remedy in an application that a freezer made: nothing can be installed into it, so it is built again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.finding import Remedy
from torchlock.inspect.loading.bundle_process import is_of_torch
from torchlock.knowledge.registry import group

if TYPE_CHECKING:
    from torchlock.check import CheckContext
    from torchlock.finding import Finding

# The option with which each freezer takes a whole package.
_WHOLE = {
    "PyInstaller": "--collect-all {name}",
    "cx_Freeze": '"{name}" in packages of build_exe, and its libraries in include_files',
    "py2app": '"{name}" in packages of its options',
    "py2exe": '"{name}" in packages of its options',
    "Nuitka": "--include-package={name} --include-package-data={name}",
    "Briefcase": "briefcase update --update-requirements",
}
# Commands that install no package: they stay.
_OF_MACHINE = ("system", "shell")
_WHERE = " Run the command with the Python of that environment."


def of_application(context: CheckContext, finding: Finding, remedy: Remedy) -> Remedy:
    """Build the application again: with all files of the package, or from an environment that was repaired."""
    frozen = context.environment.frozen
    assert frozen is not None
    is_plain = all(each.tool in _OF_MACHINE for each in remedy.commands)
    if is_plain and (remedy.commands or finding.severity == "note"):
        return remedy
    name = finding.package or "torch"
    by = f" with {frozen.maker}" if frozen.maker else ""
    whole = _WHOLE.get(frozen.maker, "").format(name=name)
    said = f"Nothing can be installed into an application. Build it again{by}"
    if _is_left_out(finding):
        option = f" ({whole})" if whole else ""
        return Remedy(f"{said}, with all files of {name}{option}, or get another release of it.")
    summary = remedy.summary.replace(_WHERE, "").rstrip(".")
    where = f"from an environment in which {name} loads"
    return Remedy(f"{said} {where}, or get another release of it. In that environment: {summary}.")


def _is_left_out(finding: Finding) -> bool:
    """Whether files are missing or wrong that the package has by itself: then its environment is right.

    Its own libraries have its name: ``libtorchaudio_sox.so``.
    """
    if finding.rule in group("damage"):
        return True
    names = [each.rpartition("/")[2] for each in finding.lacks]
    own = finding.package or "torch"
    return bool(names) and all(is_of_torch(each) or each.removeprefix("lib").startswith(own) for each in names)
