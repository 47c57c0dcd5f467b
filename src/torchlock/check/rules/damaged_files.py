"""TL601, TL602 and TL607: files that were deleted, truncated or changed after the installation."""

from __future__ import annotations

import os
import re
from itertools import groupby, islice
from typing import TYPE_CHECKING

from torchlock.check.damage import in_place_of_library, why_damaged
from torchlock.check.loader_messages import no_library
from torchlock.check.relevance import is_hidden, is_vital, module_of, needed_by_stack
from torchlock.check.rules.letter_case import in_other_case
from torchlock.check.rules.libsndfile import machine_has_libsndfile
from torchlock.finding import Remedy
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.import_graph import files_read, lost_modules, no_module
from torchlock.inspect.library import is_library
from torchlock.inspect.loading.imports import choices
from torchlock.inspect.source import parsed
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import FAMILY, STACK
from torchlock.patterns import pattern
from torchlock.runtime.files import read as read_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.integrity import Checked, Fault

_LARGEST = 4 << 20
_LOST = ("missing", "irregular")
_BROKEN = ("truncated", "empty", "zeros", "pointer", "link", "page")
_CHANGED = ("size", "hash")
# torch needs both of these: it runs the first much later, and opens the second by its path.
_ALWAYS = ("torch_shm_manager", "libtorch_global_deps")
# Libraries of numpy whose ImportError makes the import of torch fail, too; torch only tolerates a missing numpy.
# If one of these files is missing, numpy counts as missing, except for _NUMPYS_FIRST.
_NUMPYS = pattern(r"[/\\]numpy(\.libs[/\\]|[/\\]_?core[/\\]_multiarray_umath|[/\\]linalg[/\\]_umath_linalg)")
_NUMPYS_FIRST = pattern(r"[/\\]numpy(\.libs[/\\]|[/\\]_?core[/\\](_multiarray_umath|multiarray\.py$))")
_NUMPY_ITSELF = pattern(r"[/\\]numpy[/\\]__init__\.py$")
# Libraries that every import of torch loads.
_CORE = pattern(r"[/\\]torch[/\\](lib[/\\](lib)?(c10|shm|torch|torch_cpu|torch_python)\.(so|dylib|dll)|_C\.)")
# Libraries of torchaudio that only some calls open, and the module that wraps its library; it may be absent.
_OPTIONAL = pattern(r"prefixctc|_sox|ffmpeg|flashlight|ctc_prefix")
_DISPENSABLE = pattern(rf"^_torchaudio\.|{_OPTIONAL.pattern}")


@rule("TL601", "TL602", "TL607")
def damaged(context: CheckContext) -> Iterator[Finding]:
    """Files that are missing, truncated or changed, by distribution."""
    named = (*STACK, *needed_by_stack(context))
    faults = sorted(context.integrity.faults, key=lambda fault: fault.distribution)
    by_name = {checked.distribution.name: checked for checked in context.integrity.checked}
    for name, group in groupby(faults, key=lambda fault: fault.distribution):
        checked = by_name.get(name)
        if name not in named or checked is None or checked.is_hollow or is_hidden(context, checked.distribution):
            continue
        mine = [fault for fault in group if not _is_compiled(fault) and not _is_description(fault)]
        yield from _lost(context, checked, [fault for fault in mine if fault.kind in _LOST])
        yield from _damaged(context, name, [fault for fault in mine if fault.kind in _BROKEN])
        yield from _changed(context, name, [fault for fault in mine if fault.kind in _CHANGED])
        yield from _closed(context, name, [fault for fault in mine if fault.kind == "unreadable"])


def _is_compiled(fault: Fault) -> bool:
    """Whether a compiled file replaces a missing source file; Python imports it instead (PEP 3147)."""
    return fault.kind == "missing" and fault.path.endswith(".py") and os.path.isfile(fault.path + "c")


