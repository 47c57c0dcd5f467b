"""TL608: extension modules of another Python, libraries of another machine."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.scene import VITAL
from torchlock.inspect import files
from torchlock.inspect.library import is_library
from torchlock.inspect.machine import HEAD, machine_of, suffix_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.scene import Scene
    from torchlock.finding import Finding
    from torchlock.inspect.modules import Copy

_FOLDERS = ("", "lib", "torio/lib")
# One library of a wheel tells for all of them; a few are asked for the sake of mixed ones.
_ASKED = 12
# Of torch and numpy, which bring others for their tests: those that their import opens.
_OPENED = {
    "torch": re.compile(r"(_C|(lib)?(torch|torch_(cpu|python|cuda|hip|global_deps)|c10|c10_(cuda|hip)|shm))\."),
    "numpy": re.compile(r"_?multiarray(_umath)?\."),
}
_SYSTEMS = {"linux": "Linux", "macos": "macOS", "windows": "Windows"}


def strangers(scene: Scene) -> Iterator[Finding]:
    """At most one finding a package: its modules are for another Python, or its libraries for another machine."""
    for name in (*VITAL, "torchvision", "torchcodec", "torchtext", "numpy"):
        copy = scene.copy(name)
        if copy is not None and copy.kind in ("package", "editable"):
            libraries = list(_libraries(scene, copy))
            found = _other_python(scene, copy, libraries) or _other_machine(scene, copy, libraries)
            if found is not None:
                yield found


def _libraries(scene: Scene, copy: Copy) -> Iterator[str]:
    for folder in ("core", "_core") if copy.name == "numpy" else _FOLDERS:
        path = os.path.join(copy.path, *folder.split("/")) if folder else copy.path
        names = [name for name in sorted(scene.environment.tree.names(path)) if is_library(name)]
        opened = _OPENED.get(copy.name)
        yield from [os.path.join(path, name) for name in names if not opened or opened.match(name)][:_ASKED]


def _other_python(scene: Scene, copy: Copy, libraries: list[str]) -> Finding | None:
    """Modules whose names carry a Python, none of which is this one."""
    interpreter = scene.environment.interpreter
    ours = ".".join(interpreter.version.split(".")[:2])
    found = [
        (path, suffix) for path in libraries if (suffix := suffix_of(os.path.basename(path))) and suffix.python
    ]
    if not ours or not found:
        return None
    if any(suffix.python == ours and suffix.threads == interpreter.free_threaded for _, suffix in found):
        return None
    path, suffix = found[0]
    theirs = f"Python {suffix.python}" + (" without the global lock" if suffix.threads else "")
    mine = f"Python {ours}" + (" without the global lock" if interpreter.free_threaded else "")
    message = f"{scene.named(copy.name)} was built for {theirs}, this is {mine}"
    module = os.path.basename(path).partition(".")[0]
    says = f"ModuleNotFoundError: No module named '{copy.name}.{module}'"
    return scene.finding("TL608", _severity(copy), message, copy.name, path=path, says=says)


def _severity(copy: Copy) -> str:
    """A numpy that is there and does not load takes torch with it."""
    return "error" if copy.name in (*VITAL, "numpy") else "warning"


def _other_machine(scene: Scene, copy: Copy, libraries: list[str]) -> Finding | None:
    """Libraries of another architecture or system than the interpreter's."""
    target = scene.target
    if target is None:
        return None
    for path in libraries:
        try:
            machine = machine_of(files.read(path, HEAD))
        except OSError:
            continue
        if machine is None:
            continue
        platform = target.platform
        if machine.system != platform.system or platform.machine not in machine.machines:
            theirs = f"{_SYSTEMS[machine.system]} ({', '.join(machine.machines)})"
            mine = f"{_SYSTEMS[platform.system]} ({platform.machine})"
            message = f"{scene.named(copy.name)} was built for {theirs}, this Python is for {mine}"
            return scene.finding(
                "TL608",
                _severity(copy),
                message,
                copy.name,
                path=path,
                says=_says(path, machine.system, platform.system, machine.machines),
            )
    return None


def _says(path: str, theirs: str, mine: str, machines: tuple[str, ...]) -> str:
    if mine == "macos":
        return f"ImportError: dlopen({path}): incompatible architecture (have '{machines[0]}')"
    if mine == "windows":
        return "OSError: [WinError 193] %1 is not a valid Win32 application"
    wrong = "cannot open shared object file: No such file or directory" if theirs == mine else "invalid ELF header"
    return f"ImportError: {path}: {wrong}"
