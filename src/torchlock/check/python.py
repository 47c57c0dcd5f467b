"""The modules of Python itself that torch imports: hidden by files of one's own, or not there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.check.host import install_runtime
from torchlock.check.places import is_there
from torchlock.finding import Command, Remedy
from torchlock.inspect.loading.imports import extension_of_python

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.scene import Scene
    from torchlock.finding import Finding

# Held against a real import: each of these ends it. Of others that torch imports a file of one's own may do.
_OF_PYTHON = (
    "dataclasses", "enum", "inspect", "logging", "platform", "queue", "random", "tokenize", "types", "typing",
)  # fmt: skip


def own_modules(scene: Scene) -> Iterator[Finding]:
    """A file of one's own called like a module of Python that torch imports, where Python looks before its own."""
    if not any(entry.kind == "stdlib" for entry in scene.environment.path) or not is_there(scene, "torch"):
        return
    for entry in scene.environment.path:
        if entry.kind == "stdlib":
            return
        names = scene.environment.tree.names(entry.path) if entry.state == "folder" else {}
        for name in _OF_PYTHON:
            inside = scene.environment.tree.names(os.path.join(entry.path, name)) if name in names else {}
            path = os.path.join(entry.path, name if "__init__.py" in inside else f"{name}.py")
            if names.get(f"{name}.py") == "file" or "__init__.py" in inside:
                message = f"{path}, of your own, is imported in place of Python's module {name}, which torch needs"
                because = f"it comes first: {entry.because}"
                says = f"AttributeError: partially initialized module '{name}' has no attribute …"
                yield scene.finding("TL606", "error", message, "torch", path=path, because=because, says=says)
                return


def ctypes(scene: Scene) -> Iterator[Finding]:
    """A Python without the module by which torch opens libraries, or whose module lacks libffi."""
    python = scene.environment.interpreter
    if not scene.live or python.implementation != "cpython" or not python.builtin or not is_there(scene, "torch"):
        return
    name, version = "_ctypes", f"Python {python.version}"
    if name in python.builtin:
        return
    path = extension_of_python(scene.environment, name)
    if path is None:
        message = f"this {version} was built without its module {name}, by which torch opens libraries"
        says = f"ModuleNotFoundError: No module named '{name}'"
        because = "Python leaves the module out where it finds no headers of libffi when it is built"
        yield _unbuilt(scene, message, python.prefix, because, says)
        return
    for attempt in scene.attempts:
        lost = attempt.outcome.missing if attempt.package == "python" else ()
        if lost:
            message = f"the module {name} of {version} needs {lost[0].name}, which is not found"
            says = f"ImportError: {lost[0].name}: cannot open shared object file: No such file or directory"
            because = "this Python was built against a libffi that is no longer there"
            yield _unbuilt(scene, message, path, because, says)


def _unbuilt(scene: Scene, message: str, path: str, because: str, says: str) -> Finding:
    remedy = _built_anew(scene)
    sources = ("python-devguide",)
    return scene.finding(
        "TL610", "error", message, "torch", path=path, because=because, says=says, remedy=remedy, sources=sources
    )


def _built_anew(scene: Scene) -> Remedy:
    """Build this Python once more, with libffi there; what pyenv built it builds again in the same place."""
    python = scene.environment.interpreter
    if scene.environment.conda:
        line = "conda install -y --force-reinstall python libffi"
        return Remedy("Install Python and libffi of this environment anew.", commands=(Command("conda", line),))
    headers = install_runtime(scene, "libffi", "ffi.h")
    install = headers.commands[0].line if headers.commands else ""
    parts = python.base_prefix.replace("\\", "/").split("/")
    summary = "Install the headers of libffi, and build this Python anew"
    if parts[-3:-1] == [".pyenv", "versions"]:
        line = " && ".join(filter(None, (install, f"pyenv install --force {parts[-1]}")))
        return Remedy(f"{summary}.", commands=(Command("system", line),))
    return Remedy(f"{summary}: {install} brings the first." if install else f"{summary}.")