def _is_description(fault: Fault) -> bool:
    """Whether another METADATA is there than the record says, which shows nothing.

    The wheels of torchaudio 0.10.0 to 0.11.0 and torchvision 0.11.1 and 0.12.0 are so on the index themselves.
    """
    return fault.kind in _CHANGED and re.search(r"\.(dist|egg)-info[/\\]", fault.path) is not None


def _lost(context: CheckContext, checked: Checked, faults: Sequence[Fault]) -> Iterator[Finding]:
    """Missing files: an error if the import needs one of them, a warning if it may."""
    name = checked.distribution.name
    if not faults or in_other_case(context, name):
        return
    needed, perhaps = _read_at_import(context, name, faults)
    first = (needed or perhaps or list(faults))[0]
    count = max(checked.missing, len(faults))
    if count == 1:
        message = f"{name} lacks a file that was installed with it, {_short(context, first.path)}"
    else:
        of = f" of {checked.recorded}" if checked.recorded else ""
        short = _short(context, first.path)
        message = f"{name} lacks {count}{of} files that were installed with it, {short} among them"
    core = next(filter(_is_core_of_numpy, faults), None)
    if core is not None:
        expected_error = (
            "ImportError: Error importing numpy: you should not try to import numpy from its source directory"
        )
        yield context.finding("TL601", "error", message, name, path=core.path, expected_error=expected_error)
    elif needed:
        severity = severity_of(fails=is_vital(name))
        expected_error = _no_module(context, checked, first.path) if first.path.endswith(".py") else ""
        yield context.finding("TL601", severity, message, name, path=first.path, expected_error=expected_error)
    elif perhaps:
        user = _unseen_by(context, first.path) or _beside(context, name, first.path)
        message += f"; {user} needs it" if user else "; its import may work without it"
        on_path = f"; Windows may find another {os.path.basename(first.path)} on the PATH"
        because = f"{_UNENDED}{on_path}" if user and context.operating_system == "windows" else None
        lacks = tuple(os.path.basename(each.path) for each in perhaps if is_library(each.path))
        yield context.finding("TL601", "warning", message, name, path=first.path, because=because, lacks=lacks)
    else:
        message += f"; its import does not need {'it' if count == 1 else 'them'}"
        yield context.finding("TL601", "note", message, name, path=first.path)


# More DLLs than torch has in its folder.
_DLLS = 200
_UNENDED = "an interrupted install or deleted files left only a part of the package"


def _unseen_by(context: CheckContext, path: str) -> str:
    """The library of the stack that needs a missing one, if the machine may have another; "" if none does."""
    lost = os.path.basename(path).lower()
    unseen = (each for attempt in context.attempts for each in attempt.outcome.unseen)
    return next((os.path.basename(each.wanted_by) for each in unseen if each.name.lower() == lost), "")


def _beside(context: CheckContext, name: str, path: str) -> str:
    """A DLL of torch that needs the one that is missing: on Windows, torch opens all DLLs of its folder."""
    if name != "torch" or context.operating_system != "windows":
        return ""
    folder, lost = os.path.dirname(path), os.path.basename(path).lower()
    for other in islice((each for each in context.environment.tree.names(folder) if is_library(each)), _DLLS):
        binary = read_binary(os.path.join(folder, other))
        needed = binary.needed if isinstance(binary, Binary) else ()
        if any(each.name.lower() == lost and not each.delayed for each in needed):
            return other
    return ""


def _is_core_of_numpy(fault: Fault) -> bool:
    """Whether numpy fails without this file, and does not count as absent.

    The files of an older numpy may be there under a later record. A file in the record counts only if its package
    exists.
    """
    folder = os.path.dirname(fault.path)
    if _NUMPY_ITSELF.search(fault.path):
        return os.path.isdir(folder)
    is_there = "numpy.libs" in folder or os.path.isfile(os.path.join(folder, "__init__.py"))
    return is_there and _NUMPYS_FIRST.search(fault.path) is not None


