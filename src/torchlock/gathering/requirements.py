"""Declared requirements as rows of a release file, and whether a marker can hold on any target."""

from __future__ import annotations

import functools
import itertools
import re
from typing import Any

from packaging.markers import Marker, UndefinedComparison

from torchlock.standards.core_metadata import dependency_of

# The targets that a requirement's marker is tried against: all that `torchlock lock` can be asked for.
_PYTHONS = tuple(f"3.{minor}" for minor in range(6, 17))
_PATCHES = ("0", "20")
_SYSTEMS = (
    ("linux", "posix", "Linux", "x86_64"),
    ("linux", "posix", "Linux", "aarch64"),
    ("darwin", "posix", "Darwin", "arm64"),
    ("darwin", "posix", "Darwin", "x86_64"),
    ("win32", "nt", "Windows", "AMD64"),
    ("win32", "nt", "Windows", "ARM64"),
)
Row = tuple[str, str, str, tuple[str, ...]]


@functools.cache
def parse_row(text: str) -> Row | None:
    """A Requires-Dist text as (name, specifier, marker, extras), or None if no installer can use it.

    Requirements by address are among the latter: an index may not serve them.
    """
    row = dependency_of(text)
    return None if row is None or row.address else (row[0], row[1], row[2], row[3])


def compact_row(row: Row) -> list[Any]:
    """The row as it is written: trailing empties left out."""
    cells: list[Any] = [*row[:3], list(row[3])]
    while not cells[-1]:
        cells.pop()
    return cells


@functools.cache
def may_hold(marker: str, extra: str) -> bool:
    """Whether the marker holds on any target, with this extra ("": none)."""
    if not marker:
        return True
    parsed = Marker(marker)
    return any(_holds(parsed, {**target, "extra": extra}) for target in _distinct(_named(parsed)))


@functools.cache
def may_hold_on(marker: str, platform: str) -> bool:
    """Whether the marker holds on any machine of this platform (``linux-x86_64``), with any extra it names."""
    if not marker:
        return True
    parsed, extras = Marker(marker), ["", *re.findall(r"extra == \"([^\"]+)\"", marker)]
    targets = itertools.product(_distinct(_named(parsed), platform), extras)
    return any(_holds(parsed, {**target, "extra": extra}) for target, extra in targets)


def _named(marker: Marker) -> tuple[str, ...]:
    """The parts of a target that a marker names."""
    text = str(marker)  # with the names of PEP 508: a marker may be written with older ones
    return tuple(name for name in _targets()[0] if name in text)


@functools.cache
def _distinct(names: tuple[str, ...], platform: str = "") -> list[dict[str, str]]:
    """One target of all that agree in these parts, on one platform (``linux-x86_64``) or on all."""
    system, _, machine = platform.replace("macos", "darwin").partition("-")
    here = [
        target
        for target in _targets()
        if not platform
        or (target["platform_system"].lower(), target["platform_machine"].lower()) == (system, machine)
    ]
    return list({tuple(target[name] for name in names): target for target in here}.values())


def _holds(marker: Marker, environment: dict[str, str]) -> bool:
    try:
        return marker.evaluate(environment)
    except UndefinedComparison:
        return True


@functools.cache
def _targets() -> list[dict[str, str]]:
    return [
        {
            "python_version": python,
            "python_full_version": f"{python}.{patch}",
            "implementation_version": f"{python}.{patch}",
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
            "sys_platform": system[0],
            "os_name": system[1],
            "platform_system": system[2],
            "platform_machine": system[3],
            "platform_release": "",
            "platform_version": "",
        }
        for python, patch, system in itertools.product(_PYTHONS, _PATCHES, _SYSTEMS)
    ]
