"""A library that was not seen, and that a log shows to be missing: which line names it, and where it is."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.fix.commands import add_all
from torchlock.check.packaged_libraries import recorded
from torchlock.finding import Remedy
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.knowledge.build_labels import kind_of
from torchlock.knowledge.indexes import page_of
from torchlock.runtime import files

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.check.log import Signature
    from torchlock.inspect.loading.imports import Attempt
    from torchlock.inspect.loading.outcome import NotExamined

# Other packages contain copies of these for themselves; installing them on the machine is the remedy.
_OF_RUNTIME = re.compile(r"vcruntime|msvcp|concrt|vcomp|libomp", re.IGNORECASE)
# More DLLs than a package of the stack has in one folder.
_MOST = 200
# The DLLs of torch 2.3.0 need those of mkl. It does not search the folder of a user's installation
# (pytorch#125109).
_AFTER_230 = {"torch": "2.3.1", "torchaudio": "2.3.1", "torchvision": "0.18.1"}


def is_named(unseen: NotExamined, attempt: Attempt, signature: Signature) -> bool:
    """Whether a line names a library that was not seen, the one that needs it, or the one that is opened.

    Windows names only the one that is opened: as a file, or as the module that is imported.
    """
    library, opened = signature.library.lower(), os.path.basename(attempt.path).lower()
    if library:
        return library in (unseen.name.lower(), os.path.basename(unseen.wanted_by).lower(), opened)
    module = re.search(r"DLL load failed while importing (\w{1,100})", signature.text)
    return module is not None and opened.partition(".")[0] == module[1].lower()


def is_below_named(context: CheckContext, unseen: NotExamined, signature: Signature) -> bool:
    """Whether a line of Windows names a DLL that needs, through others, one that was not seen."""
    if context.operating_system != "windows" or not signature.library:
        return False
    by = os.path.basename(unseen.wanted_by).lower()
    return by in _needed_by(context, unseen.wanted_by, signature.library.lower())


def _needed_by(context: CheckContext, beside: str, library: str) -> set[str]:
    """The DLLs of a folder that one of them needs, directly or not; ``beside`` is a path in that folder."""
    folder = os.path.dirname(beside)
    there = {name.lower(): name for name in context.environment.tree.names(folder)}
    found: set[str] = set()
    queue = [library]
    while queue and len(found) < _MOST:
        name = queue.pop()
        if name in found or name not in there:
            continue
        found.add(name)
        binary = read_binary(os.path.join(folder, there[name]))
        if isinstance(binary, Binary):
            queue += [each.name.lower() for each in binary.needed if not each.delayed]
    return found


def why_unfound(context: CheckContext, library: str) -> tuple[str, Remedy | None]:
    """The reason why a library is not found, and the remedy if a package has installed it elsewhere."""
    owner, path = recorded(context, library)
    if not path:
        return (
            "no package of this environment contains it, and the log shows that a library is not found here",
            None,
        )
    user = f"torch {context.pins['torch'].version.public}" if "torch" in context.pins else "torch"
    if not files.is_file(path):
        return f"the record of {owner} names {path}, which is not there", None
    return f"it is in {os.path.dirname(path)} (of {owner}), where {user} does not search", (
        None if _OF_RUNTIME.match(library) else _beside(context)
    )


def _beside(context: CheckContext) -> Remedy:
    """A torch that contains what it needs, or a virtual environment, where torch searches."""
    other = "install torch in a virtual environment"
    pins = {name: f"=={version}" for name, version in _AFTER_230.items() if name in context.pins}
    if "torch" not in pins or context.pins["torch"].version.public != "2.3.0":
        return Remedy(f"{other.capitalize()}, where it searches the folder of these libraries.")
    label = context.labelled("torch")
    options = ["--index-url", page_of(label)] if label and kind_of(label) else []
    return Remedy(
        f"Install torch 2.3.1, which also searches the folder of a user's installation; or {other}.",
        commands=add_all(context, pins, *options),
    )
