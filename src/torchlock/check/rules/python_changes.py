"""TL405 by the files: what the import of an installed package takes, and this Python no longer has."""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING

from torchlock.check.relevance import module_of
from torchlock.check.removed_modules import bring_back, is_there, message, number
from torchlock.inspect.import_graph import imports_of
from torchlock.inspect.source import fallbacks
from torchlock.knowledge.python_changes import Change, backport, looked_at, removed
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
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


@rule("TL405")
def changed_for_imports(context: CheckContext) -> Iterator[Finding]:
    """A warning for each package that uses torch or handles audio, and whose import certainly fails."""
    version = context.environment.interpreter.version
    if number(version) < _FIRST or context.environment.frozen is not None:
        return
    others = [each for each in context.installed.distributions if each.name in looked_at()]
    for package in islice([*context.users_of_torch(), *others], _PACKAGES):
        place = _place(package)
        found = next(_lost(context, place, version), None) if place else None
        if found is not None:
            yield _found(context, package, version, *found)


def _place(package: Distribution) -> str:
    """The folder or the file of the module with the name of a package; "" if there is none."""
    path = os.path.join(package.entry.path, module_of(package.name))
    return path if files.is_folder(path) else f"{path}.py" if files.is_file(f"{path}.py") else ""


def _lost(context: CheckContext, place: str, version: str) -> Iterator[tuple[Change, str]]:
    """What a package takes that this Python no longer has, each with the path of the file."""
    for path, tree, found in imports_of(place, _MODULES):
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