def _may_be_stripped(path: str) -> bool:
    """Libraries that slim images remove on purpose, and that no import opens."""
    parts = path.replace("\\", "/").split("/")
    return any(part in ("test", "tests", "bin") for part in parts) and parts[-1] not in _ALWAYS


def _read_at_import(context: CheckContext, name: str, faults: Sequence[Fault]) -> tuple[list[Fault], list[Fault]]:
    """The missing files that the import needs, and those that it may need."""
    certain = [fault for fault in faults if os.path.basename(fault.path).startswith(_ALWAYS)]
    perhaps: list[Fault] = []
    libraries = [each for each in faults if is_library(each.path) and not _may_be_stripped(each.path)]
    libraries = [each for each in libraries if each not in certain]
    if _does_without_libraries(context, name):
        libraries = []
    for each in libraries:
        needed = not _loads_without(context, name) and not _DISPENSABLE.search(os.path.basename(each.path))
        (certain if needed else perhaps).append(each)
    copy = context.copy(module_of(name))
    lost = {os.path.normpath(fault.path): fault for fault in faults if fault.path.endswith(".py")}
    if copy is None or copy.kind == "module":
        certain += [fault for fault in lost.values() if os.path.basename(fault.path) == f"{module_of(name)}.py"]
    elif lost:
        read, likely = files_read(copy.path, lost)
        certain += [lost[path] for path in sorted(read)]
        perhaps += [lost[path] for path in sorted(likely)]
    return certain, perhaps


def _does_without_libraries(context: CheckContext, name: str) -> bool:
    """Whether a package works without its missing libraries.

    torchaudio works in Python only, torchcodec with the libraries for the installed FFmpeg, and soundfile with the
    libsndfile of the machine.
    """
    copy = context.copy(name)
    if name == "soundfile":
        return machine_has_libsndfile(context) is True
    if name == "torchcodec":
        return any(all(each.outcome.loads for each in group) for group in choices(context.attempts).values())
    if name != "torchaudio" or copy is None or copy.kind != "package":
        return False
    inside = context.environment.tree.names(os.path.join(copy.path, "lib"))
    return bool(inside) and not any(is_library(each) for each in inside)


def _loads_without(context: CheckContext, name: str) -> bool:
    """Whether torch's libraries load as they are, so that its import does not need the missing ones."""
    opened = [attempt for attempt in context.attempts if attempt.package == name and attempt.role == "import"]
    return name == "torch" and bool(opened) and all(attempt.outcome.loads for attempt in opened)


def _no_module(context: CheckContext, checked: Checked, path: str) -> str:
    """What Python says where an import needs a missing source file."""
    site = os.path.dirname(checked.distribution.path)
    inner = os.path.relpath(path, site).removesuffix(".py").removesuffix(f"{os.sep}__init__")
    name, copy = inner.replace(os.sep, "."), context.copy(module_of(checked.distribution.name))
    lost = lost_modules(copy.path) if copy is not None and copy.kind == "package" else []
    said = next((each.error for each in lost if each.name == name and each.error.startswith("ImportError")), "")
    return said or no_module(site, name)


def _damaged(context: CheckContext, name: str, faults: Sequence[Fault]) -> Iterator[Finding]:
    """Libraries that the loader refuses."""
    for fault in faults[:3]:
        what = f"{in_place_of_library(fault.kind)}"
        if fault.kind == "truncated" and fault.expected:
            what += f": it has {fault.found} of {fault.expected} bytes"
        opened = not _may_be_stripped(fault.path) and not _loads_without(context, name)
        opened = opened and not _OPTIONAL.search(os.path.basename(fault.path))
        vital = (is_vital(name) and opened) or bool(_NUMPYS.search(fault.path))
        severity = severity_of(fails=vital)
        expected_error = no_library(context, fault.path, kind=fault.kind)
        message = f"{_short(context, fault.path)} of {name} {what}"
        because = why_damaged(fault.kind) or None
        yield context.finding(
            "TL607", severity, message, name, path=fault.path, because=because, expected_error=expected_error
        )


