"""TL620 for packages of conda: two of them have the same files of the stack, or libraries that torch loads."""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from torchlock.check.conda import conda_install, conda_remove
from torchlock.check.conda_files import MOST, content_of, files_of
from torchlock.finding import Command, Remedy
from torchlock.inspect.library import is_library
from torchlock.knowledge.registry import rule
from torchlock.knowledge.stack import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.environment import CondaRecord

# The packages that say which runtime library they mean.
_MEANING = ("pytorch", "libtorch", "mkl")


class _Owner(NamedTuple):
    """A package of conda that has a file, and the hash of the file in it; "" if its record has none."""

    record: CondaRecord
    hash: str


@rule("TL620")
def shared_conda_files(context: CheckContext) -> Iterator[Finding]:
    """A note for each two packages, because the files may be the right ones; a log shows if they are not."""
    process = context.process if context.attempts else None
    loaded = {os.path.normcase(path) for path in process.paths()} if process is not None else set[str]()
    tops = tuple(_tops(context))
    if not context.environment.conda or not (loaded or tops):
        return
    owners, needs = dict[str, list[_Owner]](), set[str]()
    for record in islice(context.environment.conda, MOST):
        content = content_of(record)
        needs |= set(_named(content, "depends")) if record.name in _MEANING else set()
        for path, found in files_of(record, content):
            if os.path.normcase(path) in loaded or path.startswith(tops):
                owners.setdefault(path, []).append(_Owner(record, found))
    shared: dict[tuple[CondaRecord, CondaRecord], list[str]] = {}
    for path, mine in owners.items():
        if len(mine) > 1 and (len({each.hash for each in mine}) > 1 or not mine[0].hash):
            shared.setdefault((mine[0].record, mine[1].record), []).append(path)
    for (first, second), paths in shared.items():
        is_loaded = next((path for path in paths if os.path.normcase(path) in loaded), "")
        yield _found(context, is_loaded or paths[0], len(paths), first, second, needs)


def _tops(context: CheckContext) -> Iterator[str]:
    """What the paths of the files of the stack begin with."""
    for name in STACK:
        copy = context.copy(name)
        if copy is not None and copy.kind in ("package", "module"):
            yield copy.path + os.sep if copy.kind == "package" else copy.path


def _named(content: dict[str, Any], key: str) -> Iterator[str]:
    """The names of packages in a list of a record."""
    listed = content.get(key)
    for each in listed if isinstance(listed, list) else ():
        yield str(each).partition(" ")[0]


def _found(
    context: CheckContext, path: str, count: int, first: CondaRecord, second: CondaRecord, needs: set[str]
) -> Finding:
    both = f"{first.name} {first.version} and {second.name} {second.version}"
    more = f" and {count - 1} more files" if count > 1 else ""
    what = "which torch loads" if is_library(os.path.basename(path)) else "which an import reads"
    owner = next((name for name in STACK if f"{os.sep}{name}{os.sep}" in path), "torch")
    return context.finding(
        "TL620",
        "note",
        f"{both} of conda both contain {os.path.basename(path)}{more}, {what}; only one of them exists",
        owner,
        path=path,
        because="conda lets the later package overwrite the file of the other, with a ClobberWarning",
        remedy=_remedy(context, first, second, needs),
        sources=("recording-installed", "superbuild-1702"),
    )


def _remedy(context: CheckContext, first: CondaRecord, second: CondaRecord, needs: set[str]) -> Remedy:
    """Keep the one that torch or MKL requires, and write its files again; only words if both or none are."""
    meant = [each for each in (first, second) if each.name in needs]
    if len(meant) != 1:
        return Remedy(f"Keep one of {first.name} and {second.name}: remove the other, and install this one again.")
    kept, other = meant[0], second if meant[0] is first else first
    words = f"Remove {other.name} and what needs it. Install {kept.name} again, which torch or MKL requires."
    steps = [conda_remove(context, other.name), conda_install(context, "--force-reinstall", kept.name)]
    line = " && ".join(each[0].line for each in steps if each)
    return Remedy(words, commands=(Command("conda", line),) if all(steps) else ())
