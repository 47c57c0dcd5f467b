"""The modules of Python itself that torch imports: hidden by files of one's own, or not there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.check.rules.import_path import is_there
from torchlock.check.system_packages import install_runtime
from torchlock.finding import Command, Remedy
from torchlock.inspect.import_graph import MissingName, first_missing
from torchlock.inspect.loading.imports import extension_of_python
from torchlock.inspect.source import defined_names, parsed
from torchlock.knowledge.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.environment import PathEntry

# The modules of Python, and two beside it, that an import of torch loads, in one release or another.
_LOADED = frozenset((
    "__future__", "_asyncio", "_bisect", "_compat_pickle", "_compression", "_csv", "_ctypes", "_datetime",
    "_heapq", "_json", "_opcode", "_pickle", "_queue", "_random", "_socket", "_ssl", "_struct", "_typing",
    "_weakrefset", "argparse", "array", "ast", "asyncio", "base64", "binascii", "bisect", "bz2", "calendar",
    "cmath", "collections", "concurrent", "contextlib", "contextvars", "copy", "copyreg", "csv", "ctypes",
    "dataclasses", "datetime", "difflib", "dis", "email", "enum", "fcntl", "fnmatch", "functools", "gettext",
    "glob", "gzip", "hashlib", "heapq", "http", "importlib", "inspect", "ipaddress", "json", "keyword",
    "linecache", "locale", "logging", "lzma", "math", "mmap", "multiprocessing", "numbers", "opcode",
    "operator", "pathlib", "pickle", "pickletools", "pkgutil", "platform", "pprint", "queue", "quopri",
    "random", "re", "reprlib", "runpy", "select", "selectors", "shutil", "signal", "socket", "ssl", "string",
    "struct", "subprocess", "tarfile", "tempfile", "textwrap", "threading", "timeit", "token", "tokenize",
    "traceback", "types", "typing", "unittest", "urllib", "uuid", "warnings", "weakref", "zipfile", "zlib",
    "typing_extensions", "torchgen",
))  # fmt: skip
# Called when torch is imported, from within functions: held against a real import.
_CALLED = {"linecache": "lazycache", "platform": "system", "tokenize": "open"}


@rule("TL606")
def own_modules(context: CheckContext) -> Iterator[Finding]:
    """A file of one's own in the place of a module that torch needs, without what is taken from that."""
    torch = context.copy("torch")
    folders = [entry.path for entry in context.environment.path if entry.kind == "stdlib"]
    if torch is None or not folders or not is_there(context, "torch"):
        return
    own = dict(_own(context, os.path.dirname(torch.path)))
    has = {name: names for name, (path, _) in own.items() if (names := _defined(context, path)) is not None}
    lack = next((MissingName(name, _CALLED[name], "", False) for name in _CALLED if _lacks(has, name)), None)
    if lack is None and has:
        lack = first_missing([os.path.dirname(torch.path), *folders], "torch", has)
    if lack is not None:
        yield _in_place_of(context, lack, *own[lack.module])


def _own(context: CheckContext, site: str) -> Iterator[tuple[str, tuple[str, PathEntry]]]:
    """Each module that a folder before the right one has, with the file or folder, the first one only."""
    seen: set[str] = set()
    is_before = True
    for entry in context.environment.path:
        is_before = is_before and entry.kind != "stdlib"
        if entry.path == site and not is_before:
            return
        names = context.environment.tree.names(entry.path) if entry.state == "folder" else {}
        for name in sorted(_LOADED - seen if is_before else {"typing_extensions", "torchgen"} - seen):
            folder = os.path.join(entry.path, name)
            if names.get(name) == "folder" and "__init__.py" in context.environment.tree.names(folder):
                yield name, (folder, entry)
            elif names.get(f"{name}.py") == "file":
                yield name, (f"{folder}.py", entry)
            else:
                continue
            seen.add(name)
        if entry.path == site:
            return


def _defined(context: CheckContext, path: str) -> frozenset[str] | None:
    if path.endswith(".py"):
        return _names_in(path)
    names = _names_in(os.path.join(path, "__init__.py"))
    return (
        None
        if names is None
        else names | {each.partition(".")[0] for each in context.environment.tree.names(path)}
    )


def _names_in(path: str) -> frozenset[str] | None:
    tree = parsed(path)
    return None if tree is None else defined_names(tree)


