"""Look up a name that a log shows to be missing: in the installed files, and in the tables of releases."""

from __future__ import annotations

import ast
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock.answers import Unknown
from torchlock.check.relevance import owners_of
from torchlock.inspect.machine import suffix_of
from torchlock.inspect.module_names import ModuleNames
from torchlock.inspect.record import read_record
from torchlock.inspect.source import LARGEST
from torchlock.knowledge.names import history, is_module
from torchlock.runtime import files
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.check.tracebacks import Frame, MissingName
    from torchlock.knowledge.names import History

# Where torch lists its names, those of its C code among them.
_STUBS = ("__init__.py", "_C/__init__.pyi", "_C/_VariableFunctions.pyi")
_LISTED = re.compile(rb"(?m)^(?:def |class )?(\w{1,100})\b|^\s{1,20}\"?(\w{1,100})\"?,")
_INSTALLED = re.compile(r"[/\\](?:site|dist)-packages[/\\](.{1,300})$")


class Lookup(NamedTuple):
    """What is known of a missing name. ``lost`` is its shortest part that is not there.

    ``removed`` is the release that removed it, ``added`` the first later one with it; "" if there is none.
    ``is_nowhere``: no release has it. ``is_unloaded``: it is a module that nothing imported. ``is_read``: the
    installed files were read. ``lacks``: ``lost``, then the names that the line of code takes from it.
    """

    lost: str
    lacks: tuple[str, ...]
    removed: str = ""
    added: str = ""
    is_nowhere: bool = False
    is_unloaded: bool = False
    is_read: bool = True
    sources: tuple[str, ...] = ()


def looked_up(context: CheckContext, missing: MissingName) -> Lookup | None:
    """The result for a name that is not there; None if it is there, or its absence has another cause."""
    names = _names_of(context, missing.package)
    if names is None:
        return None
    lost = names.missing_part(missing.name)
    if not lost and not missing.by_import and names.is_unloaded(missing.name):
        return Lookup(missing.name, (missing.name,), is_unloaded=True, sources=("names-in-wheels",))
    version = _version(context, missing.package)
    part = history(lost) if lost and version else None
    if lost and (missing.package == "torch" or (part is not None and part.has(version))):
        lost = missing.name  # Python names the first part that is missing.
    known = history(lost or missing.name) if version else None
    has = known.has(version) if known else None
    there = False if lost else _is_there(context, missing, names)
    if there is True or has is True or _is_recorded(context, missing) or (there is not False and known is None):
        return None
    return _with_history(missing, names, lost, known, version)


def is_lacking(context: CheckContext, missing: MissingName) -> bool:
    """Whether the installed files themselves show that a name is not there."""
    names = _names_of(context, missing.package)
    if names is None:
        return False
    return bool(names.missing_part(missing.name)) or names.defines(missing.name) is False


def _is_there(context: CheckContext, missing: MissingName, names: ModuleNames) -> bool | Unknown:
    """Whether a name that no file proves to be missing is there; torch's stubs list what its C code defines."""
    found = names.defines(missing.name)
    package, _, name = missing.name.partition(".")
    copy = context.copy(package)
    if found is True or package != "torch" or "." in name or copy is None:
        return found
    texts = [_text(os.path.join(copy.path, *path.split("/"))) for path in _STUBS]
    if not all(texts):
        return found
    if any(name.encode() in match.groups() for text in texts for match in _LISTED.finditer(text)):
        return True
    return found if any(name.encode() in text for text in texts) else False


def _text(path: str) -> bytes:
    try:
        return files.read(path, LARGEST)
    except (OSError, ValueError):
        return b""


def _with_history(
    missing: MissingName, names: ModuleNames, lost: str, known: History | None, version: str
) -> Lookup:
    name = lost or missing.name
    lacks = (name, *(f"{name}.{each}" for each in _taken(missing.caller, name)))
    is_read = bool(lost) and not names.is_open
    if known is None:
        return Lookup(name, lacks, is_read=is_read, sources=())
    return Lookup(
        name,
        lacks,
        known.removed_in(version),
        known.added_in(version),
        is_nowhere=not known.having and is_read,
        is_read=is_read,
        sources=known.sources,
    )


