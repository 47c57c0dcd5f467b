"""TL710 for packages without a rule: a part of a package that takes a name which another package no longer has.

The names are those that are known by hand (``compat_data/modules.toml``). Uses guarded by ``try``, ``if`` or
``hasattr`` are ignored, and files that no import of their package or part certainly reads.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from torchlock.check.audio_callers import modules_of
from torchlock.check.context import dependencies_of
from torchlock.check.other_packages import folder_of, is_in_files, other_release
from torchlock.inspect.import_graph import files_read
from torchlock.inspect.source import LARGEST, parsed, uses
from torchlock.knowledge.other_names import lacks_by_hand
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import STACK
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.distributions import Distribution
    from torchlock.inspect.source import Use
    from torchlock.knowledge.other_names import Lack


@rule("TL710")
def gone(context: CheckContext) -> Iterator[Finding]:
    """One name of each package that requires a member of the stack."""
    lost = _lost(context)
    if not lost:
        return
    mentioned = {_mentioned(name).encode() for name in lost}
    for distribution in context.installed.distributions:
        if not _is_user(distribution):
            continue
        for use, lack in _uses(distribution, lost, mentioned):
            part = _part(distribution, use.path)
            if part and not _has_rule(context, distribution, lack) and not _has_it(context, lack):
                yield _finding(context, distribution, use, lack, part)
                break


def _lost(context: CheckContext) -> dict[str, Lack]:
    """The names that an installed release lacks by the tables."""
    found: dict[str, Lack] = {}
    for lack in lacks_by_hand():
        record = context.installed.get(lack.project)
        try:
            if record is not None and not lack.is_there(Version(record.version)):
                found[lack.name] = lack
        except InvalidVersion:
            continue
    return found


def _mentioned(name: str) -> str:
    """What a file that uses a name surely contains: its module."""
    return name.rpartition(".")[0] if name.count(".") > 1 else name.partition(".")[0]


def _is_user(distribution: Distribution) -> bool:
    needed = {each.name for each in dependencies_of(distribution)}
    return distribution.name not in STACK and bool(needed & (set(STACK) - {"numpy"}))


def _has_rule(context: CheckContext, distribution: Distribution, lack: Lack) -> bool:
    """Whether a statement is about these two projects: it knows for which releases they fail."""
    return any(
        lack.project in {each.name for each in (*statement.forbids, *statement.needs)}
        for statement in context.matrix.about(distribution.name)
    )


def _has_it(context: CheckContext, lack: Lack) -> bool:
    """Whether the installed files have the name against the tables, or the package is not where it should be."""
    folder, provider = folder_of(context, lack.name.partition(".")[0])
    return provider != lack.project or is_in_files(context, folder, lack.name)


def _uses(
    distribution: Distribution, lost: Mapping[str, Lack], mentioned: set[bytes]
) -> Iterator[tuple[Use, Lack]]:
    packages = {name.partition(".")[0] for name in lost}
    for path in modules_of(distribution):
        try:
            content = files.read(path, LARGEST)
        except (OSError, ValueError):
            continue
        tree = parsed(path) if any(part in content for part in mentioned) else None
        for use in uses(tree, path, packages, in_functions=False) if tree is not None else ():
            name = next((each for each in lost if f"{use.name}.".startswith(f"{each}.")), "")
            if name and use.at_import:
                yield use, lost[name]


def _part(distribution: Distribution, path: str) -> str:
    """The package, or the part of it, whose import certainly reads a file; "" if none does."""
    folder, last = os.path.split(path)
    inner = os.path.relpath(folder, distribution.entry.path).split(os.sep)
    if last == "__init__.py":
        return ".".join(inner)
    for end in dict.fromkeys((1, len(inner))):
        package = os.path.join(distribution.entry.path, *inner[:end])
        if files.is_file(os.path.join(package, "__init__.py")) and path in files_read(package, [path])[0]:
            return ".".join(inner[:end])
    return ""


def _finding(context: CheckContext, distribution: Distribution, use: Use, lack: Lack, part: str) -> Finding:
    named, provider = context.named(distribution.name), lack.project
    what = f"the import of {named}" if "." not in part else f"the import of {part}, a part of {named},"
    module, _, name = lack.name.rpartition(".")
    missing = f"cannot import name '{name}' from '{module}'" if use.is_import else ""
    return context.finding(
        "TL710",
        severity_of(fails=False, partly=True),
        f"{what} takes {lack.name}, which {context.named(provider)} does not have",
        distribution.name,
        provider,
        path=use.path,
        because=f"line {use.line} of {os.path.basename(use.path)} names it, and the tables of {provider} show it",
        expected_error=f"ImportError: {missing}"
        if missing
        else f"AttributeError: module '{module}' has no attribute '{name}'",
        remedy=other_release(context, distribution.name, provider, lack.name),
        sources=lack.sources,
        lacks=(lack.name,),
    )
