"""Modules of Python that torch imports: hidden by the user's files, or missing."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.conda import conda_install
from torchlock.check.fix.commands import add
from torchlock.check.fix.import_path import off_path
from torchlock.check.rules.import_path import is_there
from torchlock.check.system_packages import install_runtime
from torchlock.finding import Command, Remedy
from torchlock.inspect.import_graph import MissingName, first_missing
from torchlock.inspect.loading.imports import extension_of_python
from torchlock.inspect.source import LARGEST, bound_names, defined_names, parsed
from torchlock.knowledge.registry import rule
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.distributions import Distribution
    from torchlock.inspect.environment import PathEntry

# Modules of Python, and two others, that the import of some release of torch loads.
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
# It sets names that its source does not show, of its own and of typing.
_REEXPORTS = "typing_extensions"
# Functions call these during the import of torch; the list was compared with a real import.
_CALLED = {"linecache": "lazycache", "platform": "system", "tokenize": "open"}


@rule("TL606")
def shadowing_modules(context: CheckContext) -> Iterator[Finding]:
    """A user's file instead of a module that torch needs, if the file lacks a name that torch uses."""
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
    """The modules that come first on the path before the right ones, each with its file or folder."""
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
        return _names_in(context, path)
    names = _names_in(context, os.path.join(path, "__init__.py"))
    return (
        None
        if names is None
        else names | {each.partition(".")[0] for each in context.environment.tree.names(path)}
    )


def _names_in(context: CheckContext, path: str) -> frozenset[str] | None:
    tree = parsed(path)
    names = None if tree is None else defined_names(tree)
    if names is None and tree is not None and os.path.basename(path) == f"{_REEXPORTS}.py":
        return _words_in(path) | _typing(context)
    return names


def _words_in(path: str) -> frozenset[str]:
    """All words of a file, of which it may define each."""
    return frozenset(re.findall(r"[A-Za-z_]\w*", files.text(path, LARGEST) or ""))


def _typing(context: CheckContext) -> frozenset[str]:
    """What Python's own module typing may define, which typing_extensions hands on."""
    folders = [entry.path for entry in context.environment.path if entry.kind == "stdlib"]
    found = (parsed(path) for each in folders if files.is_file(path := os.path.join(each, "typing.py")))
    return next((bound_names(tree) for tree in found if tree is not None), frozenset())


def _lacks(has: Mapping[str, frozenset[str]], name: str) -> bool:
    return name in has and _CALLED[name] not in has[name]


def _in_place_of(context: CheckContext, lack: MissingName, path: str, entry: PathEntry) -> Finding:
    """The finding, and how to make Python find the right module. Python should not start in a package's folder."""
    shown = os.path.basename(path)
    whose = "the module" if lack.module in ("typing_extensions", "torchgen") else "Python's module"
    taker = f", which {lack.path} uses" if lack.path else ""
    inside = "__init__.py" in context.environment.tree.names(entry.path)
    record = next((each for each in _records(context, lack.module) if each.entry.path == entry.path), None)
    of = shown if inside else f"{path}, of your own,"
    message = f"{of} is imported instead of {whose} {lack.module}, and lacks {lack.name}{taker}"
    if record is not None:
        message = f"{record.name} {record.version} in {entry.path} is imported, and lacks {lack.name}{taker}"
    expected_error = (
        f"ImportError: cannot import name '{lack.name}' from '{lack.module}' ({path})"
        if lack.is_import
        else f"AttributeError: module '{lack.module}' has no attribute '{lack.name}'"
    )
    remedy = None
    if record is not None:
        upgrade = Remedy(
            f"Install a later release of {record.name}.", commands=add(context, record.name, "", "-U")
        )
        remedy = off_path(context, entry) or upgrade
    elif inside:
        summary = f"Start Python outside of {entry.path}, which is the folder of a package."
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


def _records(context: CheckContext, module: str) -> list[Distribution]:
    """The distributions with the name of a module."""
    name = module.replace("_", "-")
    return [each for each in context.installed.distributions if each.name == name]


def lacks_what_torch_takes(context: CheckContext, module: str) -> str:
    """The name that an installed module lacks and the import of torch uses; "" if there is none."""
    torch = context.copy("torch")
    if torch is None or torch.kind != "package":
        return ""
    site = os.path.dirname(torch.path)
    there = (os.path.join(each.path, f"{module}.py") for each in context.environment.path)
    names = next((_names_in(context, path) for path in there if files.is_file(path)), None)
    lack = None if names is None else first_missing([site], "torch", {module: names})
    return "" if lack is None else lack.name


@rule("TL610")
def ctypes(context: CheckContext) -> Iterator[Finding]:
    """A Python without the module that opens libraries for torch, or without libffi for this module."""
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
        message = f"this {version} was built without its module {name}, which torch needs to open libraries"
        expected_error = f"ModuleNotFoundError: No module named '{name}'"
        because = "a build of Python omits the module if it does not find the headers of libffi"
        yield _unbuilt(context, name, message, python.prefix, because, expected_error)
        return
    for attempt in context.attempts:
        lost = attempt.outcome.missing if attempt.package == "python" else ()
        if lost:
            message = f"the module {name} of {version} needs {lost[0].name}, which is not found"
            expected_error = (
                f"ImportError: {lost[0].name}: cannot open shared object file: No such file or directory"
            )
            because = "this Python was built against a libffi that is no longer there"
            yield _unbuilt(context, lost[0].name, message, path, because, expected_error)


def _unbuilt(
    context: CheckContext, lost: str, message: str, path: str, because: str, expected_error: str
) -> Finding:
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
        lacks=(lost,),
    )


def _built_anew(context: CheckContext) -> Remedy:
    """Build this Python again, with libffi. pyenv builds into the same folder."""
    python = context.environment.interpreter
    if context.environment.conda:
        commands = conda_install(context, "--force-reinstall", "python", "libffi")
        return Remedy("Reinstall Python and libffi in this environment.", commands=commands)
    headers = install_runtime(context, "libffi", "ffi.h")
    install = headers.commands[0].line if headers.commands else ""
    parts = python.base_prefix.replace("\\", "/").split("/")
    summary = "Install the headers of libffi, and build this Python again"
    if parts[-3:-1] == [".pyenv", "versions"]:
        line = " && ".join(filter(None, (install, f"pyenv install --force {parts[-1]}")))
        return Remedy(f"{summary}.", commands=(Command("system", line),))
    return Remedy(f"{summary}: {install} installs the headers." if install else f"{summary}.")