def _changed(context: CheckContext, name: str, faults: Sequence[Fault]) -> Iterator[Finding]:
    """Files whose size or content differs from the record. Truncated files break; edited files may work."""
    modules = [fault for fault in faults if fault.path.endswith(".py")]
    spoiled = {fault.path: what for fault in modules if (what := _spoiled(fault))}
    for fault in [fault for fault in faults if fault.path in spoiled][:3]:
        copy = context.copy(module_of(name))
        read = copy is not None and (copy.path == fault.path or bool(files_read(copy.path, [fault.path])[0]))
        severity = severity_of(fails=is_vital(name) and read)
        message = f"{_short(context, fault.path)} of {name} is damaged: it {spoiled[fault.path]}"
        expected_error = "SyntaxError: invalid syntax" if "Python" in spoiled[fault.path] else ""
        because = "its size or content is not the one that the installer recorded"
        yield context.finding(
            "TL602", severity, message, name, path=fault.path, because=because, expected_error=expected_error
        )
    rest = [fault for fault in faults if fault.path not in spoiled]
    libraries = [fault for fault in rest if fault.kind == "hash" and is_library(fault.path)]
    if libraries and name in FAMILY:
        fault = libraries[0]
        message = f"{_short(context, fault.path)} of {name} has the recorded size, but not the recorded content"
        yield context.finding("TL602", "warning", message, name, path=fault.path)
    elif rest:
        count = f"{len(rest)} files" if len(rest) > 1 else _short(context, rest[0].path)
        named = ", ".join(_short(context, fault.path) for fault in rest[:3]) if len(rest) > 1 else ""
        more = f", and {len(rest) - 3} more" if len(rest) > 3 else ""
        message = f"{count} of {name} changed after the installation{f': {named}{more}' if named else ''}"
        yield context.finding("TL602", "note", message, name, path=rest[0].path)


def _spoiled(fault: Fault) -> str:
    """What happened to a source file, as the end of a sentence; "" for an edited file.

    A file that only a later Python can parse looks broken here. An editor does not cut a file in the middle of a
    line; an interrupted installation does.
    """
    try:
        content = read_file(fault.path, _LARGEST)
    except OSError:
        return ""
    if not content:
        return "is empty"
    if parsed(fault.path) is None:
        return "is not valid Python"
    lost = fault.kind == "size" and len(content) < int(fault.expected or 0)
    return f"is truncated after {len(content)} of {fault.expected} bytes" if lost and content[-1:] != b"\n" else ""


def _closed(context: CheckContext, name: str, faults: Sequence[Fault]) -> Iterator[Finding]:
    if faults:
        needed = _read_at_import(context, name, faults)[0]
        needed += [fault for fault in faults if _CORE.search(fault.path)]
        fault = (needed or faults)[0]
        message = f"{_short(context, fault.path)} of {name} cannot be read ({fault.found or 'permission denied'})"
        severity = severity_of(fails=bool(needed) and is_vital(name))
        expected_error = (
            f"PermissionError: [Errno 13] Permission denied: '{fault.path}'" if fault.path.endswith(".py") else ""
        )
        remedy = Remedy(
            "Allow all users to read the package: the user who installed it runs chmod -R a+rX on its folder."
        )
        because = "this user has no permission to read it"
        yield context.finding(
            "TL601",
            severity,
            message,
            name,
            path=fault.path,
            because=because,
            expected_error=expected_error,
            remedy=remedy,
        )


def _short(context: CheckContext, path: str) -> str:
    """The path relative to the folder of packages, with forward slashes."""
    folders = [entry.path.rstrip("/\\") + os.sep for entry in context.environment.path if entry.kind != "current"]
    within = max((folder for folder in folders if path.startswith(folder)), key=len, default="")
    return path[len(within) :].replace("\\", "/")