def contradiction(context: CheckContext, missing: MissingName) -> str:
    """Why a log does not show the environment as it is now: the files define what it lacks; else ""."""
    names = _names_of(context, missing.package)
    if (
        names is None
        or missing.partly
        or shadowing_file(context, missing)
        or (not missing.by_import and names.is_unloaded(missing.name))
    ):
        return ""
    version, lost = _version(context, missing.package), names.missing_part(missing.name)
    known = history(missing.name) if version else None
    if _is_of_other_python(context, missing.name) or (not missing.by_import and is_module(missing.name)):
        return ""
    is_there = not lost and _is_there(context, missing, names) is True
    if not is_there and not (known is not None and known.has(version) and (not lost or names.is_open)):
        return ""
    here = context.named(missing.package)
    alive = "; a process that ran while the package was changed must be restarted" if missing.asker else ""
    return (
        f"the log is of another environment or state: {here}, which is installed here, has {missing.name}{alive}"
    )


def _is_of_other_python(context: CheckContext, dotted: str) -> bool:
    """Whether a name is an extension module of which the package has only files for other Pythons."""
    package, *inner = dotted.split(".")
    copy, mine = context.copy(package), context.python_minor
    if copy is None or not inner or not mine:
        return False
    names = context.environment.tree.names(os.path.join(copy.path, *inner[:-1]))
    found = [suffix_of(name) for name in names if name.partition(".")[0] == inner[-1]]
    pythons = {suffix.python for suffix in found if suffix is not None}
    return bool(pythons - {""}) and not {"", mine} & pythons


def shadowing_file(context: CheckContext, missing: MissingName) -> str:
    """The user's own file or folder that the error names as the module; "" if it names none, or the package's."""
    copy = context.copy(missing.package)
    if not missing.file or copy is None or copy.kind != "package" or "-packages" in missing.file:
        return ""
    path = missing.file.replace("\\", "/")
    is_of_copy = missing.file.startswith(copy.path) or f"{copy.path}/".endswith(f"{os.path.dirname(path)}/")
    name = re.escape(missing.package)
    match = re.search(rf"^(.*?(?:^|/){name})(?:\.py$|/)", path)
    if match is None or is_of_copy:
        return ""
    return missing.file if path.endswith(f"{missing.package}.py") else missing.file[: len(match[1])]


def owner_of(context: CheckContext, caller: Frame | None) -> str:
    """The distribution that installed a caller's file; "" for own code, and if it is unknown."""
    match = _INSTALLED.search(caller.path) if caller is not None else None
    if match is None:
        return ""
    path = match[1].replace("\\", "/")
    top = path.partition("/")[0].removesuffix(".py")
    if context.copy(top) is not None:
        return top
    found = next(iter(sorted(owners_of(context, [path]))), "")
    # A file that this release does not have still belongs to the package whose folder has the name of a project.
    name = normalise(top)
    return found or (name if context.installed.get(name) is not None else "")


def _names_of(context: CheckContext, package: str) -> ModuleNames | None:
    copy = context.copy(package)
    if copy is None or copy.kind not in ("package", "editable", "module" if package == "soundfile" else ""):
        return None
    return ModuleNames(copy.path)


def _version(context: CheckContext, package: str) -> str:
    pin = context.pins.get(package)
    return "" if pin is None or pin.unversioned else pin.version.public


def _is_recorded(context: CheckContext, missing: MissingName) -> bool:
    """Whether the record lists a missing module, so that the package is damaged."""
    record = context.record(missing.package)
    rows = read_record(record) if record is not None else ()
    stem = missing.name.replace(".", "/")
    wanted = (f"{stem}.py", f"{stem}/__init__.py")
    return any(row.path in wanted for row in (() if isinstance(rows, str) else rows))


def _taken(caller: Frame | None, module: str) -> list[str]:
    """The names that a line of code takes from a module: ``from torch._six import string_classes``."""
    if caller is None or not caller.code.startswith("from "):
        return []
    try:
        (statement,) = ast.parse(caller.code.rstrip("( \\")).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    if not isinstance(statement, ast.ImportFrom) or statement.module != module:
        return []
    return [alias.name for alias in statement.names if alias.name != "*"]
