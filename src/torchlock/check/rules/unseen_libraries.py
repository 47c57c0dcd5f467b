"""A library that was not seen, and that a log shows to be missing: which line names it, and where it is."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.check.fix.commands import add_all
from torchlock.check.packaged_libraries import recorded
from torchlock.check.windows_libraries import origin_of_dll
from torchlock.finding import Remedy, Strength
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.loading.bundle_process import is_of_macos
from torchlock.inspect.loading.imports import Attempt
from torchlock.inspect.loading.outcome import NotExamined
from torchlock.knowledge.build_labels import kind_of
from torchlock.knowledge.indexes import page_of
from torchlock.patterns import pattern
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log, Signature
    from torchlock.finding import Finding

# Other packages contain copies of these for themselves; installing them on the machine is the remedy.
_OF_RUNTIME = pattern(r"vcruntime|msvcp|concrt|vcomp|libomp", re.IGNORECASE)
_OF_AMD = pattern(r"hip|roc|amdhip|amd_comgr", re.IGNORECASE)
_DRIVER = "nvcuda.dll"
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


def opened_in_torch(context: CheckContext, signature: Signature) -> list[tuple[Attempt, NotExamined]]:
    """What a DLL of torch that a line of Windows names needs: torch opens each DLL of its folder.

    What a changed file needs comes first, as the DLLs of the wheel need nothing that others had to add; what the
    NVIDIA driver has comes last.
    """
    copy = context.copy("torch")
    if context.operating_system != "windows" or not signature.library or copy is None:
        return []
    folder = os.path.join(copy.path, "lib")
    named = {name.lower(): name for name in context.environment.tree.names(folder)}.get(signature.library.lower())
    if named is None or not context.attempts or context.process is None:
        return []
    path = os.path.join(folder, named)
    attempt = Attempt("torch", path, "import", context.process.load(path, symbols=False))
    if any(each.outcome.missing for each in context.attempts if each.package == "torch"):
        return []  # A library that is known to be missing is what the log shows.
    if attempt.outcome.missing:
        reason = Unknown("no other program has it")
        return [(attempt, NotExamined(each.name, each.wanted_by, reason)) for each in attempt.outcome.missing]
    changed = {fault.path for fault in context.integrity.faults if fault.distribution == "torch"}
    found = [(attempt, each) for each in attempt.outcome.unseen]
    return sorted(found, key=lambda pair: (pair[1].wanted_by not in changed, pair[1].name.lower() == _DRIVER))


def is_expected(context: CheckContext, log: Log, lost: NotExamined) -> bool:
    """Whether a log names the library that needs one that was not seen, or that library was changed."""
    return os.path.basename(lost.wanted_by) in log.text or is_changed(context, lost.wanted_by)


def is_lost(found: Sequence[Finding], library: str, effect: Finding) -> bool:
    """Whether a library is missing because a file of its package is: that is the cause, and this its effect."""
    cause = next((each for each in found if each.rule == "TL601" and library in each.lacks), None)
    if cause is None:
        return False
    cause.severity, cause.strength = effect.severity, Strength.RAN
    cause.consequences = (*cause.consequences, effect)
    return True


def is_changed(context: CheckContext, path: str) -> bool:
    """Whether a file is not the one that the record of torch has."""
    return any(fault.path == path and fault.kind in ("size", "hash") for fault in context.integrity.faults)


def of_changed_file(context: CheckContext, lost: NotExamined) -> tuple[str, Remedy]:
    """The reason and the remedy if a file that somebody put instead of one of torch needs a library."""
    by = os.path.basename(lost.wanted_by)
    torch = f"torch {context.pins['torch'].version.public}" if "torch" in context.pins else "torch"
    because = f"{by} is not the file of {torch}: another file replaced it, which needs {lost.name}"
    program = "the HIP SDK of AMD" if _OF_AMD.match(lost.name) else "the program"
    summary = (
        f"Install {program} that has {lost.name}, and put its folder of DLLs on the PATH; or install torch again, "
        "which restores its own file."
    )
    return because, Remedy(summary)


def why_unfound(context: CheckContext, library: str) -> tuple[str, Remedy | None]:
    """The reason why a library is not found, and the remedy if a package has installed it elsewhere."""
    if is_of_macos(library):
        return "no LC_RPATH names the folder of that library, and macOS 10.15 and earlier look nowhere else", None
    owner, path = recorded(context, library)
    if not path:
        origin = f"{said}; " if (said := origin_of_dll(library)) else ""
        none = "no package of this environment contains it, and the log shows that a library is not found here"
        return f"{origin}{none}", None
    user = f"torch {context.pins['torch'].version.public}" if "torch" in context.pins else "torch"
    if not files.is_file(path):
        if folder := _of_target(context, library):
            return f"it is in {folder} (of {owner}), where {user} does not search", _by_hand(folder)
        return f"the record of {owner} names {path}, which does not exist", None
    return f"it is in {os.path.dirname(path)} (of {owner}), where {user} does not search", (
        None if _OF_RUNTIME.match(library) else _beside(context)
    )


def _of_target(context: CheckContext, library: str) -> str:
    """The folder of DLLs inside of a folder of packages, where an installation with --target puts them."""
    folders = (os.path.join(entry.path, "Library", "bin") for entry in context.environment.sites)
    names = ((folder, context.environment.tree.names(folder)) for folder in folders)
    return next((folder for folder, there in names if library.lower() in {name.lower() for name in there}), "")


def _by_hand(folder: str) -> Remedy:
    """Lead torch to the DLLs, or a torch that contains what it needs."""
    return Remedy(
        f'Call os.add_dll_directory(r"{folder}") before the import of torch; or install torch 2.4.1 or later in '
        "the same way, which does not need these DLLs."
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
