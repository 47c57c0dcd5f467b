"""TL620: two distributions that installed the same files; whose files are there now, by their content."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from torchlock.check.context import dependencies_of, version_of
from torchlock.inspect.ownership import all_have_content, different
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import MEMBERS, STACK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.distributions import Distribution

# The packages of which two distributions exist, besides the stack: module -> the one that users of torch mean.
TWINS = {"triton": "", "onnxruntime": "onnxruntime-gpu", "ffmpeg": "ffmpeg-python", "whisper": "openai-whisper"}
# Modules of which any distribution will do: two of them are wrong only if the files of both are mixed.
_ANY = ("cv2",)


class Shared(NamedTuple):
    """Two distributions with the same paths; ``meant`` is the one that is needed.

    ``mine`` and ``theirs`` count the files with the content of ``meant`` and of ``other``.
    """

    meant: Distribution
    other: Distribution
    path: str
    mine: int
    theirs: int


@rule("TL620")
def shared_files(context: CheckContext) -> Iterator[Finding]:
    """Files of the stack, or of packages that use it, that another distribution overwrote."""
    for names, paths in context.integrity.shared.items():
        shared = compared(context, names, [path for path in paths if _matters(context, path)])
        if shared is not None:
            yield found_shared(context, shared)


def _matters(context: CheckContext, path: str) -> bool:
    """Whether a file can be imported as a part of a package of interest."""
    top = top_of(context, path)
    return top in TWINS or top in STACK or top in ("_soundfile", "_soundfile_data", *_ANY)


def top_of(context: CheckContext, path: str) -> str:
    """The module at the top to which a file of a folder of packages belongs; "" if there is no such module."""
    entry = next((each.path for each in context.environment.sites if path.startswith(each.path + os.sep)), None)
    return os.path.relpath(path, entry).split(os.sep)[0].partition(".")[0] if entry else ""


def compared(context: CheckContext, names: tuple[str, str], paths: list[str], wanted: str = "") -> Shared | None:
    """Whose content some files have that two distributions recorded; None if they recorded the same content.

    ``wanted`` is the one of the two that is known to be needed; "" if the installation has to show it.
    """
    first, second = (context.installed.get(name) for name in names)
    if first is None or second is None or not paths:
        return None
    is_first = first.name == wanted if wanted else _is_meant(context, first, second, paths[0])
    meant, other = (first, second) if is_first else (second, first)
    rows = list(different(meant, other, paths))
    mine = sum(all_have_content({path: row}) for path, row, _ in rows)
    theirs = sum(all_have_content({path: row}) for path, _, row in rows)
    return Shared(meant, other, rows[0][0], mine, theirs) if rows else None


def _is_meant(context: CheckContext, first: Distribution, second: Distribution, path: str) -> bool:
    """Whether the first of two distributions is the one that is needed: by its name, or by who requires it."""
    if {first.name, second.name} & set(STACK):
        return first.name in STACK
    top = top_of(context, path)
    if TWINS.get(top) in (first.name, second.name):
        return TWINS[top] == first.name
    required = _is_required(context, first.name), _is_required(context, second.name)
    if required[0] is required[1] and ("contrib" in first.name) is not ("contrib" in second.name):
        return "contrib" in first.name  # It has all that the other one has, too.
    if required[0] is required[1]:
        versions = version_of(first.version), version_of(second.version)
        return versions[0] is None or versions[1] is None or versions[0] >= versions[1]
    return required[0]


def _is_required(context: CheckContext, name: str) -> bool:
    records = context.installed.distributions
    return any(each.name == name for record in records for each in dependencies_of(record))


def found_shared(context: CheckContext, shared: Shared) -> Finding:
    """The finding for files of two distributions."""
    meant, other = (f"{each.name} {each.version}" for each in (shared.meant, shared.other))
    name = os.path.relpath(shared.path, shared.meant.entry.path).replace(os.sep, "/")
    is_mixed = shared.mine > 0 and shared.theirs > 0
    if is_mixed:
        message = f"{meant} and {other} installed the same files, and the files of both are mixed"
    elif shared.theirs:
        message = f"{other} overwrote {meant}: both installed {name}, and it belongs to {other}"
    else:
        message = f"{meant} and {other} both installed {name}, and it belongs to {meant}"
    vital = shared.meant.name in MEMBERS and MEMBERS[shared.meant.name].vital
    is_other = shared.meant.version != shared.other.version
    is_wrong = is_mixed and is_other if top_of(context, shared.path) in _ANY else shared.theirs > 0
    return context.finding(
        "TL620",
        severity_of(fails=is_wrong and vital, partly=is_wrong),
        message,
        shared.meant.name,
        shared.other.name,
        path=shared.path,
    )
