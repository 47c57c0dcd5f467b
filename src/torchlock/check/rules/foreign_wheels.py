"""TL608: extension modules for another Python, libraries for another machine, wrong tags and labels.

The tag of a wheel and the label of a build are claims; the files decide. A difference is reported, because
installers follow the name.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.loader_messages import of_other_machine
from torchlock.inspect.binaries import read_binary
from torchlock.inspect.library import is_library
from torchlock.inspect.machine import machine_in, suffix_of
from torchlock.inspect.tree_platform import machine_of_tag
from torchlock.knowledge.build_labels import describe_build, kind_of
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import MEMBERS
from torchlock.patterns import pattern
from torchlock.runtime.files import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.distributions import Distribution
    from torchlock.inspect.modules import ModuleCopy

_PYTHON_DLL = pattern(r"python(\d)(\d{1,2})\.dll", re.IGNORECASE)
_FOLDERS = ("", "lib", "torio/lib")
# One library usually represents all of a wheel. A few more are read to find mixed wheels.
_ASKED = 12
# torch and numpy contain other libraries for their tests; these are the ones that their import opens.
_OPENED = {
    "torch": re.compile(r"(_C|(lib)?(torch|torch_(cpu|python|cuda|hip|global_deps)|c10|c10_(cuda|hip)|shm))\."),
    "numpy": re.compile(r"_?multiarray(_umath)?\."),
}
SYSTEMS = {"linux": "Linux", "macos": "macOS", "windows": "Windows"}


@rule("TL608")
def foreign_files(context: CheckContext) -> Iterator[Finding]:
    """At most one finding for each package: modules for another Python, or libraries for another machine."""
    for name in (name for name, member in MEMBERS.items() if member.is_compiled):
        copy = context.copy(name)
        if copy is not None and copy.kind in ("package", "editable"):
            libraries = list(_libraries(context, copy))
            found = _other_python(context, copy, libraries) or _other_machine(context, copy, libraries)
            if found is not None:
                yield found


@rule("TL605", "TL608")
def mislabelled(context: CheckContext) -> Iterator[Finding]:
    """Wheels whose tag differs from the platform of their libraries, and labels that differ from the build."""
    for name in (name for name, member in MEMBERS.items() if member.is_compiled):
        copy, record = context.copy(name), context.record(name)
        if copy is None or copy.kind != "package":
            continue
        if record is not None and (found := _other_tag(context, copy, record)) is not None:
            yield found
        if (found := _other_label(context, copy)) is not None:
            yield found


def _other_label(context: CheckContext, copy: ModuleCopy) -> Finding | None:
    called, shown = context.labelled(copy.name), context.label(copy.name)
    if called == shown or kind_of(called) not in ("cpu", "cuda") or (shown and kind_of(shown) is None):
        return None
    truth = describe_build(shown) or "for CUDA, by its libraries"
    version = context.pins[copy.name].version.public
    message = f"{copy.name} is labelled {version}+{called}, but its files are from another build: {truth}"
    because = "installers read the label; the files of a package decide how it loads"
    return context.finding("TL605", "warning", message, copy.name, path=copy.path, because=because)


def _other_tag(context: CheckContext, copy: ModuleCopy, record: Distribution) -> Finding | None:
    tagged = [machine_of_tag(tag.rpartition("-")[2]) for tag in record.tags]
    machine = next(filter(None, map(machine_in, _libraries(context, copy))), None)
    if machine is None or not tagged or None in tagged:
        return None
    if any(
        each and each.system == machine.system and set(each.machines) & set(machine.machines) for each in tagged
    ):
        return None
    theirs = f"{SYSTEMS[machine.system]} ({', '.join(machine.machines)})"
    message = (
        f"the wheel of {context.named(copy.name)} is tagged {record.tags[0]}, but its libraries are for {theirs}"
    )
    because = "installers read the tag; the header of a library decides where it loads"
    return context.finding("TL608", "note", message, copy.name, path=record.path, because=because)


def _libraries(context: CheckContext, copy: ModuleCopy) -> Iterator[str]:
    for folder in ("core", "_core") if copy.name == "numpy" else _FOLDERS:
        path = os.path.join(copy.path, *folder.split("/")) if folder else copy.path
        names = [name for name in sorted(context.environment.tree.names(path)) if is_library(name)]
        opened = _OPENED.get(copy.name)
        yield from [os.path.join(path, name) for name in names if not opened or opened.match(name)][:_ASKED]


def _other_python(context: CheckContext, copy: ModuleCopy, libraries: list[str]) -> Finding | None:
    """Modules whose names have a Python version, if none of them is for this Python."""
    interpreter = context.environment.interpreter
    ours = ".".join(interpreter.version.split(".")[:2])
    found = [
        (path, suffix) for path in libraries if (suffix := suffix_of(os.path.basename(path))) and suffix.python
    ]
    if not ours:
        return None
    if not found:
        return _linked_to_other_python(context, copy, libraries)
    if any(suffix.python == ours and suffix.threads == interpreter.free_threaded for _, suffix in found):
        return None
    path, suffix = found[0]
    theirs = f"Python {suffix.python}" + (" without the GIL" if suffix.threads else "")
    mine = f"Python {ours}" + (" without the GIL" if interpreter.free_threaded else "")
    message = f"{context.named(copy.name)} was built for {theirs}, this is {mine}"
    module = os.path.basename(path).partition(".")[0]
    expected_error = f"ModuleNotFoundError: No module named '{copy.name}.{module}'"
    variable = copy.entry.path if copy.entry is not None and copy.entry.kind == "pythonpath" else ""
    because = f"PYTHONPATH names {variable}, which has packages for that Python" if variable else None
    return context.finding(
        "TL608", _severity(copy), message, copy.name, path=path, because=because, expected_error=expected_error
    )


def _linked_to_other_python(context: CheckContext, copy: ModuleCopy, libraries: list[str]) -> Finding | None:
    """Modules of Windows without a Python version in their names: the DLL of Python that they import decides."""
    ours = context.python_minor
    if context.operating_system != "windows" or context.environment.interpreter.free_threaded:
        return None
    for path in (each for each in libraries if each.endswith(".pyd") and os.path.dirname(each) == copy.path):
        module = os.path.basename(path).partition(".")[0]
        binary = read_binary(path)
        needed = (
            [] if isinstance(binary, Unreadable) else [each.name for each in binary.needed if not each.delayed]
        )
        theirs = [match for match in map(_PYTHON_DLL.fullmatch, needed) if match is not None]
        if theirs and all(f"{match[1]}.{match[2]}" != ours for match in theirs):
            message = f"{context.named(copy.name)} was built for Python {theirs[0][1]}.{theirs[0][2]}"
            return context.finding(
                "TL608",
                _severity(copy),
                f"{message}, this is Python {ours}: {os.path.basename(path)} needs {theirs[0][0]}",
                copy.name,
                path=path,
                expected_error=f"ImportError: DLL load failed while importing {module}: The specified module "
                "could not be found.",
            )
    return None


def _severity(copy: ModuleCopy) -> str:
    """A numpy that exists but does not load makes the import of torch fail."""
    return severity_of(fails=MEMBERS[copy.name].vital)


def has_other_machine(context: CheckContext, copy: ModuleCopy) -> bool:
    """Whether the own libraries of a package are for another machine, which ``foreign_files`` reports."""
    return _other_machine(context, copy, list(_libraries(context, copy))) is not None


def _other_machine(context: CheckContext, copy: ModuleCopy, libraries: list[str]) -> Finding | None:
    """Libraries for another architecture or system than the interpreter's."""
    target = context.target
    if target is None:
        return None
    for path in libraries:
        machine = machine_in(path)
        if machine is None:
            continue
        platform = target.platform
        if machine.system != platform.system or platform.machine not in machine.machines:
            theirs = f"{SYSTEMS[machine.system]} ({', '.join(machine.machines)})"
            mine = f"{SYSTEMS[platform.system]} ({platform.machine})"
            message = f"{context.named(copy.name)} was built for {theirs}, this Python is for {mine}"
            return context.finding(
                "TL608",
                _severity(copy),
                message,
                copy.name,
                path=path,
                expected_error=of_other_machine(context, path, path, machine.machines, of_system=machine.system),
            )
    return None