def _lacks(has: Mapping[str, frozenset[str]], name: str) -> bool:
    return name in has and _CALLED[name] not in has[name]


def _in_place_of(context: CheckContext, lack: MissingName, path: str, entry: PathEntry) -> Finding:
    """The finding, and how to let the right one be found; a folder of a package is no place to start Python in."""
    shown = os.path.basename(path)
    whose = "the module" if lack.module in ("typing_extensions", "torchgen") else "Python's module"
    taker = f", which {lack.path} takes from it" if lack.path else ""
    inside = "__init__.py" in context.environment.tree.names(entry.path)
    of = shown if inside else f"{path}, of your own,"
    message = f"{of} is imported in place of {whose} {lack.module}, and lacks {lack.name}{taker}"
    expected_error = (
        f"ImportError: cannot import name '{lack.name}' from '{lack.module}' ({path})"
        if lack.is_import
        else f"AttributeError: module '{lack.module}' has no attribute '{lack.name}'"
    )
    remedy = None
    if inside:
        summary = f"Start Python in another folder than {entry.path}, which is that of a package."
        remedy = Remedy(summary, commands=(Command("shell", "cd .."),) if entry.kind == "current" else ())
    because = f"it comes first: {entry.because}"
    return context.finding(
        "TL606",
        "error",
        message,
        "torch",
        path=path,
        because=because,
        expected_error=expected_error,
        remedy=remedy,
    )


def lacks_what_torch_takes(context: CheckContext, module: str) -> str:
    """The name that an installed module lacks and the import of torch takes from it; "" where there is none."""
    torch = context.copy("torch")
    if torch is None or torch.kind != "package":
        return ""
    site = os.path.dirname(torch.path)
    names = _names_in(os.path.join(site, f"{module}.py"))
    lack = None if names is None else first_missing([site], "torch", {module: names})
    return "" if lack is None else lack.name


@rule("TL610")
def ctypes(context: CheckContext) -> Iterator[Finding]:
    """A Python without the module by which torch opens libraries, or whose module lacks libffi."""
    python = context.environment.interpreter
    if (
        not context.live
        or python.implementation != "cpython"
        or not python.builtin
        or not is_there(context, "torch")
    ):
        return
    name, version = "_ctypes", f"Python {python.version}"
    if name in python.builtin:
        return
    path = extension_of_python(context.environment, name)
    if path is None:
        message = f"this {version} was built without its module {name}, by which torch opens libraries"
        expected_error = f"ModuleNotFoundError: No module named '{name}'"
        because = "Python leaves the module out where it finds no headers of libffi when it is built"
        yield _unbuilt(context, message, python.prefix, because, expected_error)
        return
    for attempt in context.attempts:
        lost = attempt.outcome.missing if attempt.package == "python" else ()
        if lost:
            message = f"the module {name} of {version} needs {lost[0].name}, which is not found"
            expected_error = (
                f"ImportError: {lost[0].name}: cannot open shared object file: No such file or directory"
            )
            because = "this Python was built against a libffi that is no longer there"
            yield _unbuilt(context, message, path, because, expected_error)


def _unbuilt(context: CheckContext, message: str, path: str, because: str, expected_error: str) -> Finding:
    remedy = _built_anew(context)
    sources = ("python-devguide",)
    return context.finding(
        "TL610",
        "error",
        message,
        "torch",
        path=path,
        because=because,
        expected_error=expected_error,
        remedy=remedy,
        sources=sources,
    )


def _built_anew(context: CheckContext) -> Remedy:
    """Build this Python once more, with libffi there; what pyenv built it builds again in the same place."""
    python = context.environment.interpreter
    if context.environment.conda:
        line = "conda install -y --force-reinstall python libffi"
        return Remedy("Install Python and libffi of this environment anew.", commands=(Command("conda", line),))
    headers = install_runtime(context, "libffi", "ffi.h")
    install = headers.commands[0].line if headers.commands else ""
    parts = python.base_prefix.replace("\\", "/").split("/")
    summary = "Install the headers of libffi, and build this Python anew"
    if parts[-3:-1] == [".pyenv", "versions"]:
        line = " && ".join(filter(None, (install, f"pyenv install --force {parts[-1]}")))
        return Remedy(f"{summary}.", commands=(Command("system", line),))
    return Remedy(f"{summary}: {install} brings the first." if install else f"{summary}.")
