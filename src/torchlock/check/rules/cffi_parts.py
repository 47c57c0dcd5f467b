"""TL601, TL605, TL606 and TL608 for cffi, with which soundfile opens libsndfile: the package and its module."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from torchlock.check.fix.import_path import off_path
from torchlock.inspect.build import read_build
from torchlock.inspect.library import is_library
from torchlock.inspect.machine import suffix_of
from torchlock.inspect.ownership import rows_of
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.patterns import pattern
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.distributions import Distribution
    from torchlock.inspect.environment import PathEntry

_MODULE = "_cffi_backend"
_LARGEST = 16 << 20
# A version in a compiled module: a string by itself. That of the Python that it was compiled with looks alike.
_VERSION = pattern(rb"\0([12]\.\d{1,2}\.\d{1,2})\0")


class _Module(NamedTuple):
    """The module that an import finds, and the item of the path that it is in."""

    path: str
    entry: PathEntry


@rule("TL601", "TL605", "TL606", "TL608")
def cffi_parts(context: CheckContext) -> Iterator[Finding]:
    """A warning if ``import cffi`` works and its first use does not: torch does without soundfile."""
    python = context.environment.interpreter
    if context.copy("soundfile") is None or python.implementation != "cpython":
        return
    package, record = _package(context), context.installed.get("cffi")
    if package is None:
        if record is not None and _is_gone(context, record):
            message = f"cffi {record.version}, with which soundfile opens libsndfile, has a record but no files"
            severity, expected_error = severity_of(fails=False), "ModuleNotFoundError: No module named 'cffi'"
            yield context.finding(
                "TL601", severity, message, "cffi", path=record.path, expected_error=expected_error
            )
        return
    version, entry = package
    found, others = _modules(context)
    if found is None:
        yield _without_module(context, version, entry, others)
    elif (theirs := _version_of(found.path, version)) != version:
        yield _of_two_releases(context, version, theirs, entry, found)


def _is_gone(context: CheckContext, record: Distribution) -> bool:
    """Whether no folder of the path has the package that a record lists, and all of them could be looked at."""
    environment = context.environment
    if not any(f"{os.sep}cffi{os.sep}" in path for path in rows_of(record)):
        return False
    return not environment.has_module("cffi") and not any(environment.unreadable) and not environment.conda


def _package(context: CheckContext) -> tuple[str, PathEntry] | None:
    """The version of the package that an import finds; None if that is not known, as in an archive."""
    environment = context.environment
    if environment.frozen is not None or any(environment.unreadable):
        return None
    for entry in environment.path:
        if entry.state == "file" and entry.kind != "stdlib":
            return None
        if entry.state == "folder" and environment.tree.names(entry.path).get("cffi") == "folder":
            build = read_build(os.path.join(entry.path, "cffi"), environment.tree)
            return (build.version, entry) if build is not None else None
    return None


def _modules(context: CheckContext) -> tuple[_Module | None, list[str]]:
    """The module that this Python imports, and those for other Pythons."""
    environment, others = context.environment, list[str]()
    for entry in environment.path:
        names = environment.tree.names(entry.path) if entry.state == "folder" else {}
        for name in sorted(each for each in names if each.startswith(f"{_MODULE}.") and is_library(each)):
            suffix, path = suffix_of(name), os.path.join(entry.path, name)
            python = suffix.python if suffix is not None else ""
            if python in ("", context.python_minor) or not context.python_minor:
                return _Module(path, entry), others
            others.append(path)
    return None, others


def _version_of(path: str, expected: str) -> str:
    """The version that a compiled module says; the expected one if it contains that, or shows none."""
    try:
        content = files.read(path, _LARGEST)
    except OSError:
        return expected
    if expected.encode() + b"\0" in content:
        return expected
    found = sorted({each.decode() for each in _VERSION.findall(content)})
    return found[0] if len(found) == 1 else expected


def _without_module(context: CheckContext, version: str, entry: PathEntry, others: list[str]) -> Finding:
    needed = f"cffi {version}, with which soundfile opens libsndfile,"
    expected_error = f"ModuleNotFoundError: No module named '{_MODULE}'"
    if others:
        suffix = suffix_of(os.path.basename(others[0]))
        made_for = suffix.python if suffix is not None else ""
        message = f"{needed} was built for Python {made_for}, this is Python {context.python_minor}"
        return context.finding(
            "TL608", severity_of(fails=False), message, "cffi", path=others[0], expected_error=expected_error
        )
    message = f"{needed} lacks its extension module {_MODULE}"
    path = os.path.join(entry.path, "cffi")
    return context.finding(
        "TL601", severity_of(fails=False), message, "cffi", path=path, expected_error=expected_error
    )


def _of_two_releases(
    context: CheckContext, version: str, theirs: str, entry: PathEntry, found: _Module
) -> Finding:
    """In one folder the files are mixed; in two, one of them comes first and has no package."""
    is_one = entry.path == found.entry.path
    where = "" if is_one else f" in {found.entry.path}"
    return context.finding(
        "TL605" if is_one else "TL606",
        severity_of(fails=False),
        f"{_MODULE}{where} is of cffi {theirs}, and the package cffi is {version}: soundfile cannot be imported",
        "cffi",
        path=found.path,
        because="cffi compares the two versions when it is first used"
        + ("" if is_one else f"; {found.entry.path} comes first: {found.entry.because}"),
        expected_error=f"Exception: Version mismatch: this is the 'cffi' package version {version}",
        remedy=None if is_one else off_path(context, found.entry),
        sources=("soundfile-197",),
    )
