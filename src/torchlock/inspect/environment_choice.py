"""Choose the environment if the user names none, and find the machine of a tree of files."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, NamedTuple

from torchlock.inspect.machine import HEAD, machine_of
from torchlock.inspect.tree_python import settings_of
from torchlock.knowledge.stack import CORE
from torchlock.patterns import pattern
from torchlock.runtime import files
from torchlock.runtime.programs import find_program

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_RELEASES = ("etc/os-release", "usr/lib/os-release", "etc/alpine-release", "etc/ld.so.cache")
# Files of pipx and uv in the environment of a tool.
_OF_TOOLS = ("pipx_metadata.json", "uv-receipt.toml")
# Folders in which uv, pipx and pre-commit keep environments of tools: caches, which they delete and make again.
_OF_CACHES = pattern(
    r"/(archive|environments|builds)-v\d{1,3}/|/uv/tools/|/pipx/(venvs|\.cache|shared)/|/pipx/[0-9a-f]{10,}/"
    r"|/pre-commit/repo[^/]+/|/py_env-[^/]+/"
)

_EXTENDED = "the environment that runs torchlock extends it"


class ActiveEnvironment(NamedTuple):
    """The environment that is meant: its interpreter, and half a sentence that says why this one.

    ``gone`` are variables that name another one, each with its folder, which does not exist. ``folder`` is the
    virtual environment in the current folder if it was found without being named; it is not trusted. ``looked``
    are the places without torch, if none has it, and no environment is named or belongs to the project.
    """

    python: str
    because: str
    gone: tuple[tuple[str, str], ...] = ()
    folder: str = ""
    looked: tuple[str, ...] = ()


def active_environment(environ: Mapping[str, str]) -> ActiveEnvironment:
    """The interpreter of the active environment: what is activated, else the one that has torch.

    Without an activated environment these are asked in turn: the one this program is installed in, ``.venv`` and
    ``venv`` in the current folder, and ``python`` on the PATH. If none has torch, the one of the project is meant,
    if there is one. The environment of a tool (pipx, uv, pre-commit) is never meant, but the one that it extends
    is. An environment without its interpreter is still the answer: it is named by its folder.
    """
    gone: list[tuple[str, str]] = []
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        folder = _extended(environ.get(name, ""))
        if folder and (name == "VIRTUAL_ENV" or environ.get("CONDA_DEFAULT_ENV") != "base"):
            found = next(_pythons_in(folder), None)
            if found or _is_environment(folder):
                return ActiveEnvironment(found or folder, f"{name} names it", tuple(gone))
            gone.append((name, folder))
    candidates = list(_candidates(environ))
    for python, where, folder in candidates:
        if _has_torch(python, environ):
            return ActiveEnvironment(python, f"{where} and has torch", tuple(gone), folder)
    looked = tuple(dict.fromkeys(python for python, _, _ in candidates))
    of_project = next((each for each in candidates if each[2] or each[1] == _EXTENDED), None)
    if of_project is None:
        return ActiveEnvironment("", "", tuple(gone), looked=looked or (os.path.abspath(".venv"), "PATH"))
    python, where, folder = of_project
    return ActiveEnvironment(python, f"{where}, and no other one has torch", tuple(gone), folder)


def is_of_tool(folder: str) -> bool:
    """Whether a folder is the environment of one tool, which its manager deletes and makes again."""
    path = os.path.abspath(folder).replace(os.sep, "/") + "/"
    return bool(_OF_CACHES.search(path)) or any(files.is_file(os.path.join(folder, name)) for name in _OF_TOOLS)


def _extended(folder: str) -> str:
    """The environment that one of a tool extends (``uv run --with``); "" if it extends none."""
    if not folder or not is_of_tool(folder):
        return folder
    return settings_of(folder, files.Tree()).get("extends-environment", "")


def base_of(folder: str) -> str | None:
    """The Python of this machine from which a virtual environment in the current folder was created.

    It answers for the environment, so that nothing runs that came with the folder: neither the environment's own
    interpreter nor a standard library that its ``pyvenv.cfg`` names. None if there is no such Python.
    """
    tree = files.Tree()
    settings = settings_of(folder, tree)
    version = re.match(r"\d\.\d+", settings.get("version", settings.get("version_info", "")))
    names = [f"python{version[0]}"] if version else []
    home = settings.get("home", "")
    named = [
        os.path.join(home, name) for name in (*names, "python3", "python", "python.exe") if os.path.isabs(home)
    ]
    project = _project()
    for path in (*_pythons_in(folder), *named) if settings else ():
        real = os.path.realpath(path)
        is_python = re.fullmatch(r"(?i)(python|pypy)\d*(\.\d+)?t?(\.exe)?", os.path.basename(real))
        inside = os.path.normcase(real).startswith(os.path.join(os.path.normcase(project), ""))
        if is_python and not inside and files.is_file(real) and os.access(real, os.X_OK):
            return real
    return None


def _project() -> str:
    """The folder that came as a whole with the current one: the repository that it is in, else itself."""
    from pathlib import Path

    from torchlock.runtime.project_folder import repository_of

    here = os.path.realpath(os.curdir)
    return str(repository_of(Path(here)) or here)


def _is_environment(folder: str) -> bool:
    """Whether a folder is an environment without its interpreter."""
    marks = ("pyvenv.cfg", "conda-meta", os.path.join("Lib", "site-packages"))
    if any(os.path.lexists(os.path.join(folder, each)) for each in marks):
        return True
    return os.path.lexists(os.path.join(folder, "bin", "python"))


def _candidates(environ: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """The interpreters to ask, each with where it was found, and its environment if nobody names that."""
    if not is_of_tool(sys.prefix):
        yield sys.executable, "it is the one that torchlock is installed in", ""
    elif base := _extended(sys.prefix):
        yield from ((path, _EXTENDED, "") for path in _pythons_in(base))
    for name in (".venv", "venv"):
        where = f"it is {name} in the current folder"
        yield from ((path, where, os.path.abspath(name)) for path in _pythons_in(name))
    conda = environ.get("CONDA_PREFIX", "")
    yield from ((path, "CONDA_PREFIX names it", "") for path in _pythons_in(conda))
    for name in ("python", "python3"):
        path = find_program(name)
        if path and not is_of_tool(os.path.dirname(os.path.dirname(path))):
            yield path, "it is on the PATH", ""


def _pythons_in(folder: str) -> Iterator[str]:
    for name in ("bin/python", "Scripts/python.exe", "python.exe"):
        path = os.path.abspath(os.path.join(folder, *name.split("/")))
        if folder and files.is_file(path):
            yield path


def _has_torch(python: str, environ: Mapping[str, str]) -> bool:
    """Whether an interpreter sees torch, by a quick check: in its own folders, the user's, and PYTHONPATH's."""
    prefix = os.path.dirname(os.path.dirname(os.path.abspath(python)))
    bases = [prefix]
    if not files.is_file(os.path.join(prefix, "pyvenv.cfg")):
        bases += ["/usr/local"] if prefix == "/usr" else []
        bases += [] if environ.get("PYTHONNOUSERSITE") else [_user_base(environ)]
    sites = [folder for folder in environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    sites += [site for base in bases for site in _sites_below(base)]
    return any(files.is_folder(os.path.join(site, name)) for site in sites for name in CORE)


def _user_base(environ: Mapping[str, str]) -> str:
    """The folder of the user's own packages on Linux (``site.getuserbase``)."""
    return environ.get("PYTHONUSERBASE", "") or os.path.join(environ.get("HOME", ""), ".local")


def _sites_below(prefix: str) -> Iterator[str]:
    yield os.path.join(prefix, "Lib", "site-packages")
    library = os.path.join(prefix, "lib")
    try:
        names = os.listdir(library)
    except OSError:
        return
    for name in names[:1000]:
        if name.startswith("python3"):
            yield from (os.path.join(library, name, each) for each in ("site-packages", "dist-packages"))


def is_used_here(prefix: str) -> bool:
    """Whether an environment's own interpreter can run on this machine, so that it is one of its environments."""
    python = os.path.join(prefix, "bin", "python")
    if not prefix or sys.platform != "linux" or not files.is_file(python) or not os.access(python, os.X_OK):
        return False
    mine, its = (machine_of(files.read(path, HEAD)) for path in (sys.executable, os.path.realpath(python)))
    return its is None or mine == its  # a script that starts another is taken for what runs here


def root_of(folder: str) -> str | None:
    """The root of the image that contains a folder; None if the folder belongs to this machine."""
    path = os.path.realpath(folder)
    while os.path.dirname(path) != path:
        if any(files.is_file(os.path.join(path, *name.split("/"))) for name in _RELEASES):
            return path
        path = os.path.dirname(path)
    return None
