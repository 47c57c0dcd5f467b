"""TL405 and TL107 by the files: what the import of a package takes, and Python or setuptools removed."""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING

from torchlock.check.fix.commands import add
from torchlock.check.relevance import module_of
from torchlock.check.removed_modules import bring_back, is_there, message, number
from torchlock.finding import Remedy
from torchlock.inspect.import_graph import imports_of
from torchlock.inspect.source import fallbacks
from torchlock.knowledge.other_names import known_projects
from torchlock.knowledge.python_changes import Change, backport, looked_at, removed
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import STACK
from torchlock.runtime import files

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.distributions import Distribution
    from torchlock.inspect.source import Import

# The limits on packages, and on modules of one: an import that fails does so soon.
_PACKAGES, _MODULES = 20, 12
# Before this release, Python removed only names that few packages use.
_FIRST = (3, 12)


# The module that setuptools 82 removed. Python 3.12 and later do not install setuptools.
_PART, _WITH_IT = "pkg_resources", "<82"


@rule("TL405", "TL107")
def changed_for_imports(context: CheckContext) -> Iterator[Finding]:
    """A warning for each package that uses torch or handles audio, and whose import certainly fails."""
    version = context.environment.interpreter.version
    is_late, has_part = number(version) >= _FIRST, context.environment.has_module(_PART)
    if (not is_late and has_part) or context.environment.frozen is not None:
        return
    names = looked_at() | (frozenset() if has_part else known_projects() - set(STACK))
    others = [each for each in context.installed.distributions if each.name in names]
    packages = {each.name: each for each in [*context.users_of_torch(), *others]}
    system = context.target.platform.system if context.target is not None else ""
    for package in islice(packages.values(), _PACKAGES):
        place = _place(package)
        read = list(imports_of(place, _MODULES, system)) if place else []
        found = next(_lost(context, read, version), None) if is_late else None
        if found is not None:
            yield _found(context, package, version, *found)
        elif not has_part and (path := _takes_part(read)) and not _is_known(context, package):
            yield _without_part(context, package, path)


def _takes_part(read: list[tuple[str, ast.Module, list[Import]]]) -> str:
    """The file whose import certainly takes the module that setuptools removed; "" if none does."""
    return next((path for path, _, found in read if any(each.module == _PART for each in found)), "")


def _is_known(context: CheckContext, package: Distribution) -> bool:
    """Whether a rule has the result for this package beside the setuptools that is here."""
    has_rule = any(statement.rule == "TL107" for statement in context.matrix.about(package.name))
    return has_rule and "setuptools" in context.pins


def _without_part(context: CheckContext, package: Distribution, path: str) -> Finding:
    shown = os.path.relpath(path, package.entry.path).replace(os.sep, "/")
    is_here = context.installed.get("setuptools") is not None
    why = "which the installed setuptools does not have" if is_here else "and setuptools is not installed"
    return context.finding(
        "TL107",
        severity_of(fails=False),
        f"the import of {context.named(package.name)} takes {_PART}, {why}",
        package.name,
        *(["setuptools"] if is_here else []),
        path=path,
        because=f"{shown} takes it; setuptools contains it up to 81, and Python 3.12 and later do not install "
        "setuptools",
        expected_error=f"ModuleNotFoundError: No module named '{_PART}'",
        remedy=Remedy("Install a setuptools before 82.", commands=add(context, "setuptools", _WITH_IT)),
        lacks=(_PART,),
    )


def _place(package: Distribution) -> str:
    """The folder or the file of the module with the name of a package; "" if there is none."""
    path = os.path.join(package.entry.path, module_of(package.name))
    return path if files.is_folder(path) else f"{path}.py" if files.is_file(f"{path}.py") else ""


def _lost(
    context: CheckContext, read: list[tuple[str, ast.Module, list[Import]]], version: str
) -> Iterator[tuple[Change, str]]:
    """What a package takes that this Python no longer has, each with the path of the file."""
    for path, tree, found in read:
        for name in _taken(context, tree, found):
            change = removed(name) or removed(name.partition(".")[0])
            is_new = change is not None and number(change.release) <= number(version)
            if change is not None and is_new and not _is_back(context, change.what):
                yield change, path


def _is_back(context: CheckContext, what: str) -> bool:
    """Whether an installed project brings a removed module back; names of modules do not come back."""
    return is_there(context, what) or context.installed.get(backport(what)) is not None


def _taken(context: CheckContext, tree: ast.Module, found: list[Import]) -> Iterator[str]:
    """The modules and names that a file certainly imports; of two alternatives the first, if none is there."""
    for each in found:
        yield each.module
        yield from (f"{each.module}.{name}" for name in each.names)
    for first, second in fallbacks(tree):
        if removed(first) is not None and not context.environment.has_module(second.partition(".")[0]):
            yield first


def _found(context: CheckContext, package: Distribution, version: str, change: Change, path: str) -> Finding:
    name, here = package.name, ".".join(version.split(".")[:2])
    shown = os.path.relpath(path, package.entry.path).replace(os.sep, "/")
    module = change.what.partition(".")[0]
    return context.finding(
        "TL405",
        severity_of(fails=False),
        message(context.named(name), change, here),
        name,
        path=path,
        because=f"its own import takes it in {shown}",
        expected_error=f"ModuleNotFoundError: No module named '{module}'" if module == change.what else "",
        sources=change.sources,
        remedy=bring_back(context, change, name, [change.what]),
        lacks=(change.what,),
    )
