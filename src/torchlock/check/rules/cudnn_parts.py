"""TL231: libraries of two cuDNN releases in one process. cuDNN 9 compares them, and refuses to work."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from torchlock.check.nvidia import copies_of, owner_of
from torchlock.finding import Strength
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.patterns import pattern
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding
    from torchlock.inspect.loading.root import Root

_FIRST = "libcudnn.so.9"
# The part that opens the engines, and an engine that later releases have: an earlier one takes it from anywhere.
_OPENS_ENGINES, _LATER_ENGINE = "libcudnn_graph.so.9", "libcudnn_engines_tensor_ir"
_LARGEST = 64 << 20
_PART = pattern(r"libcudnn_\w+\.so\.9")
_NUMBER = pattern(r"\.so\.(\d{1,2}\.\d{1,3}\.\d{1,3})")
_ERROR = "CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH"


class _Mixed(NamedTuple):
    """The first library of cuDNN, a part that the loader takes from elsewhere, and that part's version ("")."""

    first: str
    part: str
    version: str


@rule("TL231")
def mixed(context: CheckContext) -> Iterator[Finding]:
    """A part of cuDNN that the loader takes from another release than its first library."""
    found = _mixed(context)
    if found is None:
        yield from _partly_elsewhere(context)
        return
    name, owner = os.path.basename(found.part), owner_of(context, found.first)
    other = f"cuDNN {found.version}, " if found.version else ""
    yield context.finding(
        "TL231",
        severity_of(fails=False, partly=not _is_idle(context)),
        f"the {_FIRST} of {owner} {context.version(owner)} takes {name} from {other}{os.path.dirname(found.part)}",
        "torch",
        owner,
        path=found.part,
        expected_error=f"RuntimeError: cuDNN error: {_ERROR}",
        lacks=(name,),
    )


def _partly_elsewhere(context: CheckContext) -> Iterator[Finding]:
    """A first library from LD_LIBRARY_PATH, whose folder does not have all parts of that cuDNN."""
    root = context.root
    if root is None or not root.library_path:
        return
    copies = copies_of(context, _FIRST)
    owner = owner_of(context, copies[0]) if copies else ""
    if not owner:
        return
    for folder in root.library_path:
        path = root.file(os.path.join(folder, _FIRST))
        version = _version(path) if path else ""
        if path and not _is_of(version, context.version(owner)) and _is_loaded(context, path):
            for lost in _lost(context, root, os.path.dirname(copies[0]))[:1]:
                yield _incomplete(context, version, root.real(folder), lost, owner)
            return


def _lost(context: CheckContext, root: Root, package: str) -> list[str]:
    """The parts that a package has, and that the loader finds in no folder of the machine."""
    parts = [name for name in context.environment.tree.names(package) if _PART.fullmatch(name)]
    places = (*root.library_path, *root.folders)
    return [name for name in sorted(parts) if not any(root.file(os.path.join(each, name)) for each in places)]


def _incomplete(context: CheckContext, version: str, folder: str, lost: str, owner: str) -> Finding:
    return context.finding(
        "TL231",
        severity_of(fails=False, partly=not _is_idle(context)),
        f"torch takes {_FIRST} of cuDNN {version} from {folder}, where {lost} is missing: only {owner} "
        f"{context.version(owner)} has it",
        "torch",
        owner,
        path=os.path.join(folder, _FIRST),
        expected_error=f"RuntimeError: cuDNN error: {_ERROR}",
        lacks=(lost,),
    )


def _is_idle(context: CheckContext) -> bool:
    """Whether this machine has no GPU, so that nothing uses cuDNN."""
    return context.live and context.libraries.get("cuda-driver") is None


def _mixed(context: CheckContext) -> _Mixed | None:
    copies, root = copies_of(context, _FIRST), context.root
    if not copies or root is None or not _is_loaded(context, copies[0]):
        return None
    folder = os.path.dirname(copies[0])
    names = [name for name in context.environment.tree.names(folder) if _PART.fullmatch(name)]
    has_engine = any(name.startswith(_LATER_ENGINE) for name in names)
    if not root.library_path and (has_engine or root.search(f"{_LATER_ENGINE}.so.9") is None):
        return None  # no other cuDNN can come between; whose this one is takes all records
    if not owner_of(context, copies[0]):
        return None
    binary = read_binary(copies[0])
    first = isinstance(binary, Binary) and not binary.runpath and bool(binary.rpath)
    mine = context.version(owner_of(context, copies[0]))
    for name in [] if first else sorted(names):
        for folder_there in root.library_path:
            path = root.file(os.path.join(folder_there, name))
            if path is None:
                continue
            version = _version(path)
            if os.path.realpath(path) != os.path.realpath(os.path.join(folder, name)) and not _is_of(
                version, mine
            ):
                return _Mixed(copies[0], os.path.join(root.real(folder_there), name), version)
            break
    return _later_engine(copies[0], names, mine, root)


def _is_loaded(context: CheckContext, first: str) -> bool:
    """Whether torch loads this copy. With all parts from another folder, nothing is mixed."""
    paths = context.process.paths() if context.attempts and context.process is not None else []
    return os.path.realpath(first) in map(os.path.realpath, paths)


def _later_engine(first: str, names: Sequence[str], mine: str, root: Root) -> _Mixed | None:
    """An engine that this release asks for and does not contain, from a cuDNN of the machine."""
    if any(name.startswith(_LATER_ENGINE) for name in names):
        return None
    path = root.search(f"{_LATER_ENGINE}.so.9")
    version = _version(path) if path else ""
    if path is None or not version or _is_of(version, mine):
        return None
    try:
        asks = _LATER_ENGINE.encode() in files.read(os.path.join(os.path.dirname(first), _OPENS_ENGINES), _LARGEST)
    except OSError:
        return None
    return _Mixed(first, path, version) if asks else None


def _version(path: str) -> str:
    """The version in the name of the file that a link leads to (``libcudnn_ops.so.9.5.1``); "" if it has none."""
    match = _NUMBER.search(os.path.basename(os.path.realpath(path)))
    return match[1] if match else ""


def _is_of(version: str, mine: str) -> bool:
    """Whether a version may be that of the package (``9.1.0`` of ``9.1.0.70``); an unknown one may be."""
    return not version or mine == version or mine.startswith(f"{version}.")


@rule("TL231", on="log")
def in_log(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The error of cuDNN in a log, although nothing here mixes releases: that process found another cuDNN."""
    first, copies = log.first, copies_of(context, _FIRST)
    if first is None or "TL231" not in first.rules or not copies or any(each.rule == "TL231" for each in found):
        return
    owner = owner_of(context, copies[0])
    yield context.finding(
        "TL231",
        "warning",
        f"the process in the log took a part of another cuDNN than {owner} {context.version(owner)}".rstrip(),
        "torch",
        *filter(None, [owner]),
        path=copies[0],
        expected_error=first.text,
        strength=Strength.RAN,
    )
